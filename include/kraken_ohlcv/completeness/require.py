"""Whether candles are complete enough to work with, counted at the moment of the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.figures import Figures, series_figures, together
from kraken_ohlcv.completeness.series_rows import rows_of
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.session import Connection

MAX_NAMED: Final = 10
"""Series that the sentence names."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the candles asked for are complete.

    :ivar is_complete: whether every series asked for reaches back far enough and has everything that is due
    :ivar sentence: which series are missing what; or that nothing is missing
    :ivar figures: for a reader without the code, see :meth:`kraken_ohlcv.completeness.figures.Figures.brief`
    """

    is_complete: bool
    sentence: str
    figures: dict[str, Any]


def parse_since(since: str | datetime) -> int:
    """Return since when candles are to be complete.

    :param since: ISO text or time; without an offset it is UTC
    :return: epoch seconds UTC
    :raises BadRequestError: if the text is no time
    """
    try:
        moment = datetime.fromisoformat(since) if isinstance(since, str) else since
    except ValueError:
        raise BadRequestError(f"since {since!r} is no time: write it like 2026-11-01") from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def ask(
    connection: Connection,
    questdb: QuestDBClient,
    *,
    tier: str,
    interval_minutes: int,
    since_s: int,
    tickers: Sequence[str] | None,
    now_s: int,
) -> Answer:
    """Return whether candles are complete from a moment on: each is stored, or proven empty, or not due yet.

    A series that begins later than asked for is not complete, unless its pair never traded before: candles
    that nobody has loaded are not expected of a backfill, but a reader would miss them.

    :param tier: active assets of this tier, or ``ALL``
    :param since_s: epoch seconds UTC
    :param tickers: these assets instead of the tier's, or None
    :return: the answer
    :raises BadRequestError: if there is no such asset, or ``since_s`` is not in the past
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if since_s >= now_s:
        raise BadRequestError(
            f"since {iso(since_s)} is not in the past: nothing can be complete from then on"
        )
    assets = read_assets(connection, tickers=tickers, tier=tier)
    unknown = sorted(set(tickers or []) - {asset.ticker for asset in assets})
    if unknown or not assets:
        raise BadRequestError(
            f"ticker {unknown[0]!r} is not in the catalogue" if unknown else f"{tier} has no active assets"
        )
    rows = rows_of(assets, [interval_minutes])
    found = series_figures(connection, questdb, rows, now_s=now_s, covered=(since_s, now_s))
    lacking = [
        f"{row.asset.ticker} {what}"
        for row in rows
        if (what := _lacking(row.asset, found[row.series], interval_minutes, since_s))
    ]
    asked = f"{', '.join(tickers) if tickers else tier} at {interval_minutes} minutes since {iso(since_s)}"
    if lacking:
        more = f", and {len(lacking) - MAX_NAMED} more" if len(lacking) > MAX_NAMED else ""
        named = "; ".join(lacking[:MAX_NAMED])
        sentence = f"{asked}: {len(lacking)} of {len(rows)} series not complete: {named}{more}"
    else:
        sentence = f"{asked}: all {len(rows)} series are complete"
    return Answer(not lacking, sentence, together(found.values()).brief())


def _lacking(asset: Asset, figures: Figures, interval: int, since_s: int) -> str:
    """Return what a series is missing; empty when it is complete, which an empty series never is."""
    if figures.missing and not figures.is_loaded:
        return "was never loaded"
    if figures.missing and figures.oldest_missing_s is not None:
        return f"is missing {figures.missing} from {iso(figures.oldest_missing_s)} on"
    if figures.disputed:
        return f"holds {figures.disputed} where trades prove that nothing traded"
    if not figures.expected:
        return why_nothing(asset)
    return begins_later(asset, figures, interval, since_s)


def begins_later(asset: Asset, figures: Figures, interval: int, since_s: int) -> str:
    """Return where a series begins, if that is later than asked for, and its pair traded before; or nothing.

    :param since_s: epoch seconds UTC
    """
    start_s = figures.start_s
    is_first = asset.first_trade_s is not None and start_s == floor_s(asset.first_trade_s, interval)
    if start_s is not None and start_s > since_s and not is_first:
        return f"begins at {iso(start_s)} only (ingest Kraken's archive, or ask for less)"
    return ""


def why_nothing(asset: Asset) -> str:
    """Return why nothing is expected of a series in a time."""
    if not asset.is_listed:
        return "has no data: assets.yaml does not expect the pair (listed: false)"
    if asset.is_unknown:
        return "has no data: Kraken does not know the pair"
    if asset.delisted_s is not None:
        return f"has no data: the pair left Kraken at {iso(asset.delisted_s)}"
    return "has no data: no candle of that time is due yet"
