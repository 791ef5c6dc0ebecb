"""Candles: what they hold, when one is sound, and when two versions say the same.

What is said here of two versions holds for numbers and for polars expressions alike, so that an archive of
millions of rows is judged by the same lines as one candle. What a sound candle is, says
:func:`requirements`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

PRICES: Final = ("open", "high", "low", "close")
HIGHEST_PRICE: Final = 1e12
LARGEST_VOLUME: Final = 1e18
MOST_TRADES: Final = 1_000_000_000
LARGEST: Final = sys.float_info.max
"""Compared with, since that tells infinite and NaN from a number in Python and in polars alike."""

VOLUME_NOISE: Final = 1e-8
"""Base units; the last of Kraken's eight decimals, so a smaller difference is float noise."""
VOLUME_NOISE_SHARE: Final = 1e-12
"""Beside it, that share of a volume is noise: a double holds 16 digits, so not the eighth decimal of a huge
volume, and in a sum of doubles, as the archive has them, the last digits wander."""

SUM_NOISE_SHARE: Final = 1e-9
"""Beside that, the volumes of many candles, summed up, may differ by this share."""

OHLC: Final = "ohlc"
TRADES: Final = "trades"
ARCHIVE: Final = "archive"
PROVISIONAL: Final = "archive_provisional"
"""The last day of a release, or of a file that names none, whose last candle is often short of a few trades;
and rows of a file that nothing has identified yet."""
IMPORTED: Final = "imported"
"""Brought over from the Celery application, which proved nothing of what it stored."""

IDENTIFIED: Final = (OHLC, TRADES, ARCHIVE)
"""Sources known to belong to the series they are stored in: only these contradict others."""

FIGURES: Final = (*PRICES, "volume", "trades")
"""What two versions of a candle are compared by; a vwap only where both have one."""


def requirements(figures: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """Return what must hold of a traded candle: the one table of soundness, for all sources.

    The vwap is not in it: one that lies outside of low and high is absent, and spoils nothing else.

    :param figures: ``open``, ``high``, ``low``, ``close`` in quote units, ``volume`` in base units,
        ``trades``; numbers, or polars expressions
    :return: each requirement, a bool or an expression, with what is wrong when it does not hold; the first
        that does not hold is to be reported
    """
    sums = (*PRICES, "volume")
    opened, high, low, close, volume = (figures[name] for name in sums)
    trades = figures["trades"]
    found = [((figures[n] >= -LARGEST) & (figures[n] <= LARGEST), f"{n} is not finite") for n in sums]
    for name in PRICES:
        found.append((figures[name] > 0, f"{name} is not above zero"))
        found.append((figures[name] <= HIGHEST_PRICE, f"{name} is impossibly high"))
    return [
        *found,
        (volume > 0, "volume is not above zero"),
        (volume <= LARGEST_VOLUME, "volume is impossibly large"),
        (trades >= 1, "trades is less than one"),
        (trades <= MOST_TRADES, "trades is impossibly large"),
        ((high >= opened) & (high >= close) & (high >= low), "high is not the highest"),
        ((low <= opened) & (low <= close), "low is not the lowest"),
    ]


def fault_of(figures: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the figures of a traded candle, or None.

    :param figures: numbers, see :func:`requirements`
    """
    return next((what for holds, what in requirements(figures) if not holds), None)


@dataclass(frozen=True, slots=True)
class Candle:
    """One bucket of an OHLC answer; ``trades == 0`` marks a bucket without trades.

    :ivar ts_s: open time, epoch seconds UTC, a multiple of the interval's seconds
    :ivar open: price of the first trade, quote units
    :ivar high: highest price, quote units
    :ivar low: lowest price, quote units
    :ivar close: price of the last trade, quote units
    :ivar vwap: volume-weighted price, truncated to the pair's decimals; zero without trades
    :ivar volume: base units, >= 0
    :ivar trades: number of trades, >= 0
    """

    ts_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    trades: int


class OddRow(NamedTuple):
    """A row of an OHLC answer that cannot be used.

    :ivar what: the row and why, a sentence
    :ivar ts_s: open time of the bucket it touches, epoch seconds UTC; None when its time cannot be read, so
        that any bucket without a row may be the one
    """

    what: str
    ts_s: int | None


def volume_noise(one: Any, other: Any) -> Any:
    """Return by how much two volumes may differ and still be the same one: the one rule for all sources.

    :param one: base units, >= 0; a number, or a polars expression
    :param other: likewise; which is which does not matter
    :return: base units, > 0
    """
    return VOLUME_NOISE + VOLUME_NOISE_SHARE / 2 * (one + other)


def says_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
    """Return whether two versions of a candle say the same: the one equality, for all sources.

    Prices and trades are compared exactly, prices after conversion to double; volumes with
    :func:`volume_noise`.

    :param one: :data:`FIGURES` by name; numbers, or polars expressions
    :param other: likewise
    :return: a bool, or an expression
    """
    same = abs(one["volume"] - other["volume"]) <= volume_noise(one["volume"], other["volume"])
    for name in (*PRICES, "trades"):
        same = same & (one[name] == other[name])
    return same


def vwap_within(low: float, vwap: float | None, high: float) -> float | None:
    """Return a volume-weighted price, or None when it lies outside of the candle, or there is none.

    :param low: quote units
    :param vwap: quote units
    :param high: quote units
    """
    return vwap if vwap is not None and low <= vwap <= high else None


@dataclass(frozen=True, slots=True)
class StoredCandle:
    """One traded candle as it stands in QuestDB.

    :ivar ts_s: open time, epoch seconds UTC
    :ivar open: quote units
    :ivar high: quote units
    :ivar low: quote units
    :ivar close: quote units
    :ivar vwap: quote units, within low and high; None when the source has none (the archive), or an odd one
    :ivar volume: base units, > 0
    :ivar trades: number of trades, >= 1
    :ivar source: one of :data:`kraken_ohlcv.core.restatement.SOURCE_RANK`
    :ivar stored_us: moment of the write that made the row what it is, by the ledger's clock, epoch
        microseconds; None = before records began, or not stored yet. Two candles are equal whatever it is
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
    stored_us: int | None = field(default=None, compare=False)

    def figures(self) -> dict[str, Any]:
        """Return what is compared and logged: every field but times and source."""
        fields = asdict(self)
        return {name: value for name, value in fields.items() if name not in {"ts_s", "source", "stored_us"}}

    def equals(self, other: StoredCandle) -> bool:
        """Return whether two versions of a candle say the same, see :func:`says_same`.

        :param other: candle with the same open time
        :return: True when nothing but float noise, the source, or a vwap that only one of them has differs
        """
        vwaps = {self.vwap, other.vwap} - {None}
        return (
            self.ts_s == other.ts_s
            and len(vwaps) < 2  # noqa: PLR2004 (two of them differ)
            and bool(says_same(self.figures(), other.figures()))
        )


def from_ohlc(candle: Candle) -> StoredCandle:
    """Return the row to store for a candle of an OHLC answer.

    :param candle: a traded candle as Kraken sent it
    :return: the same figures as doubles, source ``ohlc``; a vwap outside of the candle is left out
    """
    low, high = float(candle.low), float(candle.high)
    return StoredCandle(
        ts_s=candle.ts_s,
        open=float(candle.open),
        high=high,
        low=low,
        close=float(candle.close),
        vwap=vwap_within(low, float(candle.vwap), high),
        volume=float(candle.volume),
        trades=candle.trades,
        source=OHLC,
    )
