"""Stored candles, and the one rule for replacing a stored candle by a newer version of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kraken_hooks.candles import Candle

VOLUME_NOISE: Final = 1e-8
"""Base units; the last of Kraken's eight decimals, so a smaller difference is float noise."""
VOLUME_NOISE_SHARE: Final = 1e-12
"""Beside it, that share of a volume is noise: a double holds 16 digits, so not the eighth decimal of a huge
volume, and in a sum of doubles, as the archive has them, the last digits wander."""

CONFIRM_AFTER_S: Final = 1800
"""A version, or an absence in a busy series, seen this long ago and seen again is believed, seconds."""

SOURCE_RANK: Final = {"archive_rim": 0, "ohlc": 1, "archive": 2, "trades": 2}
"""Which source may replace which: never a higher rank by a lower one. ``archive_rim``: the last day of a
release, whose last candle may be short of a few trades."""


def volume_noise(one: Any, other: Any) -> Any:
    """Return by how much two volumes may differ and still be the same one: the one rule for all sources.

    :param one: base units, >= 0; a number, or a polars expression
    :param other: likewise; which is which does not matter
    :return: base units, > 0
    """
    return VOLUME_NOISE + VOLUME_NOISE_SHARE / 2 * (one + other)


@dataclass(frozen=True, slots=True)
class StoredCandle:
    """One traded candle as it stands in QuestDB.

    :ivar ts_s: open time, epoch seconds UTC
    :ivar open: quote units
    :ivar high: quote units
    :ivar low: quote units
    :ivar close: quote units
    :ivar vwap: quote units, None when the source has none (the archive)
    :ivar volume: base units, > 0
    :ivar trades: number of trades, >= 1
    :ivar source: ``ohlc``, ``trades``, ``archive`` or ``archive_rim``
    """

    ts_s: int
    open: float
    high: float
    low: float
    close: float
    vwap: float | None
    volume: float
    trades: int
    source: str

    def figures(self) -> dict[str, Any]:
        """Return what is compared and logged: every field but time and source."""
        fields = asdict(self)
        return {name: value for name, value in fields.items() if name not in {"ts_s", "source"}}

    def equals(self, other: StoredCandle) -> bool:
        """Return whether two versions of a candle say the same.

        Prices are compared exactly after conversion to double, volumes with :func:`volume_noise`.

        :param other: candle with the same open time
        :return: True when nothing but float noise or the source differs
        """
        is_rest_same = replace(self, volume=other.volume, source=other.source) == other
        noise = volume_noise(self.volume, other.volume)
        return is_rest_same and abs(self.volume - other.volume) <= noise


def from_ohlc(candle: Candle) -> StoredCandle:
    """Return the row to store for a candle of an OHLC answer.

    :param candle: a traded candle as Kraken sent it
    :return: the same figures as doubles, source ``ohlc``
    """
    return StoredCandle(
        ts_s=candle.ts_s,
        open=float(candle.open),
        high=float(candle.high),
        low=float(candle.low),
        close=float(candle.close),
        vwap=float(candle.vwap),
        volume=float(candle.volume),
        trades=candle.trades,
        source="ohlc",
    )


class Restatement(Enum):
    """What to do with a version of a candle that differs from the stored one."""

    REPLACE = "replace"
    """The new version is of a stronger source, or has more trades, or as many and more volume, or has been
    seen long enough."""
    REMEMBER = "remember"
    """Wait: two of Kraken's backends may disagree, and must not flip a row to and fro."""
    IGNORE = "ignore"
    """The stored candle says the same, or comes from a stronger source."""


def completed(stored: StoredCandle, seen: StoredCandle) -> StoredCandle | None:
    """Return a stored candle with the volume-weighted price that it lacks, if another source knows it.

    The archive has none. Whoever says the same in everything else may add it, be it a weaker source:
    nothing is restated, and the candle stays that of the stronger source.

    :param stored: what QuestDB holds
    :param seen: what another source says, same open time
    :return: the candle to store, or None when nothing is to be added or anything else differs
    """
    if stored.vwap is not None or seen.vwap is None or not seen.equals(replace(stored, vwap=seen.vwap)):
        return None
    if SOURCE_RANK[seen.source] < SOURCE_RANK[stored.source]:
        return replace(stored, vwap=seen.vwap)
    return seen


def judge_restatement(
    stored: StoredCandle, seen: StoredCandle, *, first_seen_s: int | None, now_s: int
) -> Restatement:
    """Decide between a stored candle and another version of it.

    :param stored: what QuestDB holds
    :param seen: what the exchange says now, same open time
    :param first_seen_s: when this very version was first seen, epoch seconds UTC, or None if never before
    :param now_s: the exchange's time, epoch seconds UTC
    :return: the decision
    Rule: committed candles of Kraken still change and differ between its backends; a version with more
    trades is the more complete one, any other must be seen again :data:`CONFIRM_AFTER_S` later. A stronger
    source is believed at once.
    """
    if SOURCE_RANK[seen.source] < SOURCE_RANK[stored.source] or seen.equals(stored):
        return Restatement.IGNORE
    if SOURCE_RANK[seen.source] > SOURCE_RANK[stored.source]:
        return Restatement.REPLACE
    if seen.trades > stored.trades:
        return Restatement.REPLACE
    more_volume = seen.volume - stored.volume
    if seen.trades == stored.trades and more_volume > volume_noise(seen.volume, stored.volume):
        return Restatement.REPLACE
    if first_seen_s is not None and now_s - first_seen_s >= CONFIRM_AFTER_S:
        return Restatement.REPLACE
    return Restatement.REMEMBER
