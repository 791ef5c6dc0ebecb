"""Whether the hourly candles add up to the daily ones, on every day on which both are complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from include.ohlcv.candles import VOLUME_NOISE
from include.ohlcv.completeness.buckets import PROVEN, Kind, Kinds
from include.ohlcv.completeness.sheets import Line, read_sheets
from include.ohlcv.grid import floor_s
from include.ohlcv.intervals import DAY_S, HOUR_S, step_s
from include.ohlcv.statements import statement
from include.ohlcv.store import MICROSECONDS
from include.ohlcv.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.ohlcv.completeness.sheets import Sheet
    from include.ohlcv.ledger.asset_rows import Asset
    from include.ohlcv.ledger.session import Connection
    from kraken_hooks.questdb import QuestDBHook

HOURLY: Final = 60
DAILY: Final = 1440
HOURS: Final = DAY_S // HOUR_S

FIELDS: Final = ("open", "high", "low", "close", "volume", "trades")

VOLUME_SHARE: Final = 1e-9
"""Beside :data:`VOLUME_NOISE`, volumes may differ by this share: 24 hours are summed up."""

HERE: Final = (Kind.STORED, *PROVEN.values())

DAY_ALONE: Final = "the daily candle is stored, every hour is proven empty"
HOURS_ALONE: Final = "hourly candles are stored, the day is proven empty"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A day on which the hourly candles do not add up to the daily one.

    :ivar ticker: Kraken's altname
    :ivar day_s: begin of the day, epoch seconds UTC
    :ivar values: hourly and daily value of each field in which they differ
    :ivar contradiction: what is wrong when only one of both has candles, or None
    """

    ticker: str
    day_s: int
    values: dict[str, tuple[float, float]] = field(default_factory=dict)
    contradiction: str | None = None

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        found: dict[str, Any] = {"ticker": self.ticker, "day": iso(self.day_s)[:10]}
        if self.contradiction:
            found["contradiction"] = self.contradiction
        return found | {
            name: {"hourly": hourly, "daily": daily} for name, (hourly, daily) in self.values.items()
        }


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What became of the comparison.

    :ivar days: days compared, each asset's counted
    :ivar mismatches: by asset in the given order, then by day
    """

    days: int
    mismatches: list[Mismatch]


def cross_check(
    connection: Connection, questdb: QuestDBHook, assets: Sequence[Asset], *, now_s: int
) -> CrossCheck:
    """Compare hourly and daily candles on every day of which both are complete.

    Complete means that each of the 24 hours, and the day, is stored or proven empty. Prices and trades must
    be equal, volumes within the noise of binary fractions. What is proven empty adds nothing.

    :param connection: the ledger
    :param questdb: hook of the candle store
    :param assets: the assets
    :param now_s: the exchange's time, epoch seconds UTC
    :return: how many days were compared, and those that do not match
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    end_s = floor_s(now_s, DAILY)
    differing = _differing(questdb, end_s)
    days, mismatches = 0, []
    for hourly in read_sheets(
        connection, questdb, [Line(asset, HOURLY) for asset in assets], None, now_s=now_s
    ):
        if not len(hourly.opens) or hourly.opens[0] >= end_s:
            continue
        begin_s = floor_s(int(hourly.opens[0]), DAILY)
        n_days = (end_s - begin_s) // DAY_S
        of_hours = _aligned(hourly, begin_s, n_days * HOURS).reshape(len(hourly.lines), n_days, HOURS)
        lines = [Line(line.asset, DAILY) for line in hourly.lines]
        of_days = np.concatenate([
            _aligned(daily, begin_s, n_days)
            for daily in read_sheets(connection, questdb, lines, (begin_s, end_s), now_s=now_s)
        ])
        is_compared = np.isin(of_hours, HERE).all(axis=2) & np.isin(of_days, HERE)
        has_hours, has_day = (of_hours == Kind.STORED).any(axis=2), of_days == Kind.STORED
        days += int(is_compared.sum())
        for row, line in enumerate(hourly.lines):
            ticker = line.asset.ticker
            found = [
                one for one in differing.get(ticker, []) if is_compared[row, (one.day_s - begin_s) // DAY_S]
            ]
            for is_alone, word in (
                (has_day & ~has_hours, DAY_ALONE),
                (has_hours & ~has_day, HOURS_ALONE),
            ):
                found += [
                    Mismatch(ticker, begin_s + int(column) * DAY_S, contradiction=word)
                    for column in np.flatnonzero(is_alone[row] & is_compared[row])
                ]
            mismatches += sorted(found, key=lambda one: one.day_s)
    return CrossCheck(days, mismatches)


def _aligned(sheet: Sheet, begin_s: int, n_buckets: int) -> Kinds:
    """Return the buckets of a sheet from a given one on."""
    kinds = np.full((len(sheet.lines), n_buckets), Kind.OUTSIDE, dtype=np.uint8)
    if len(sheet.opens):
        offset = (int(sheet.opens[0]) - begin_s) // step_s(sheet.interval_minutes)
        n_kept = min(len(sheet.opens), n_buckets - offset)
        kinds[:, offset : offset + n_kept] = sheet.kinds[:, :n_kept]
    return kinds


def _differing(questdb: QuestDBHook, end_s: int) -> dict[str, list[Mismatch]]:
    """Return the days with daily and hourly candles that differ, complete or not, by ticker."""
    rows = questdb.query(
        statement("questdb", "compare_days"),
        {"until_us": end_s * MICROSECONDS, "volume_least": VOLUME_NOISE, "volume_share": VOLUME_SHARE},
    )
    found: dict[str, list[Mismatch]] = {}
    for ticker, day_s, *both in rows:
        pairs = dict(zip(FIELDS, zip(both[::2], both[1::2], strict=True), strict=True))
        values = {name: pair for name, pair in pairs.items() if _differs(name, *pair)}
        if values:
            found.setdefault(ticker, []).append(Mismatch(ticker, day_s, values))
    return found


def _differs(name: str, hourly: float, daily: float) -> bool:
    if name == "volume":
        return abs(hourly - daily) > VOLUME_NOISE + VOLUME_SHARE * daily
    return hourly != daily
