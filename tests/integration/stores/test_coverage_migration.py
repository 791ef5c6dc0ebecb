"""What was proven and missing before there were coverage months is so after them, and on the way back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.stores.ledger.coverage import read_coverage
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import migrate_ledger
from tests.integration.ledger_pages import know, missing, proven
from tests.integration.revisions import go_to
from tests.integration.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.session import Connection
    from local.postgres import PostgresServer
    from simulators.exchange_client import ExchangeAdmin

BEFORE = "0021"
NAME = "ledger_with_ranges"
MINUTES, HOURLY, WEEKLY = Series("XBTUSD", 1), Series("XBTUSD", 60), Series("XBTUSD", 10080)
LONGEST = Series("XBTUSD", 21600)
HOUR, DAY = 3600, 86400

Proof = tuple[int, int, str, int]
"""Start, end, evidence, and when it was seen; epoch seconds UTC."""


def at(text: str) -> int:
    """Return a UTC time as epoch seconds."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


@pytest.fixture
def old(postgres_server: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Give a ledger with proven-empty ranges, of one pair."""
    postgres_server.create_database(NAME, template=ledger_template)
    uri = postgres_server.uri(NAME)
    go_to(uri, BEFORE)
    with connect(uri) as connection:
        connection.execute("INSERT INTO assets VALUES ('XBTUSD', 'XBT', 'USD', 'TIER1', TRUE, 0)")
        for series in (MINUTES, HOURLY, WEEKLY, LONGEST):
            know(connection, series, 0)
    yield uri
    postgres_server.drop_database(NAME)


def put(uri: str, series: Series, *proofs: Proof) -> None:
    """Insert proven-empty ranges, as the former version did."""
    with connect(uri) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO proven_empty (ticker, interval_minutes, range_start, range_end, evidence, seen_at)"
            " VALUES (%s, %s, to_timestamp(%s), to_timestamp(%s), %s, to_timestamp(%s))",
            [(*series, *proof) for proof in proofs],
        )


def put_gap(connection: Connection, series: Series, part: Range, status: str = "DETECTED") -> None:
    """Insert a gap record, as the former version did: all of it is missing."""
    connection.execute(
        "INSERT INTO gap_records (ticker, interval_minutes, gap_start, gap_end, missing_candles,"
        " is_api_fillable, overflow_candles, candles_from_today, status, detected_at, expires_at, filled_at,"
        " filled_from) SELECT %(ticker)s, %(interval_minutes)s, to_timestamp(%(start_s)s),"
        " to_timestamp(%(end_s)s), %(n)s, TRUE, 0, 1, %(status)s, to_timestamp(%(end_s)s), now(),"
        " CASE WHEN %(status)s = 'FILLED' THEN now() END, CASE WHEN %(status)s = 'FILLED' THEN 'ohlc' END",
        {
            **series._asdict(),
            "start_s": part[0],
            "end_s": part[1],
            "n": (part[1] - part[0]) // step_s(series.interval_minutes),
            "status": status,
        },
    )


def ranges_of(uri: str) -> list[tuple[Series, Proof]]:
    """Return the ranges of the former version, with their series, oldest first."""
    with connect(uri) as connection:
        rows = connection.execute(
            "SELECT ticker, interval_minutes, extract(epoch FROM range_start)::bigint AS a,"
            " extract(epoch FROM range_end)::bigint AS b, evidence, extract(epoch FROM seen_at)::bigint AS s"
            " FROM proven_empty ORDER BY interval_minutes, range_start"
        ).fetchall()
    return [
        (Series(r["ticker"], r["interval_minutes"]), (r["a"], r["b"], r["evidence"], r["s"])) for r in rows
    ]


SEEN = at("2026-11-20T00:00:00")
PROOFS = {
    MINUTES: [
        (at("2026-01-31T23:58:00"), at("2026-02-01T00:03:00"), "ohlc", SEEN),
        (at("2026-02-01T00:03:00"), at("2026-02-01T00:04:00"), "trades", SEEN),
        (at("2026-02-01T00:05:00"), at("2026-02-01T00:06:00"), "archive", SEEN + 60),
        (at("2026-02-28T23:59:00"), at("2026-03-01T00:00:00"), "archive", SEEN + 60),
    ],
    HOURLY: [
        # Longer than two months, then another sight of what follows.
        (at("2025-11-15T05:00:00"), at("2026-02-03T00:00:00"), "trades", SEEN),
        (at("2026-02-03T00:00:00"), at("2026-02-03T02:00:00"), "trades", SEEN + DAY),
    ],
    # Weeks open on a Thursday; that of 2025-12-25 reaches into the next year.
    WEEKLY: [(at("2025-12-25T00:00:00"), at("2026-01-08T00:00:00"), "archive", SEEN)],
    LONGEST: [(21600 * 60 * 1360, 21600 * 60 * 1363, "ohlc", SEEN)],
}


def test_ranges_become_pages_and_the_same_ranges_again(old: str) -> None:
    for series, proofs in PROOFS.items():
        put(old, series, *proofs)
    before = ranges_of(old)

    migrate_ledger(old)

    with connect(old) as connection:
        for series, proofs in PROOFS.items():
            expected: list[tuple[int, int, str]] = []
            for start_s, end_s, evidence, _ in proofs:
                if expected and expected[-1][1:] == (start_s, evidence):
                    start_s = expected.pop()[0]  # noqa: PLW2901
                expected.append((start_s, end_s, evidence))
            assert proven(connection, series) == expected
            assert missing(connection, series) == []
            coverage = read_coverage(connection, [series.ticker], [series.interval_minutes])[series]
            step = step_s(series.interval_minutes)
            opens = [(b, b + 1) for start, end, _ in expected for b in range(start, end, step)]
            assert list(coverage.months) == months_in(opens)
            assert set(coverage.reconciled.values()) == {None}
    go_to(old, BEFORE)
    assert ranges_of(old) == before


def test_a_changed_proof_goes_back_as_it_was_last_seen(old: str) -> None:
    start = at("2026-02-01T00:00:00")
    put(old, HOURLY, (start, start + 10 * HOUR, "ohlc", SEEN))
    migrate_ledger(old)
    with connect(old) as connection:
        for evidence, first, buckets, late in (
            ("trades", 2, "111", 60),
            (None, 3, "1", 120),
            ("ohlc", 3, "1", 180),
        ):
            connection.execute(
                "INSERT INTO coverage_changes (ticker, interval_minutes, month, evidence, first_bucket,"
                " buckets, changed_at) VALUES ('XBTUSD', 60, '2026-02-01', %s, %s, %s::bit varying,"
                " to_timestamp(%s))",
                (evidence, first, buckets, SEEN + late),
            )
        connection.execute(
            "UPDATE coverage_months SET"
            " empty_ohlc = (b'1101011111' || repeat('0', 662)::bit varying),"
            " empty_trades = (b'0010100000' || repeat('0', 662)::bit varying)"
        )
    go_to(old, BEFORE)
    hours = [
        (0, 2, "ohlc", SEEN),
        (2, 3, "trades", SEEN + 60),
        (3, 4, "ohlc", SEEN + 180),
        (4, 5, "trades", SEEN + 60),
        (5, 10, "ohlc", SEEN),
    ]
    assert ranges_of(old) == [
        (HOURLY, (start + a * HOUR, start + b * HOUR, evidence, seen)) for a, b, evidence, seen in hours
    ]


def test_a_proof_that_was_withdrawn_is_not_there_on_the_way_back(old: str) -> None:
    start = at("2026-02-01T00:00:00")
    put(old, HOURLY, (start, start + HOUR, "ohlc", SEEN))
    migrate_ledger(old)
    with connect(old) as connection:
        connection.execute("UPDATE coverage_months SET empty_ohlc = NULL")
        connection.execute(
            "INSERT INTO coverage_changes (ticker, interval_minutes, month, evidence, first_bucket, buckets,"
            " changed_at) VALUES ('XBTUSD', 60, '2026-02-01', NULL, 0, b'1', now())"
        )
    go_to(old, BEFORE)
    assert ranges_of(old) == []


def test_an_open_gap_over_a_month_border_stays_and_is_missing_on_both_pages(old: str) -> None:
    hole = (at("2026-01-31T20:00:00"), at("2026-02-01T04:00:00"))
    filled = (at("2026-01-30T20:00:00"), at("2026-01-31T20:00:00"))
    with connect(old) as connection:
        put_gap(connection, HOURLY, hole)
        put_gap(connection, HOURLY, filled, "FILLED")
        before = connection.execute("SELECT * FROM gap_records ORDER BY gap_id").fetchall()
    put(old, HOURLY, (hole[1], hole[1] + HOUR, "ohlc", SEEN))

    migrate_ledger(old)

    with connect(old) as connection:
        unaccepted = {"accepted_by": None, "accepted_at": None, "accepted_reason": None}
        assert connection.execute("SELECT * FROM gap_records ORDER BY gap_id").fetchall() == [
            row | unaccepted for row in before
        ]
        assert missing(connection, HOURLY) == [hole]
        coverage = read_coverage(connection, *[["XBTUSD"], [60]])[HOURLY]
        assert list(coverage.months) == months_in([hole])
        # A later detection may leave less of it missing than lies in it.
        connection.execute("UPDATE gap_records SET missing_candles = 5 WHERE status <> 'FILLED'")
    go_to(old, BEFORE)
    with connect(old) as connection:
        assert connection.execute("SELECT * FROM gap_records ORDER BY gap_id").fetchall() == before


def test_the_next_detection_parts_an_old_gap_at_the_month_border_and_forgets_none_of_it(
    exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str
) -> None:
    del kraken_conn, candle_table
    world = World(exchange, ledger_uri)
    go_to(ledger_uri, BEFORE)
    covered = world.window(HOURLY)
    border = months_in([covered])[0][1]
    hole = (border - 4 * HOUR, border + 3 * HOUR)
    world.store(HOURLY, covered, without=[hole])
    with connect(ledger_uri) as connection:
        know(connection, HOURLY, covered[0])
        put_gap(connection, HOURLY, hole)
        connection.execute("UPDATE gap_records SET attempts = 2, error_message = 'EService:Busy'")
    migrate_ledger(ledger_uri)
    (old,) = world.gaps()

    world.plan()

    first, second = world.gaps()
    assert (first["gap_id"], first["start_s"], first["end_s"]) == (old["gap_id"], hole[0], border)
    assert (second["parent"], second["start_s"], second["end_s"]) == (old["gap_id"], border, hole[1])
    for gap in (first, second):
        assert {name: gap[name] for name in ("attempts", "detected_at")} == {
            name: old[name] for name in ("attempts", "detected_at")
        }
    assert [gap["missing_candles"] for gap in (first, second)] == [4, 3]
    assert world.missing(HOURLY) == [hole]
    world.run()
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}
    assert world.stored(HOURLY, covered) == world.truth(HOURLY, covered)


def test_a_gap_whose_hours_were_proven_meanwhile_keeps_those_that_were_not(old: str) -> None:
    start = at("2026-02-01T00:00:00")
    with connect(old) as connection:
        put_gap(connection, HOURLY, (start, start + 5 * HOUR))
    put(
        old,
        HOURLY,
        (start + HOUR, start + 2 * HOUR, "trades", SEEN),
        (start + 3 * HOUR, start + 9 * HOUR, "ohlc", SEEN),
    )
    migrate_ledger(old)
    with connect(old) as connection:
        hours = [(0, 1), (2, 3)]
        assert missing(connection, HOURLY) == [(start + a * HOUR, start + b * HOUR) for a, b in hours]


def test_no_page_is_taken_for_compared_with_the_candles(old: str) -> None:
    put(old, HOURLY, *PROOFS[HOURLY])
    migrate_ledger(old)
    with connect(old) as connection:
        (row,) = connection.execute(
            "SELECT count(*) FILTER (WHERE until_ts IS NOT NULL) AS n FROM series"
        ).fetchall()
        assert row["n"] == 0
        (row,) = connection.execute("SELECT count(*) AS n FROM partitions_seen").fetchall()
        assert row["n"] == 0


@given(
    holes=st.lists(
        st.tuples(
            st.integers(0, 40),
            st.integers(1, 90),
            st.sampled_from(["archive", "ohlc", "trades"]),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=60,
    ),
    start=st.integers(at("2025-12-31T20:00:00") // 60, at("2026-01-01T02:00:00") // 60),
    interval=st.sampled_from([1, 60, 10080]),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_ranges_come_back_as_they_were(
    old: str, holes: list[tuple[int, int, str, int]], start: int, interval: int
) -> None:
    series = Series("XBTUSD", interval)
    at_bucket = start * 60 // step_s(interval)
    proofs: list[Proof] = []
    for quiet, n, evidence, seen in holes:
        first = at_bucket + quiet
        at_bucket = first + n
        proof = (first * step_s(interval), at_bucket * step_s(interval), evidence, SEEN + seen)
        if proofs and proofs[-1][1:] == (proof[0], *proof[2:]):  # touches its like: they come back as one
            proof = (proofs.pop()[0], *proof[1:])
        proofs.append(proof)
    with connect(old) as connection:
        connection.execute("TRUNCATE proven_empty")
    put(old, series, *proofs)
    migrate_ledger(old)
    with connect(old) as connection:
        dense = {b: by for a, e, by in proven(connection, series) for b in range(a, e, step_s(interval))}
    assert dense == {b: by for a, e, by, _ in proofs for b in range(a, e, step_s(interval))}
    go_to(old, BEFORE)
    assert ranges_of(old) == [(series, proof) for proof in proofs]
