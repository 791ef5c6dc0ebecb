"""Tables ``exchange`` and ``assets``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.errors import WrongExchangeError
from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, column, execute, execute_many, rows, value

log = logging.getLogger(__name__)

ONLINE = "online"
"""AssetPairs status of a pair that takes all orders; others are cancel_only, post_only, limit_only ..."""


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset a run is about.

    :ivar ticker: Kraken's altname
    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar pair_status: what AssetPairs said last, or None when it did not list the pair or was never asked
    :ivar delisted_s: since when nothing is expected of the pair, epoch seconds UTC, or None; see
        :mod:`kraken_ohlcv.detection.pairs`
    :ivar first_trade_s: time of its first trade ever, epoch seconds UTC, or None when never asked
    :ivar added_s: when it came into the catalogue, epoch seconds UTC
    :ivar upkeep: how its series are kept
    :ivar pair_decimals: digits of its prices, or None when AssetPairs was never asked
    :ivar history_from_s: from when on its candles are wanted, epoch seconds UTC, or None
    :ivar names: names under which Kraken answers for the pair, as AssetPairs gave them; may be empty
    :ivar seen_s: when AssetPairs first listed the pair, epoch seconds UTC, or None
    :ivar has_series: whether candles of it were ever looked for or taken in
    :ivar meant: listed ticker that the ticker of an unknown pair may mean, or None
    :ivar is_listed: whether the catalogue expects the pair at the exchange
    """

    ticker: str
    tier: str
    pair_status: str | None
    delisted_s: int | None
    first_trade_s: float | None
    added_s: int
    upkeep: Upkeep
    pair_decimals: int | None = None
    history_from_s: int | None = None
    names: frozenset[str] = frozenset()
    seen_s: int | None = None
    has_series: bool = False
    meant: str | None = None
    is_listed: bool = True

    @property
    def is_known(self) -> bool:
        """Return whether the exchange ever had the pair, as far as is known."""
        return self.seen_s is not None or self.has_series

    @property
    def is_unknown(self) -> bool:
        """Return whether the exchange has no such pair, and never had."""
        return self.delisted_s is not None and not self.is_known

    @property
    def is_trading(self) -> bool:
        """Return whether the pair is on the exchange and online, as far as is known."""
        return self.delisted_s is None and self.pair_status in {None, ONLINE}


def claim_exchange(connection: Connection, base_url: str) -> None:
    """Bind the ledger to an exchange at first use and refuse another one later.

    :param base_url: normalised base URL of the exchange in use
    :raises WrongExchangeError: if the ledger belongs to another exchange: invented and real candles
        must not mix
    """
    _refuse_other(value(connection, "claim_exchange", base_url=base_url), base_url)


def check_exchange(connection: Connection, base_url: str, *, accept: bool) -> None:
    """Refuse another exchange than the ledger's, or accept it; an unused ledger belongs to none.

    :param base_url: normalised base URL of the exchange in use
    :param accept: make the ledger belong to it: the same market under another address
    :raises WrongExchangeError: if the ledger belongs to another exchange
    """
    if accept and execute(connection, "accept_exchange", base_url=base_url):
        log.info("The ledger now belongs to %s", base_url)
    for known in column(connection, "read_exchange"):
        _refuse_other(known, base_url)


def _refuse_other(known: str, base_url: str) -> None:
    if known != base_url:
        raise WrongExchangeError(
            f"this ledger and its candles belong to {known}, but the connection points at {base_url}: point "
            "it back. The same market under another address? Then run "
            "kraken-ohlcv set-up stores --accept-exchange once. Another exchange needs its own PostgreSQL "
            "database and QuestDB"
        )


def sync_catalogue(
    connection: Connection, entries: Sequence[CatalogueEntry], kept: Iterable[str] = ()
) -> None:
    """Make table ``assets`` say what the catalogue says.

    :param entries: validated catalogue; assets no longer named become inactive, nothing is deleted
    :param kept: tickers named by lines that cannot be used: these assets stay as they are
    """
    with connection.transaction():
        execute_many(
            connection,
            "upsert_asset",
            [
                {**entry.model_dump(exclude={"intervals"}), "position": position, "intervals": _own(entry)}
                for position, entry in enumerate(entries)
            ],
        )
        execute(connection, "retire_assets", tickers=[*(entry.ticker for entry in entries), *kept])


def _own(entry: CatalogueEntry) -> list[int] | None:
    return None if entry.intervals is None else sorted(entry.intervals)


def read_assets(connection: Connection, *, tickers: Sequence[str] | None, tier: str) -> list[Asset]:
    """Return the assets a run is about.

    :param tickers: the assets named, which replace the tier as selection; None = those of the tier that are
        active and listed
    :param tier: ``TIER1`` .. ``TIER4`` or ``ALL``
    :return: in tier order, then as in the catalogue
    """
    chosen, plan = list(tickers) if tickers else None, read_plan(connection)

    def asset(names: list[str], own: list[int] | None, **row: Any) -> Asset:
        return Asset(**row, names=frozenset(names), upkeep=plan.upkeep(row["tier"], own))

    return rows(connection, "read_assets", asset, tickers=chosen, tier=tier)
