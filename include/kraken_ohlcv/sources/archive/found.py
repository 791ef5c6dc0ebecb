"""What a run finds in its folders and zips: files to ingest, files of no interest, files that are lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.sources.archive.members import Unit, file_name, wanted_units
from kraken_ohlcv.sources.archive.names import may_be_wanted
from kraken_ohlcv.sources.archive.parse import printable
from kraken_ohlcv.stores.ledger.archive import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.sources.archive.containers import Contents

MOST_EXAMPLES: Final = 5
CURE: Final = (
    "it may be one that was asked for, so download it again, or put it into the folder under its own name"
)


@dataclass(slots=True)
class Found:
    """What a run finds, container by container.

    Rule: what could be a wanted series is never passed over in a run that succeeds.

    :ivar tickers: wanted
    :ivar intervals: wanted, minutes
    :ivar only: base name of the one file asked for, or None
    :ivar units: files to ingest
    :ivar lost: what may be wanted and cannot be read, with the reason and the cure; an error of the run
    :ivar passed_over: what is not wanted and is not read, with the reason
    :ivar n_others: readable files of other series
    :ivar warnings: a sentence each
    """

    tickers: Sequence[str]
    intervals: Sequence[int]
    only: str | None = None
    units: list[Unit] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)
    n_others: int = 0
    warnings: list[str] = field(default_factory=list)

    def add(self, place: str, container: str, contents: Contents, *, is_published: bool) -> None:
        """Add a container.

        :param place: ``folder`` or ``remote``
        :param container: its name
        :param contents: what is in it
        :param is_published: whether it is as the exchange publishes it
        """
        units, n_others = wanted_units(
            place,
            container,
            contents,
            tickers=self.tickers,
            intervals=self.intervals,
            only=self.only,
            is_published=is_published,
        )
        self.units += units
        if self.only is not None:
            return
        self.n_others += n_others
        for name, why in contents.unopened.items():
            self.lost[printable(file_name(place, container, name))] = printable(why)
        for name, why in contents.passed_over.items():
            full_name = printable(file_name(place, container, name))
            if may_be_wanted(name, self.tickers, self.intervals):
                self.lost[full_name] = f"{printable(why)}; {CURE}"
            else:
                self.passed_over[full_name] = printable(why)

    def not_found(self, tickers: Iterable[str]) -> list[str]:
        """Return a sentence for each ticker asked for by name of which there is no file.

        :param tickers: asked for by name
        """
        if self.lost:
            return []  # it may be among those, which are errors of the run themselves
        there = {unit.series.ticker for unit in self.units}
        lengths = ", ".join(map(str, self.intervals))
        return [
            f"ticker {ticker}: there is no file of it with candles of {lengths} minutes"
            for ticker in tickers
            if ticker not in there
            and not any(may_be_wanted(name, [ticker], self.intervals) for name in self.lost)
        ]

    def lost_sentences(self) -> list[str]:
        """Return what is lost, a sentence each."""
        return [sentence(name, why) for name, why in self.lost.items()]

    def skipped(self) -> list[dict[str, Any]]:
        """Return what was passed over, by reason: how many files, and some of their names."""
        by_reason: dict[str, list[str]] = defaultdict(list)
        for name, reason in self.passed_over.items():
            by_reason[reason].append(name)
        return [
            {"reason": reason, "files": len(names), "examples": names[:MOST_EXAMPLES]}
            for reason, names in sorted(by_reason.items())
        ]
