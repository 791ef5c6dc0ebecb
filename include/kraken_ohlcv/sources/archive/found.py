"""What a run finds in its folders and zips: files to ingest, files of no interest, files that are lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kraken_ohlcv.core.intervals import WITNESS_INTERVALS
from kraken_ohlcv.sources.archive.members import Archive, Member, file_name
from kraken_ohlcv.sources.archive.names import may_be_wanted
from kraken_ohlcv.sources.archive.parse import printable

MOST_EXAMPLES: Final = 5
CURE: Final = (
    "it may be one that was requested, so download it again, or put it into the folder under its own name"
)


@dataclass(slots=True)
class Found:
    """What a run finds, container by container.

    Rule: what could be a wanted series is never passed over in a run that succeeds.

    :ivar tickers: wanted
    :ivar intervals: wanted, minutes
    :ivar only: base name of the one file asked for, or None
    :ivar members: files to ingest
    :ivar lost: what may be wanted and cannot be read, with the reason and the cure; an error of the run
    :ivar passed_over: what is not wanted and is not read, with the reason
    :ivar n_others: readable files of other series
    :ivar warnings: a sentence each
    """

    tickers: Sequence[str]
    intervals: Sequence[int]
    only: str | None = None
    members: list[Member] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)
    n_others: int = 0
    warnings: list[str] = field(default_factory=list)

    def add(self, archive: Archive, *, is_published: bool) -> None:
        """Add what a folder or zip holds, the wanted files in the order of the tickers.

        :param archive: open
        :param is_published: whether it is as the exchange publishes it
        :raises ArchiveRefusedError: if it cannot be read
        """
        contents = archive.contents()
        chosen = [member for member in contents.members if self._is_wanted(member)]
        order = {ticker: place for place, ticker in enumerate(self.tickers)}
        chosen.sort(key=lambda member: (order.get(member.series.ticker, 0), member.series))
        self.members += [
            replace(member, is_published=is_published, witnesses=contents.witnesses_of(member))
            for member in chosen
        ]
        if self.only is not None:
            return
        readable = [one for one in contents.members if one.series.interval_minutes not in WITNESS_INTERVALS]
        self.n_others += len(readable) - len(chosen)
        for path, why in contents.unopened.items():
            self.lost[printable(file_name(archive.name, path))] = printable(why)
        for path, why in contents.passed_over.items():
            full_name = printable(file_name(archive.name, path))
            if may_be_wanted(path, self.tickers, self.intervals):
                self.lost[full_name] = f"{printable(why)}; {CURE}"
            else:
                self.passed_over[full_name] = printable(why)

    def _is_wanted(self, member: Member) -> bool:
        if self.only is not None:
            return member.path == self.only
        return member.series.interval_minutes in self.intervals and member.series.ticker in self.tickers

    def not_found(self, tickers: Iterable[str]) -> list[str]:
        """Return a sentence for each ticker that was asked for by name and has no file.

        :param tickers: asked for by name
        """
        if self.lost:
            return []  # it may be among those, which are errors of the run themselves
        there = {member.series.ticker for member in self.members}
        lengths = ", ".join(map(str, self.intervals))
        return [
            f"ticker {ticker}: there is no file of it with candles of {lengths} minutes"
            for ticker in tickers
            if ticker not in there
            and not any(may_be_wanted(name, [ticker], self.intervals) for name in self.lost)
        ]

    def skipped(self) -> list[dict[str, Any]]:
        """Return what was passed over, by reason: how many files, and some of their names."""
        by_reason: dict[str, list[str]] = defaultdict(list)
        for name, reason in self.passed_over.items():
            by_reason[reason].append(name)
        return [
            {"reason": reason, "files": len(names), "examples": names[:MOST_EXAMPLES]}
            for reason, names in sorted(by_reason.items())
        ]
