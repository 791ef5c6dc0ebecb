"""What a run asks the exchange before it looks at candles: its clock, its state, and its pairs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from kraken_ohlcv.clients.errors import KrakenMalformedReplyError, KrakenTransientError, NotAskedError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.exchange.models import AssetPair
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.refusals import refuse_tokenised
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.detection.clock import ask_clock
from kraken_ohlcv.detection.oddities import PAIRS, note_oddities
from kraken_ohlcv.detection.pairs import ask_pairs, idle_rules, judge_pairs, suggestion
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many

log = logging.getLogger(__name__)


class Selection(Protocol):
    """The series a run is about, as its params name them."""

    @property
    def tier(self) -> str:
        """Return the tier, or ``ALL``."""

    @property
    def intervals(self) -> Sequence[int]:
        """Return the candle lengths, minutes."""

    @property
    def tickers(self) -> Sequence[str] | None:
        """Return the tickers that replace the tier, or None."""


def open_run(
    connection: Connection,
    kraken: KrakenClient,
    run: RunKey,
    request: Selection,
    worker_now: Callable[[], float],
) -> int:
    """Ask the exchange's clock, state and pairs, and record them for the run.

    :param kraken: client of the exchange
    :param worker_now: the worker's clock, epoch seconds UTC
    :return: the exchange's time, epoch seconds UTC
    :raises BadRequestError: if a ticker asked for is neither in the catalogue nor in AssetPairs, or is a
        tokenised asset
    :raises KrakenTransientError: if the exchange is in maintenance, or its clock or pairs are not believed
    """
    refuse_tokenised(request.tickers)
    status = kraken.get_system_status()
    if status == "maintenance":
        raise KrakenTransientError("Kraken's SystemStatus is maintenance; the run resumes when it is over")
    if status != "online":
        log.warning("Kraken's SystemStatus is %s; public market data is expected to work", status)
    now_s = ask_clock(connection, kraken, worker_now).believed_s()
    execute(connection, "start_run", run, request, now_s=now_s)
    pairs = ask_pairs(connection, kraken)
    notes = idle_rules(connection, pairs)
    note_oddities(connection, run, ticker="plan", source="select", n_rows=0, odd=(), notes=notes)
    _add_named(connection, request, pairs)
    asked = [asset.ticker for asset in read_assets(connection, tickers=request.tickers, tier=request.tier)]
    for ticker in asked:
        if ticker in pairs.odd:
            note_oddities(
                connection, run, ticker=ticker, source=PAIRS, n_rows=1, odd=[pairs.odd[ticker]], notes=()
            )
    judge_pairs(connection, kraken, asked, pairs, now_s=now_s)
    known = [pairs[ticker] for ticker in asked if ticker in pairs]
    named = (
        {"ticker": pair.ticker, "pair_decimals": pair.pair_decimals, "names": sorted(pair.names)}
        for pair in known
    )
    execute_many(connection, "record_pair_details", named)
    _find_first_trades(connection, kraken, asked)
    count_work(connection, run, api_calls=kraken.calls)
    log.info(
        "Kraken is %s; its clock says %s UTC, %+.1f s from this machine's; it lists %d of %s asked for",
        status,
        iso(now_s),
        now_s - worker_now(),
        len(known),
        counted(len(asked), "pair"),
    )
    return now_s


def _find_first_trades(connection: Connection, kraken: KrakenClient, asked: Sequence[str]) -> None:
    """Ask once for the first trade of each pair whose history is wanted: nothing is expected before it."""
    for asset in read_assets(connection, tickers=asked, tier="ALL") if asked else []:
        if asset.history_from_s is not None and asset.first_trade_s is None and asset.delisted_s is None:
            try:
                first_trade_s = kraken.get_first_trade(asset.ticker)
            except (KrakenMalformedReplyError, NotAskedError) as error:
                log.warning("the next run requests the first trade of %s again: %s", asset.ticker, error)
                continue
            if first_trade_s is not None:
                execute(connection, "record_first_trade", asset, first_trade_s=float(first_trade_s))


def _add_named(connection: Connection, request: Selection, pairs: Mapping[str, AssetPair]) -> None:
    if not request.tickers:
        return
    known = {asset.ticker for asset in read_assets(connection, tickers=request.tickers, tier="ALL")}
    new = [ticker for ticker in request.tickers if ticker not in known]
    for ticker in new:
        if ticker not in pairs:
            meant = suggestion(ticker, pairs)
            raise BadRequestError(
                f"ticker {ticker!r} is neither in the catalogue nor in Kraken's AssetPairs; "
                + (f"did you mean {meant}?" if meant else "use the altname, such as XBTUSD")
            )
    execute_many(
        connection,
        "add_asset",
        [{"ticker": ticker, "base": pairs[ticker].base, "quote": pairs[ticker].quote} for ticker in new],
    )
