"""What tests put into the ledger's coverage months, and read from them, so that no page contradicts a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.sql import SQL, Identifier, Placeholder

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import required_csv_file
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.stores.ledger.coverage import read_coverage, read_months, save

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.coverage import Coverage
    from kraken_ohlcv.stores.ledger.session import Connection

SEEN_S = 1_795_392_000
"""2026-11-23: when a proof of a test was seen, unless it says otherwise, epoch seconds UTC."""

TIMES = frozenset((
    *("gap_start", "gap_end", "detected_at", "backfill_attempted_at"),
    *("filled_at", "next_attempt_at", "expires_at", "accepted_at"),
))


def know(connection: Connection, series: Series, start_s: int) -> None:
    """Make a series known to the ledger, unless it is."""
    connection.execute(
        "INSERT INTO series (ticker, interval_minutes, start_ts) VALUES (%s, %s, to_timestamp(%s))"
        " ON CONFLICT DO NOTHING",
        (*series, start_s),
    )


def all_pages(connection: Connection, series: Series) -> Coverage | None:
    """Return all coverage months of a series, or None if there are none."""
    return read_coverage(connection, [series.ticker], [series.interval_minutes]).get(series)


def proven(connection: Connection, series: Series) -> list[tuple[int, int, str]]:
    """Return the stretches proven empty of a series, oldest first: start, end, evidence."""
    coverage = all_pages(connection, series)
    by = coverage.empty.by if coverage else {}
    return sorted((*part, str(evidence)) for evidence, buckets in by.items() for part in buckets.ranges())


def proven_ranges(connection: Connection, series: Series) -> list[Range]:
    """Return the stretches proven empty of a series, oldest first, by evidence."""
    return [(start_s, end_s) for start_s, end_s, _ in proven(connection, series)]


def missing(connection: Connection, series: Series) -> list[Range]:
    """Return the stretches missing of a series, oldest first, as its pages have them."""
    coverage = all_pages(connection, series)
    return coverage.missing.ranges() if coverage else []


def add_proofs(
    connection: Connection,
    series: Series,
    parts: Iterable[Range],
    evidence: str = "ohlc",
    *,
    seen_s: int = SEEN_S,
) -> None:
    """Let the ledger believe that nothing traded in some ranges, whatever is stored there.

    :param series: a series that the ledger knows
    :param parts: ascending, epoch seconds UTC
    """
    buckets = BucketSet.of_ranges(parts, step=step_s(series.interval_minutes))
    with connection.transaction():
        coverage = read_months(connection, series, buckets.ranges())
        coverage.prove(buckets, Evidence(evidence))
        # What QuestDB holds there nobody has compared with it.
        coverage.read_again(buckets)
        save(connection, [coverage], run=None, now_s=seen_s)


def add_proof(
    connection: Connection,
    series: Series,
    start_s: int,
    end_s: int,
    evidence: str = "ohlc",
    seen_s: int = SEEN_S,
) -> None:
    """Let the ledger believe that nothing traded in a range, see :func:`add_proofs`."""
    add_proofs(connection, series, [(start_s, end_s)], evidence, seen_s=seen_s)


def add_gap(
    connection: Connection,
    series: Series,
    part: Range,
    status: str = "DETECTED",
    *,
    buckets: BucketSet | None = None,
    **columns: Any,
) -> int:
    """Insert a gap record and, while it is open, mark what is missing of it on the pages; return its id.

    :param series: a series that the ledger knows
    :param part: from its first to its last missing bucket, epoch seconds UTC
    :param buckets: what is missing in it, None = all of it
    :param columns: other columns than the usual ones of the status; times in epoch seconds UTC
    """
    found = buckets or BucketSet.of_ranges([part], step=step_s(series.interval_minutes))
    of_status: dict[str, dict[str, Any]] = {
        "FILLED": {"filled_at": part[1], "filled_from": "ohlc"},
        "UNFILLABLE": {
            "unfillable_reason": "outside_api_window",
            "required_csv_file": required_csv_file(series),
        },
    }
    values = {
        **series._asdict(),
        "gap_start": part[0],
        "gap_end": part[1],
        "missing_candles": len(found),
        "is_api_fillable": status != "UNFILLABLE",
        "overflow_candles": 0,
        "candles_from_today": 1,
        "status": status,
        "detected_at": part[1],
        "expires_at": part[0],
        **of_status.get(status, {}),
        **columns,
    }
    with connection.transaction():
        (row,) = connection.execute(
            SQL("INSERT INTO gap_records ({}) VALUES ({}) RETURNING gap_id").format(
                SQL(", ").join(map(Identifier, values)),
                SQL(", ").join(
                    SQL("to_timestamp({})").format(Placeholder(name)) if name in TIMES else Placeholder(name)
                    for name in values
                ),
            ),
            values,
        ).fetchall()
        if status != "FILLED":
            coverage = read_months(connection, series, [part])
            coverage.missing |= found
            coverage.read_again(found)
            save(connection, [coverage], run=None, now_s=SEEN_S)
    return int(row["gap_id"])
