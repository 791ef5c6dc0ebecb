"""``snapshot``: named moments at which candles can be read again, and whether they still read the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv.core.errors import SnapshotError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.reader.candles import iter_candles
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.stores.ledger.snapshots import Snapshot, find_snapshot, list_reads
from kraken_ohlcv.stores.queries import MICROSECONDS
from kraken_ohlcv_cli.output import print_lines, print_table

COLUMNS: Final = ("snapshot", "as of", "pinned")


@dataclass(frozen=True, slots=True)
class Reread:
    """A range that was read at a snapshot, read again.

    :ivar series: ticker and interval
    :ivar covered: half-open, epoch seconds UTC
    :ivar fault: why it is not the same, or None
    """

    series: Series
    covered: Range
    fault: str | None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON; times are ISO text, UTC."""
        return {
            "ticker": self.series.ticker,
            "interval": self.series.interval_minutes,
            "from": iso(self.covered[0]),
            "to": iso(self.covered[1]),
            "is_same": self.fault is None,
            "fault": self.fault,
        }


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as JSON; times are ISO text, UTC."""
    return {
        "name": snapshot.name,
        "as_of": _moment(snapshot.moment_us),
        "pinned_at": _moment(snapshot.pinned_us),
    }


def show(snapshots: Sequence[Snapshot]) -> None:
    """Print snapshots for people."""
    print_table(COLUMNS, [[one.name, _moment(one.moment_us), _moment(one.pinned_us)] for one in snapshots])


def read_again(stores: Stores, name: str) -> Iterator[Reread]:
    """Read everything again that was read at a snapshot, in bounded memory.

    :param stores: both stores
    :param name: of the snapshot
    :return: by series and range
    :raises SnapshotError: if there is no such snapshot, or nothing was read at it yet
    """
    reads = list_reads(stores.ledger, find_snapshot(stores.ledger, name))
    if not reads:
        raise SnapshotError(
            f"nothing was read at snapshot {name!r} yet with a login that may write: "
            "there is nothing to compare"
        )
    for one in reads:
        start, end = (utc(border_s) for border_s in one.covered)
        fault = None
        try:
            for _ in iter_candles(
                *one.series, start, end, on_missing="mark", columns=[], as_of=name, stores=stores
            ):
                pass
        except SnapshotError as error:
            fault = str(error)
        yield Reread(one.series, one.covered, fault)


def show_reread(found: Sequence[Reread]) -> None:
    """Print for people what was read again."""
    for one in found:
        span = f"{one.series}, {iso(one.covered[0])} to {iso(one.covered[1])}"
        print_lines([f"same  {span}" if one.fault is None else f"WRONG {one.fault}"])


def _moment(moment_us: int) -> str:
    seconds, micros = divmod(moment_us, MICROSECONDS)
    return utc(seconds).replace(microsecond=micros).isoformat()
