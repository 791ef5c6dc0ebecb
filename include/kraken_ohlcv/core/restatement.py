"""When a stored candle is replaced by another version of it: one rank of sources, one rule.

The rank holds for numbers and for polars expressions alike, see :mod:`kraken_ohlcv.core.candle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from kraken_ohlcv.core.candle import (
    ARCHIVE,
    IDENTIFIED,
    IMPORTED,
    OHLC,
    PROVISIONAL,
    TRADES,
    StoredCandle,
    volume_noise,
)

CONFIRM_AFTER_S: Final = 1800
"""A version, or an absence in a busy series, seen this long ago and seen again is believed, seconds."""

SOURCE_RANK: Final = {PROVISIONAL: 0, IMPORTED: 0, OHLC: 1, ARCHIVE: 1, TRADES: 2}
"""Every source there is, and which may replace which: never a higher rank by a lower one."""
HIGHEST_RANK: Final = max(SOURCE_RANK.values())
"""Also that of a source that is none of ours: somebody wrote it by hand, and it is left alone."""


def is_fuller(one: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
    """Return whether a version has more trades than another, or as many and more volume.

    :param one: :data:`FIGURES` by name; numbers, or polars expressions
    :param other: likewise
    :return: a bool, or an expression
    """
    noise = volume_noise(one["volume"], other["volume"])
    has_more = (one["trades"] == other["trades"]) & (one["volume"] - other["volume"] > noise)
    return (one["trades"] > other["trades"]) | has_more


def is_better(rank: Any, one: Mapping[str, Any], rank_other: Any, other: Mapping[str, Any]) -> Any:
    """Return whether a version replaces another one at once: of a higher rank, or of the same and fuller.

    :param rank: of the version's source; a number, or a polars expression
    :param one: the version, :data:`FIGURES` by name; numbers, or polars expressions
    :param rank_other: likewise
    :param other: likewise
    :return: a bool, or an expression
    """
    return (rank > rank_other) | ((rank == rank_other) & is_fuller(one, other))


def is_confirmed(rank: Any, rank_stored: Any) -> Any:
    """Return whether a version that says the same as a stored candle takes its place, with its source.

    :param rank: of the version's source; a number, or a polars expression
    :param rank_stored: likewise
    :return: a bool, or an expression
    """
    return (rank_stored == 0) & (rank > 0)


def rank_of(source: str) -> int:
    """Return the rank of a source, 0 to :data:`HIGHEST_RANK`.

    :param source: as stored
    """
    return SOURCE_RANK.get(source, HIGHEST_RANK)


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
    rank, rank_stored = rank_of(seen.source), rank_of(stored.source)
    is_taken = is_confirmed(rank, rank_stored) or (stored.vwap is None and rank > rank_stored)
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
        does not, see :func:`kraken_ohlcv.stores.other_intervals.judged_by_others`
    :return: the decision
    Rule: committed candles of Kraken still change and differ between its backends; a version with more
    trades is the more complete one, any other must be seen again :data:`CONFIRM_AFTER_S` later, and one that
    says less must be borne out, too. A stronger source is believed at once; of a candle that is not that of
    its series, any identified source is.
    """
    if seen.equals(stored):
        return Restatement.IGNORE
    rank, rank_stored = rank_of(seen.source), rank_of(stored.source)
    is_foreign = is_suspect and seen.source in IDENTIFIED
    if is_foreign or is_better(rank, seen.figures(), rank_stored, stored.figures()):
        return Restatement.REPLACE
    if rank < rank_stored:
        return Restatement.IGNORE
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
