"""What a statement cannot know or does not prove, and how somebody checks the rest; in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.core.wording import counted, duration, named
from kraken_ohlcv.statement.facts import PROVISIONAL, Facts, SeriesFacts
from kraken_ohlcv.stores.queries import MICROSECONDS

KEPT_DAYS: Final = 90
"""The weekly clean-up deletes what ended longer ago, unless its param says otherwise."""

MOST_TICKERS: Final = 20
"""Tickers that a command names."""

UNPROVEN_WORDS: Final[Mapping[str, str]] = {
    "missing": "neither stored nor proven empty",
    "archive_provisional": "stored from an archive file that nothing has identified yet",
    "imported": "imported from another system, and not confirmed by the exchange yet",
    "disputed": "stored where trades prove that nothing traded",
    "before_start": "before the series begins; nobody loaded it, and it is not counted as due",
}
"""What is unproven, in words."""


def unproven(series: Sequence[SeriesFacts]) -> list[dict[str, Any]]:
    """Return the buckets about which nothing is sure, a line per series and reason.

    :return: ``ticker``, ``interval``, ``what`` (a key of :data:`UNPROVEN_WORDS`), ``buckets``
    """
    found = []
    for one in series:
        parts = {
            "missing": one.missing,
            **{source: one.stored.get(source, 0) for source in PROVISIONAL},
            "disputed": one.disputed,
            "before_start": one.before_start,
        }
        key = {"ticker": one.series.ticker, "interval": one.series.interval_minutes}
        found += [{**key, "what": what, "buckets": n} for what, n in parts.items() if n]
    return found


def unknown(facts: Facts) -> list[str]:
    """Return what the statement cannot know, a sentence each."""
    return [
        *_before_records(facts),
        *_deleted(facts),
        *_of_the_tier(facts),
        *_not_over(facts),
        *_not_sealed(facts),
    ]


def _before_records(facts: Facts) -> Iterator[str]:
    period, began_s = facts.period, facts.records_began_us // MICROSECONDS
    if period.start_s < began_s:
        part = "all of the range" if period.end_s <= began_s else f"the range up to {iso(began_s)}"
        yield (
            f"Gaps, incidents, restatements and decisions of {part}, but for those listed: unknown: before "
            f"records began ({iso(began_s)})."
        )


def _deleted(facts: Facts) -> Iterator[str]:
    if facts.rolled_up:
        gaps, candles = (sum(getattr(one, name) for one in facts.rolled_up) for name in ("gaps", "candles"))
        lost = f"{counted(gaps, 'gap record')} ({counted(candles, 'candle')})"
        yield (
            f"The clean-up has deleted {lost} closed in {facts.rolled_up[0].month} or later: which of them "
            "lay in this range is unknown."
        )
    forgotten_s = facts.made_s - KEPT_DAYS * DAY_S
    if facts.period.start_s < forgotten_s:
        yield (
            f"The clean-up deletes incidents {KEPT_DAYS} days after their end, or as its param says: those "
            f"that ended before {utc(forgotten_s).date()} are unknown, but for those listed."
        )


def _of_the_tier(facts: Facts) -> Iterator[str]:
    yield (
        "Which assets the tier held earlier is not recorded: the statement is about those that it holds now, "
        "and judges by the targets of now."
    )
    if facts.left:
        yield (
            f"Reports of the range counted {counted(len(facts.left), 'series')} in this tier that it "
            f"does not keep now; they are left out here: {named([str(one) for one in facts.left])}."
        )


def _not_over(facts: Facts) -> Iterator[str]:
    if facts.made_s < facts.period.end_s:
        rest = duration(facts.period.end_s - facts.made_s)
        yield f"The range is not over: {rest} of it had not passed when this was made."
    if pending := facts.total("pending"):
        is_or_are = "was" if pending == 1 else "were"
        yield (
            f"{counted(pending, 'bucket')} had closed and {is_or_are} not due yet; no figure counts them as "
            "missing."
        )


def _not_sealed(facts: Facts) -> Iterator[str]:
    if facts.seals.unreadable:
        entries = named([f"{number:,}" for number in facts.seals.unreadable])
        yield (
            f"The log of seals was altered: entry {entries} cannot be read any more, so no root is shown; "
            "kraken-ohlcv verify names what else differs."
        )
    unsealed = sum(day.unsealed for day in facts.seals.days)
    if unsealed:
        is_or_are = "is" if unsealed == 1 else "are"
        yield (
            f"{counted(unsealed, 'day')} of single series {is_or_are} due and not sealed: no seal can show "
            "whether they were altered."
        )


def how_to_verify(facts: Facts) -> list[dict[str, str]]:
    """Return the commands that check the statement, with what each of them does."""
    start, end = (utc(moment_s).date() for moment_s in facts.period)
    tickers = list(dict.fromkeys(one.series.ticker for one in facts.series))
    intervals = sorted({one.series.interval_minutes for one in facts.series})
    lengths = " ".join(f"--interval {interval}" for interval in intervals)
    are_few = len(tickers) <= MOST_TICKERS
    named_here = " ".join(tickers) if are_few else "TICKERS"
    span = f"{lengths} --from {start} --to {end}"
    again = {
        "command": f"kraken-ohlcv statement {facts.tier} --from {start} --to {end} --json",
        "what": "Counts everything again in both stores; what has changed since has other figures.",
    }
    head = facts.seals.head
    if head is None:
        return [again]
    return [
        {
            "command": " ".join([
                "kraken-ohlcv verify",
                *(tickers if are_few else ()),
                span,
                "--root",
                head.hash,
            ]),
            "what": "Compares both stores with the seals of the range, and the log with the head in here.",
        },
        {
            "command": f"kraken-ohlcv export FOLDER {named_here} {span}",
            "what": "Exports the candles with their seals, for somebody without the stores.",
        },
        {
            "command": "python verify_offline.py FOLDER",
            "what": "Checks that export with Python alone; docs/SEALS.md says which roots it takes.",
        },
        again,
    ]
