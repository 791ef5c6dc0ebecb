"""Coverage months: what PostgreSQL refuses, and that the log of their changes holds every past state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo import truth
from demo.candles import Series as DemoSeries
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import INTERVALS, step_s
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.coverage import Emptiness, read_coverage, read_months, save
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.ledger_pages import add_gap, add_proof, know, missing, proven

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.stores.ledger.session import Connection

DAILY, MINUTES = Series("XBTUSD", 1440), Series("XBTUSD", 1)
DAY = 86400
FEBRUARY = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
N_DAYS = 28


@pytest.fixture
def ledger(ledger_uri: str) -> Iterator[Connection]:
    """Give a ledger that knows all series of one pair."""
    with connect(ledger_uri) as connection:
        connection.execute("INSERT INTO assets VALUES ('XBTUSD', 'XBT', 'USD', 'TIER1', TRUE, 0)")
        for interval in INTERVALS:
            know(connection, Series("XBTUSD", interval), 0)
        yield connection


def bits(*days: int, n: int = N_DAYS) -> str:
    """Return the bitmap of a month in which some days are set, counted from 0."""
    return "".join("1" if day in days else "0" for day in range(n))


def page(connection: Connection, interval: int = 1440, **bitmaps: str | None) -> None:
    """Write a coverage month as nobody should."""
    columns = {"missing": None, "empty_archive": None, "empty_ohlc": None, "empty_trades": None} | bitmaps
    connection.execute(
        "INSERT INTO coverage_months (ticker, interval_minutes, month, missing, empty_archive, empty_ohlc,"
        " empty_trades, disputed) VALUES ('XBTUSD', %(interval)s, '2026-02-01', %(missing)s::bit varying,"
        " %(empty_archive)s::bit varying, %(empty_ohlc)s::bit varying, %(empty_trades)s::bit varying,"
        " %(disputed)s::bit varying)",
        {"interval": interval, "disputed": None, **columns},
    )


REFUSED = [
    pytest.param(
        {"empty_ohlc": bits(1), "empty_trades": bits(1, 2)},
        "proven_once_and_never_missing",
        id="proven by OHLC and by trades",
    ),
    pytest.param(
        {"empty_archive": bits(27), "empty_trades": bits(27)},
        "proven_once_and_never_missing",
        id="proven by the archive and by trades",
    ),
    pytest.param(
        {"empty_archive": bits(0), "empty_ohlc": bits(0)},
        "proven_once_and_never_missing",
        id="proven by the archive and by OHLC",
    ),
    *(
        pytest.param(
            {"missing": bits(3, 4), f"empty_{evidence}": bits(4)},
            "proven_once_and_never_missing",
            id=f"missing and proven by {evidence}",
        )
        for evidence in Evidence
    ),
    *(
        pytest.param({name: bits(1, n=n)}, "a_bit_per_bucket", id=f"{n} bits of {name} in a month of 28 days")
        for name in ("missing", "empty_archive", "empty_ohlc", "empty_trades", "disputed")
        for n in (27, 29)
    ),
    pytest.param({"disputed": bits(5)}, "disputed_against_trades", id="disputed without a proof"),
    pytest.param(
        {"disputed": bits(5, 6), "empty_trades": bits(5)},
        "disputed_against_trades",
        id="disputed beyond a proof",
    ),
    pytest.param(
        {"disputed": bits(5), "empty_ohlc": bits(5)}, "disputed_against_trades", id="disputed against OHLC"
    ),
]


@pytest.mark.parametrize(("bitmaps", "constraint"), REFUSED)
def test_postgresql_refuses_a_page_that_contradicts_itself(
    ledger: Connection, bitmaps: dict[str, str], constraint: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        page(ledger, **bitmaps)
    assert refused.value.diag.constraint_name == constraint


def test_postgresql_takes_a_page_whose_bitmaps_go_together(ledger: Connection) -> None:
    page(
        ledger,
        missing=bits(0, 1),
        empty_archive=bits(2),
        empty_ohlc=bits(3),
        empty_trades=bits(4, 5),
        disputed=bits(5),
    )
    assert missing(ledger, DAILY) == [(FEBRUARY, FEBRUARY + 2 * DAY)]


WRONG_SPANS = [
    pytest.param("stored = 1", id="candles without a first and last one"),
    pytest.param("first_ts = now(), last_ts = now()", id="a first and last candle of none"),
    pytest.param(
        "stored = 2, first_ts = now(), last_ts = now() - interval '1 day'", id="the last before the first"
    ),
    pytest.param("stored = -1", id="fewer than no candles"),
    pytest.param("reconciled = -1", id="compared with fewer than no candles"),
    pytest.param("off_grid_us = -1", id="fewer than none off the grid"),
    pytest.param("month = '2026-02-02'", id="a month that begins on its second day"),
]


@pytest.mark.parametrize("change", WRONG_SPANS)
def test_postgresql_refuses_counts_that_cannot_be(ledger: Connection, change: str) -> None:
    page(ledger)
    with pytest.raises(psycopg.errors.CheckViolation):
        ledger.execute(f"UPDATE coverage_months SET {change}")  # noqa: S608


def test_postgresql_refuses_a_gap_that_misses_more_than_lies_in_it(ledger: Connection) -> None:
    part = (FEBRUARY, FEBRUARY + 3 * DAY)
    buckets = BucketSet.of_points([FEBRUARY, FEBRUARY + 2 * DAY], step=DAY)
    add_gap(ledger, DAILY, part, buckets=buckets)
    assert missing(ledger, DAILY) == buckets.ranges()
    for wrong in (0, 4):
        with pytest.raises(psycopg.errors.CheckViolation):
            ledger.execute("UPDATE gap_records SET missing_candles = %s", (wrong,))


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_month_has_as_many_bits_as_buckets_open_in_it(ledger: Connection, interval: int) -> None:
    series, step = Series("XBTUSD", interval), step_s(interval)
    at_s, months = FEBRUARY, 0
    while months < 14:
        month = month_of(at_s)
        opens = range(-(-month[0] // step) * step, month[1], step)
        (row,) = ledger.execute(
            "SELECT buckets_in_month(to_timestamp(%s)::date, %s) AS n", (month[0], interval)
        ).fetchall()
        assert row["n"] == len(opens)
        add_proof(ledger, series, opens[0], opens[-1] + step)
        at_s, months = month[1], months + 1
    (whole,) = proven(ledger, series)
    assert whole == (-(-FEBRUARY // step) * step, -(-at_s // step) * step, "ohlc")


def test_the_demo_reads_what_the_product_has_written(ledger: Connection, ledger_uri: str) -> None:
    add_proof(ledger, DAILY, FEBRUARY - DAY, FEBRUARY + DAY, "ohlc")
    add_proof(ledger, DAILY, FEBRUARY + DAY, FEBRUARY + 3 * DAY, "trades")
    add_gap(ledger, MINUTES, (FEBRUARY - 120, FEBRUARY + 60), "UNFILLABLE")
    view = truth.read_ledger(ledger_uri)
    assert view.proven[DemoSeries(*DAILY)] == [
        (FEBRUARY - DAY, FEBRUARY),
        (FEBRUARY, FEBRUARY + DAY),
        (FEBRUARY + DAY, FEBRUARY + 3 * DAY),
    ]
    assert view.unfillable == {DemoSeries(*MINUTES): [(FEBRUARY - 120, FEBRUARY), (FEBRUARY, FEBRUARY + 60)]}


@given(places=st.sets(st.integers(0, 27), max_size=28), interval=st.sampled_from([1, 60, 1440]))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_ranges_of_a_bitmap_are_those_that_its_buckets_make(
    ledger: Connection, places: set[int], interval: int
) -> None:
    step = step_s(interval)
    buckets = BucketSet.of_points([FEBRUARY + place * step for place in places], step=step)
    rows = ledger.execute(
        "SELECT extract(epoch FROM range_start)::bigint AS a, extract(epoch FROM range_end)::bigint AS b,"
        " buckets FROM bucket_ranges('2026-02-01', %s, %s::bit varying)",
        (interval, bits(*places)),
    ).fetchall()
    assert [(row["a"], row["b"]) for row in rows] == buckets.ranges()
    assert [row["buckets"] for row in rows] == [(end - start) // step for start, end in buckets.ranges()]


def state_at(connection: Connection, series: Series, moment_s: int) -> Emptiness:
    """Return what was proven empty at a time, from the log of changes alone."""
    step = step_s(series.interval_minutes)
    found = Emptiness.none(step)
    for row in connection.execute(
        "SELECT extract(epoch FROM month)::bigint AS month_s, evidence, first_bucket, buckets::text"
        " FROM coverage_changes WHERE ticker = %s AND interval_minutes = %s"
        " AND changed_at <= to_timestamp(%s) ORDER BY change_id",
        (*series, moment_s),
    ).fetchall():
        first = -(-row["month_s"] // step) + row["first_bucket"]
        changed = BucketSet.of_text(row["buckets"], first=first, step=step)
        by = {evidence: buckets - changed for evidence, buckets in found.by.items()}
        if row["evidence"] is not None:
            by[Evidence(row["evidence"])] |= changed
        found = Emptiness(step, by)
    return found


# What a change does, where, and to how many buckets in a row.
CHANGES = st.lists(
    st.tuples(
        st.sampled_from([*Evidence, "candles", "trades that happened"]),
        st.integers(-40, 40),
        st.integers(1, 30),
        st.sampled_from([1, 2, 7]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("interval", [1, 60, 10080])
@given(changes=CHANGES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_past_state_follows_from_the_log_of_changes(
    ledger: Connection, interval: int, changes: list[tuple[Any, int, int, int]]
) -> None:
    series, step = Series("XBTUSD", interval), step_s(interval)
    ledger.execute("TRUNCATE coverage_months, coverage_changes")
    was: dict[int, Emptiness] = {}
    for second, (what, place, n, every) in enumerate(changes):
        now_s = FEBRUARY + second
        first = FEBRUARY // step + place
        buckets = BucketSet.of_points([(first + k * every) * step for k in range(n)], step=step)
        with ledger.transaction():
            coverage = read_months(ledger, series, buckets.ranges())
            if isinstance(what, Evidence):
                coverage.prove(buckets, what)
            else:
                coverage.withdraw(buckets, by=None if what == "candles" else Evidence.TRADES)
            save(ledger, [coverage], run=RunKey("dag", "run"), now_s=now_s)
        kept = read_coverage(ledger, [series.ticker], [interval]).get(series)
        was[now_s] = kept.empty if kept else Emptiness.none(step)

    assert state_at(ledger, series, FEBRUARY - 1) == Emptiness.none(step)
    for now_s, empty in was.items():
        assert state_at(ledger, series, now_s) == empty
    # Nothing is logged that has changed nothing.
    seen = len(ledger.execute("SELECT FROM coverage_changes").fetchall())
    coverage = read_months(ledger, series, [(FEBRUARY - 50 * step, FEBRUARY + 300 * step)])
    save(ledger, [coverage], run=None, now_s=FEBRUARY)
    assert len(ledger.execute("SELECT FROM coverage_changes").fetchall()) == seen


def test_a_change_names_the_run_and_the_time_and_the_buckets_alone(ledger: Connection) -> None:
    with ledger.transaction():
        coverage = read_months(ledger, DAILY, [(FEBRUARY, FEBRUARY + 90 * DAY)])
        coverage.prove(
            BucketSet.of_ranges([(FEBRUARY + 26 * DAY, FEBRUARY + 29 * DAY)], step=DAY), Evidence.OHLC
        )
        save(ledger, [coverage], run=RunKey("backfill", "monday"), now_s=FEBRUARY + 90 * DAY)
    rows = ledger.execute(
        "SELECT month::text, evidence, first_bucket, buckets::text,"
        " extract(epoch FROM changed_at)::bigint AS s, dag_id, run_id FROM coverage_changes"
        " ORDER BY change_id"
    ).fetchall()
    who = (FEBRUARY + 90 * DAY, "backfill", "monday")
    assert [tuple(row.values()) for row in rows] == [
        ("2026-02-01", "ohlc", 26, "11", *who),
        ("2026-03-01", "ohlc", 0, "1", *who),
    ]
