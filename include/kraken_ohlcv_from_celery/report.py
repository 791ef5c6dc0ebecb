"""What an import says of each series: how many rows went which way, and the first of each kind of problem."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from kraken_ohlcv.core.gap import Series


@dataclass(slots=True)
class Report:
    """What was, or would be, done with the rows of a series.

    :ivar series: ticker and interval here
    :ivar remarks: the first of every kind of problem, a sentence each
    :ivar rows: rows read
    """

    series: Series
    remarks: dict[str, str] = field(default_factory=dict)
    rows: int = 0

    def remark(self, what: str, first: str) -> None:
        """Name the first row of a kind of problem.

        :param what: the kind
        :param first: which row, as the end of a sentence
        """
        self.remarks.setdefault(what, f"{self.series}: {what}, the first {first}")

    def lines(self) -> list[str]:
        """Return the report as text: what is not zero, then the remarks."""
        counts = [(one.name, getattr(self, one.name)) for one in fields(self)]
        numbers = [f"{name} {value}" for name, value in counts if isinstance(value, int) and value]
        return [f"{self.series}: {', '.join(numbers)}", *(f"  {text}" for text in self.remarks.values())]
