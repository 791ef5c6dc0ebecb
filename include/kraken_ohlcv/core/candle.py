"""Stored candles: one rank of sources, one equality, one rule for replacing a candle by another version.

What is said here of two versions holds for numbers and for polars expressions alike, so that an archive of
millions of rows is judged by the same lines as one candle. What a sound candle is, says
:func:`requirements`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from enum import Enum
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

CONFIRM_AFTER_S: Final = 1800
"""A version, or an absence in a busy series, seen this long ago and seen again is believed, seconds."""

OHLC: Final = "ohlc"
TRADES: Final = "trades"
ARCHIVE: Final = "archive"
PROVISIONAL: Final = "archive_provisional"
"""The last day of a release, or of a file that names none, whose last candle is often short of a few trades;
and rows of a file that nothing has identified yet."""
IMPORTED: Final = "imported"
"""Brought over from the Celery application, which proved nothing of what it stored."""

SOURCE_RANK: Final = {PROVISIONAL: 0, IMPORTED: 0, OHLC: 1, ARCHIVE: 1, TRADES: 2}
"""Every source there is, and which may replace which: never a higher rank by a lower one."""
HIGHEST_RANK: Final = max(SOURCE_RANK.values())
"""Also that of a source that is none of ours: somebody wrote it by hand, and it is left alone."""
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


def is_fuller(one: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
    """Return whether a version has more trades than another, or as many and more volume.

    :param one: :data:`FIGURES` by name; numbers, or polars expressions
    :param other: likewise
    :return: a bool, or an expression
    """
    noise = volume_noise(one["volume"], other["volume"])
    has_more = (one["trades"] == other["trades"]) & (one["volume"] - other["volume"] > noise)
    return (one["trades"] > other["trades"]) | has_more


def rank_of(source: str) -> int:
    """Return the rank of a source, 0 to :data:`HIGHEST_RANK`.

    :param source: as stored
    """
    return SOURCE_RANK.get(source, HIGHEST_RANK)


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
    :ivar source: one of :data:`SOURCE_RANK`
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


class Restatement(Enum):
    """What to do with a version of a candle that differs from the stored one."""

    REPLACE = "replace"
    """The new version is of a stronger source, or fuller, or has been seen long enough and is borne out."""
    REMEMBER = "remember"
    """Wait: two of Kraken's backends may disagree, and must not flip a row to and fro."""
    IGNORE = "ignore"
    """The stored candle says the same, or comes from a stronger source."""


def completed(stored: StoredCandle, seen: StoredCandle) -> StoredCandle | None:
    """Return a stored candle with what another source that says the same adds to it.

    That is a missing volume-weighted price, even from a weaker source; and the source itself, when
    the candle was only provisional or imported. Nothing is restated.

    :param stored: what QuestDB holds
    :param seen: what another source says, same open time
    :return: the candle to store, or None when nothing is to be added or anything else differs
    """
    if not seen.equals(stored):
        return None
    vwap = seen.vwap if stored.vwap is None else stored.vwap
    is_confirmed = rank_of(stored.source) == 0 < rank_of(seen.source)
    is_taken = is_confirmed or (stored.vwap is None and rank_of(seen.source) > rank_of(stored.source))
    whole = replace(seen if is_taken else stored, vwap=vwap)
    return None if whole == stored else whole


def judge_restatement(
    stored: StoredCandle,
    seen: StoredCandle,
    *,
    first_seen_s: int | None,
    now_s: int,
    is_borne_out: bool = False,
    is_suspect: bool = False,
) -> Restatement:
    """Decide between a stored candle and another version of it.

    :param stored: what QuestDB holds
    :param seen: what a source says now, same open time
    :param first_seen_s: when this very version was first seen, epoch seconds UTC, or None if never before
    :param is_borne_out: whether the stored candles of another interval agree with the version; asked for only
        where it says less than the stored one
    :param is_suspect: whether the stored candle fails the comparison with other intervals, and the version
        does not, see :func:`kraken_ohlcv.stores.suspects.suspects`
    :return: the decision
    Rule: committed candles of Kraken still change and differ between its backends; a version with more
    trades is the more complete one, any other must be seen again :data:`CONFIRM_AFTER_S` later, and one that
    says less must be borne out, too. A stronger source is believed at once; of a candle that is not that of
    its series, any identified source is.
    """
    if is_suspect and seen.source in IDENTIFIED and not seen.equals(stored):
        return Restatement.REPLACE
    rank, rank_stored = rank_of(seen.source), rank_of(stored.source)
    if rank < rank_stored or seen.equals(stored):
        return Restatement.IGNORE
    if rank > rank_stored or is_fuller(seen.figures(), stored.figures()):
        return Restatement.REPLACE
    if not is_ripe(first_seen_s, now_s=now_s):
        return Restatement.REMEMBER
    if is_fuller(stored.figures(), seen.figures()) and not is_borne_out:
        return Restatement.REMEMBER
    return Restatement.REPLACE


def is_ripe(first_seen_s: int | None, *, now_s: int) -> bool:
    """Return whether what was seen before and is seen again may be believed.

    :param first_seen_s: epoch seconds UTC, or None if it is seen for the first time
    """
    return first_seen_s is not None and now_s - first_seen_s >= CONFIRM_AFTER_S
