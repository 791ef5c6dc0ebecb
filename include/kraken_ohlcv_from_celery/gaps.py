"""From the old table of gap records to the ledger, which believes the candles and not the records.

* A record that says FILLED becomes history, with its stamps, if every candle of it is stored here.
* Of an open record the part that is still missing becomes an open gap, detected when the old system saw it;
  the next backfill decides whether the API still serves it. What is stored by now needs no record.
* The old task took the moment of its run for the end of a gap, and local midnight for the start of a daily
  one: such records are cut to the grid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from psycopg import sql
from psycopg.rows import class_row

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import (
    GapPart,
    GapStatus,
    Series,
    candles_from_today,
    overflow_candles,
    parts_of,
)
from kraken_ohlcv.core.grid import api_window_start_s, closed_range, expiry_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.coverage import read_months, save
from kraken_ohlcv.stores.ledger.series_state import bump_revision, locked_state, register_series
from kraken_ohlcv.stores.ledger.session import Connection, connect, execute
from kraken_ohlcv.stores.stored_buckets import read_open_times, read_spans
from kraken_ohlcv_from_celery.mapping import GapSource, Mapping
from kraken_ohlcv_from_celery.report import Report

CURSOR_ROWS: Final = 5000
STATES: Final = {status.value for status in GapStatus}
TIMES: Final = {
    "gap_start": "start_s",
    "gap_end": "end_s",
    "detected_at": "detected_s",
    "backfill_attempted_at": "attempted_s",
    "filled_at": "filled_s",
}
"""Field of :class:`Record` by the mapping's name."""
NUMBERS: Final = {"asset_id", "interval_minutes", "missing_candles"}


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the old table; its times are epoch seconds UTC."""

    asset_id: int
    interval_minutes: int
    start_s: float
    end_s: float
    missing_candles: int
    status: str
    detected_s: float | None
    attempted_s: float | None
    filled_s: float | None
    error_message: str | None

    def range(self) -> Range | None:
        """Return the half-open range of the record, cut to the grid, or None when it covers no candle.

        Where start and end are whole candles apart, ``gap_end`` may name the last one or the one after it,
        which the number tells; another end is a moment within a bucket that had not closed.
        """
        step = step_s(self.interval_minutes)
        start, end = int(self.start_s // step * step), int(self.end_s // step * step)
        if (self.end_s - self.start_s) % step:
            return (start, end) if start < end else None
        ends = (one for one in (end, end + step) if (one - start) // step == self.missing_candles > 0)
        return next(((start, one) for one in ends), None)


@dataclass(slots=True)
class GapReport(Report):
    """What was, or would be, done with the gap records of a series.

    :ivar history: FILLED records kept as history
    :ivar unproven: records that say FILLED although candles are missing: not kept
    :ivar open: open gaps recorded
    :ivar stored: open records with nothing missing any more, or outside of the series
    :ivar known: records that were brought over before
    :ivar refused: records that contradict themselves
    """

    history: int = 0
    unproven: int = 0
    open: int = 0
    stored: int = 0
    known: int = 0
    refused: int = 0


def _records(source: GapSource) -> sql.Composed:
    """Return the statement that reads the old table, with the fields of :class:`Record`.

    Django and SQLAlchemy both store naive times in UTC, which is how PostgreSQL takes them here.
    """
    time, number, text = map(
        sql.SQL, ("extract(epoch FROM {})::float8 AS {}", "{}::bigint AS {}", "{} AS {}")
    )
    columns = [
        (time if name in TIMES else number if name in NUMBERS else text).format(
            sql.Identifier(column), sql.Identifier(TIMES.get(name, name))
        )
        for name, column in source.columns.items()
    ]
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), sql.Identifier(source.table))


def check_gaps(old_dsn: str, mapping: Mapping, source: GapSource) -> Counter[str]:
    """Refuse a mapping that does not fit the old table, before anything is written.

    :param old_dsn: libpq DSN of the database with the old table
    :param mapping: the mapping
    :param source: its part about gap records
    :return: what is left behind
    :raises MappingError: if a column, an asset or an interval does not fit
    """
    with connect(old_dsn) as old:
        shown = old.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (source.table,)
        )
        source.check_columns([row["column_name"] for row in shown])
        counted = sql.SQL("SELECT asset_id, interval_minutes, count(*) AS n FROM ({}) AS old GROUP BY 1, 2")
        groups = old.execute(counted.format(_records(source))).fetchall()
    mapping.check_assets(source.table, [(row["asset_id"], source.quote) for row in groups], is_complete=False)
    left: Counter[str] = Counter()
    for row in groups:
        why = mapping.left_behind(source.table, row["asset_id"], source.quote, row["interval_minutes"])
        if why is not None:
            left[why] += row["n"]
    return left


def import_gaps(
    old_dsn: str,
    connection: Connection,
    questdb: QuestDBClient,
    mapping: Mapping,
    source: GapSource,
    *,
    coming: dict[Series, BucketSet],
    now_s: int,
) -> Iterator[GapReport]:
    """Bring all gap records over, series by series.

    :param old_dsn: libpq DSN of the database with the old table, which :func:`check_gaps` has looked at
    :param questdb: client of the candle store, after the candles were brought over
    :param mapping: the mapping
    :param source: its part about gap records
    :param coming: buckets whose candles were brought over, or would have been
    :return: a report per series
    """
    ordered = sql.SQL("{} ORDER BY asset_id, interval_minutes, start_s").format(_records(source))
    tickers = mapping.tickers()
    with (
        connect(old_dsn) as old,
        old.transaction(),
        old.cursor(name="old_gaps", row_factory=class_row(Record)) as cursor,
    ):
        cursor.itersize = CURSOR_ROWS
        records = groupby(cursor.execute(ordered), key=lambda one: (one.asset_id, one.interval_minutes))
        for (asset_id, minutes), group in records:
            if mapping.left_behind(source.table, asset_id, source.quote, minutes) is None:
                report = GapReport(Series(tickers[asset_id, source.quote], minutes))
                _import_series(connection, questdb, report, group, coming.get(report.series), now_s=now_s)
                yield report


def _import_series(
    connection: Connection,
    questdb: QuestDBClient,
    report: GapReport,
    records: Iterable[Record],
    coming: BucketSet | None,
    *,
    now_s: int,
) -> None:
    series, minutes = report.series, report.series.interval_minutes
    step = step_s(minutes)
    coming = coming or BucketSet(step)
    span = read_spans(questdb, [series.ticker], minutes, until_s=now_s).get(series.ticker)
    first_opens = [one for one in (span and span[0], coming.start_s) if one is not None]
    oldest_s = min(first_opens, default=now_s)
    register_series(connection, {series: min(oldest_s, api_window_start_s(now_s, minutes))})
    with locked_state(connection, series) as known:
        state = replace(known, start_s=min(oldest_s, known.start_s))
        if state.start_s < known.start_s:
            execute(connection, "set_series_start", state, series)
        expected = closed_range(state.start_s, now_s, minutes)
        stored, _ = read_open_times(questdb, {series: months_in([expected])})
        coverage = read_months(connection, series, [expected])
        missing = BucketSet.of_ranges([expected], step=step) - stored[series] - coverage.empty.all - coming
        taken = BucketSet.of_ranges((gap.range for gap in state.gaps), step=step)
        new = _record(connection, report, records, missing, taken)
        coverage.missing |= new
        coverage.read_again(new)
        save(connection, [coverage], run=None, now_s=now_s)
        bump_revision(connection, state.series_id)


def _record(
    connection: Connection, report: GapReport, records: Iterable[Record], missing: BucketSet, taken: BucketSet
) -> BucketSet:
    """Record what the candles bear out, and count everything.

    :param missing: what the series misses once the candles are here
    :param taken: buckets between the ends of its open gaps
    :return: buckets of the gaps that were recorded
    """
    new = BucketSet(missing.step)
    for record in records:
        report.rows += 1
        covered = record.range()
        begins = f"begins {iso(record.start_s)}"
        if covered is None or record.status not in STATES or record.detected_s is None:
            report.refused += 1
            report.remark("records whose start, end and number of candles contradict each other", begins)
        elif record.status != GapStatus.FILLED:
            absent = missing.within(covered)
            # Open gaps never overlap, not even where one holds nothing that is missing.
            borders = (border for part in taken.within(covered).ranges() for border in part)
            parts = parts_of(absent - taken, borders)
            report.stored += not absent
            report.known += bool(absent) and not parts
            found = replace(record, status=GapStatus.DETECTED, filled_s=None)
            for part in parts:
                is_new = _insert(connection, report.series, found, part, record.detected_s)
                report.open += is_new
                report.known += not is_new
                taken |= BucketSet.of_ranges([part.range], step=missing.step)
                if is_new:
                    new |= missing.within(part.range)
        elif missing.within(covered) or record.filled_s is None:
            report.unproven += 1
            report.remark("records say FILLED, but candles are missing", begins)
        else:
            past = replace(record, error_message=None)
            whole = GapPart(*covered, (covered[1] - covered[0]) // missing.step)
            is_new = _insert(connection, report.series, past, whole, record.detected_s)
            report.history += is_new
            report.known += not is_new
    return new


def _insert(connection: Connection, series: Series, record: Record, part: GapPart, detected_s: float) -> bool:
    """Record a gap with the record's own stamps; return False if that was done before."""
    minutes = series.interval_minutes
    n_rows = execute(
        connection,
        "insert_imported_gap",
        series,
        record,
        **part._asdict(),
        overflow_candles=overflow_candles(part.start_s, int(detected_s), minutes),
        candles_from_today=candles_from_today(part.start_s, int(detected_s), minutes),
        attempts=int(record.attempted_s is not None),
        expires_s=expiry_s(part.start_s, minutes),
    )
    return n_rows > 0
