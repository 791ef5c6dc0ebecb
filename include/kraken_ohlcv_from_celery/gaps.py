"""From the old table of gap records to the ledger, which believes the candles and not the records.

* A record that says FILLED becomes history, with its stamps, if every candle of it is stored here.
* Of an open record the part that is still missing becomes an open gap, detected when the old system saw it;
  the next backfill decides whether the API still serves it. What is stored by now needs no record.
* The old task took the moment of its run for the end of a gap, and local midnight for the start of a daily
  one: such records are cut to the grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from typing import Any, Final

from psycopg import sql

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import GapStatus, Series, candles_from_today, missing_candles, overflow_candles
from kraken_ohlcv.core.grid import expiry_s, series_start_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.detection.snapshot import snapshot
from kraken_ohlcv.stores.bulk import scan_series
from kraken_ohlcv.stores.ledger.series_state import (
    SeriesState,
    bump_revision,
    locked_state,
    read_states,
)
from kraken_ohlcv.stores.ledger.session import Connection, Row, connect, execute, fetch
from kraken_ohlcv_from_celery.mapping import GapSource, Mapping, check_assets, check_columns, check_interval
from kraken_ohlcv_from_celery.report import LeftBehind, Report

CURSOR_ROWS: Final = 5000
STATES: Final = {status.value for status in GapStatus}


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


def check_gaps(old_dsn: str, mapping: Mapping, source: GapSource) -> LeftBehind:
    """Refuse a mapping that does not fit the old table, before anything is written.

    :param old_dsn: libpq DSN of the database with the old table
    :param mapping: the mapping
    :param source: its part about gap records
    :return: what is left behind
    :raises MappingError: if a column, an asset or an interval does not fit
    """
    names = source.columns
    with connect(old_dsn) as old:
        shown = old.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (source.table,)
        )
        check_columns(source.table, names.values(), [row["column_name"] for row in shown.fetchall()])
        found = old.execute(
            sql.SQL("SELECT {} AS asset_id, {} AS minutes, count(*) AS n_rows FROM {} GROUP BY 1, 2").format(
                sql.Identifier(names["asset_id"]),
                sql.Identifier(names["interval_minutes"]),
                sql.Identifier(source.table),
            )
        ).fetchall()
    there = {(row["asset_id"], source.quote) for row in found}
    check_assets(mapping, source.table, there, is_complete=False)
    left = LeftBehind()
    for row in found:
        if mapping.ticker(row["asset_id"], source.quote) is None:
            left.add(f"asset {row['asset_id']} in {source.quote}", row["n_rows"])
        elif not check_interval(mapping, source.table, row["minutes"]):
            left.add(f"interval {row['minutes']}", row["n_rows"])
    return left


def import_gaps(
    old_dsn: str,
    connection: Connection,
    questdb: QuestDBClient,
    mapping: Mapping,
    source: GapSource,
    *,
    coming: dict[Series, list[Range]],
    now_s: int,
) -> Iterator[GapReport]:
    """Bring all gap records over, series by series.

    :param old_dsn: libpq DSN of the database with the old table, which :func:`check_gaps` has looked at
    :param questdb: client of the candle store, after the candles were brought over
    :param mapping: the mapping
    :param source: its part about gap records
    :param coming: ranges of the candles that were brought over, or would have been
    :return: a report per series
    """
    names = source.columns
    with connect(old_dsn) as old, old.transaction():
        columns = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(sql.Identifier(column), sql.Identifier(name))
            for name, column in names.items()
        )
        everything = sql.SQL("SELECT {} FROM {} ORDER BY {}, {}, {}").format(
            columns,
            sql.Identifier(source.table),
            sql.Identifier(names["asset_id"]),
            sql.Identifier(names["interval_minutes"]),
            sql.Identifier(names["gap_start"]),
        )
        with old.cursor(name="old_gaps") as cursor:
            cursor.itersize = CURSOR_ROWS
            rows = cursor.execute(everything)
            for (asset_id, minutes), group in groupby(
                rows, key=lambda row: (row["asset_id"], row["interval_minutes"])
            ):
                ticker = mapping.ticker(asset_id, source.quote)
                if ticker is None or minutes in mapping.ignore_intervals:
                    continue
                report = GapReport(Series(ticker, minutes))
                _import_series(connection, questdb, report, group, coming.get(report.series, []), now_s=now_s)
                yield report


def _import_series(
    connection: Connection,
    questdb: QuestDBClient,
    report: GapReport,
    rows: Iterable[Row],
    coming: list[Range],
    *,
    now_s: int,
) -> None:
    series, minutes = report.series, report.series.interval_minutes
    scan = scan_series(questdb, series, now_s=now_s)
    span = scan.spans.get(series)
    stored = [(span.first_s, span.last_s)] if span else []
    state = read_states(connection, [series.ticker], [minutes]).get(series)
    start_s = series_start_s(
        known_s=state.start_s if state else None,
        oldest_s=min((start for start, _ in [*stored, *coming]), default=None),
        first_trade_s=None,
        now_s=now_s,
        interval_minutes=minutes,
    )
    if state is None or state.start_s != start_s:
        revision = state.revision if state else None
        execute(connection, "set_series_start", series, start_s=start_s, revision=revision)
    with locked_state(connection, series) as state:
        missing = snapshot(scan, state, delisted_s=None, now_s=now_s).missing(state)
        wanted = _sort(report, rows, ranges.subtract(missing, coming), state)
        for values in wanted:
            fields = _fields(series, values)
            if not fetch(connection, "insert_imported_gap", **fields):
                report.known += 1
                if values["status"] == GapStatus.FILLED:
                    report.history -= 1
                else:
                    report.open -= 1
        bump_revision(connection, state.series_id)


def _sort(
    report: GapReport, rows: Iterable[Row], missing: list[Range], state: SeriesState
) -> list[dict[str, Any]]:
    """Return what is to be recorded, and count everything else."""
    step = step_s(report.series.interval_minutes)
    taken = [gap.range for gap in state.gaps]
    wanted: list[dict[str, Any]] = []
    for row in rows:
        report.rows += 1
        covered = _range_of(row, step)
        if covered is None or row["status"] not in STATES or row["detected_at"] is None:
            report.refused += 1
            report.remark(
                "records whose start, end and number of candles contradict each other",
                f"begins {row['gap_start']}",
            )
        elif row["status"] == GapStatus.FILLED:
            if ranges.intersect([covered], missing) or row["filled_at"] is None:
                report.unproven += 1
                report.remark("records say FILLED, but candles are missing", f"begins {row['gap_start']}")
            else:
                report.history += 1
                wanted.append({**row, "range": covered})
        else:
            parts = ranges.subtract(ranges.intersect([covered], missing), taken)
            was_known = bool(ranges.intersect(ranges.intersect([covered], missing), taken))
            report.known += was_known and not parts
            report.stored += not parts and not was_known
            taken += parts
            report.open += len(parts)
            wanted += [
                {**row, "status": GapStatus.DETECTED, "filled_at": None, "range": part} for part in parts
            ]
    return wanted


def _range_of(row: Row, step: int) -> Range | None:
    """Return the half-open range of a record, cut to the grid, or None when it covers no candle.

    Where start and end are whole candles apart, ``gap_end`` may name the last one or the one after it, which
    the number tells; another end is a moment within a bucket that had not closed.
    """
    start_s, end_s = _epoch(row["gap_start"]), _epoch(row["gap_end"])
    start, end = int(start_s // step * step), int(end_s // step * step)
    if (end_s - start_s) % step:
        return (start, end) if start < end else None
    ends = (one for one in (end, end + step) if (one - start) // step == row["missing_candles"] > 0)
    return next(((start, one) for one in ends), None)


def _epoch(moment: Any) -> float:
    """Return epoch seconds; Django and SQLAlchemy both store naive times in UTC."""
    return float((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _fields(series: Series, values: dict[str, Any]) -> dict[str, Any]:
    start_s, end_s = values["range"]
    minutes = series.interval_minutes
    detected_s = _epoch(values["detected_at"])
    attempted, filled = values["backfill_attempted_at"], values["filled_at"]
    return {
        **series._asdict(),
        "start_s": start_s,
        "end_s": end_s,
        "missing_candles": missing_candles(start_s, end_s, minutes),
        "overflow_candles": overflow_candles(start_s, int(detected_s), minutes),
        "candles_from_today": candles_from_today(start_s, int(detected_s), minutes),
        "status": values["status"],
        "detected_s": detected_s,
        "attempted_s": None if attempted is None else _epoch(attempted),
        "filled_s": None if filled is None else _epoch(filled),
        "error_message": None if values["status"] == GapStatus.FILLED else values["error_message"],
        "attempts": 0 if attempted is None else 1,
        "expires_s": expiry_s(start_s, minutes),
    }
