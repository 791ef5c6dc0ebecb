"""The clean-up deletes what is old, keeps its figures, and gets in nobody's way."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.monitoring.cleanup import clean_up, foresee
from kraken_ohlcv.stores.ledger.session import FILL_LOCK, LEDGER_LOCK, connect
from tests.integration.ledger_pages import add_gap, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.stores.ledger.session import Connection
    from tests.integration.world import World

DAY = 86400
HOUR = 3600
NOW = 1_795_392_000
HOURLY = Series("XBTUSD", 60)
ALL = {
    "filled_deleted",
    "failed_deleted",
    "incidents_deleted",
    "reports_deleted",
    "cursors_deleted",
}


class Ledger:
    """A ledger with two series and whatever gaps a test puts into it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._position = 0
        for ticker in ("XBTUSD", "ETHUSD"):
            connection.execute(
                "INSERT INTO assets VALUES (%s, 'X', 'USD', 'TIER1', TRUE, 0) ON CONFLICT DO NOTHING",
                (ticker,),
            )
            connection.execute(
                "INSERT INTO series (ticker, interval_minutes, start_ts) VALUES (%s, 60, to_timestamp(0))"
                " ON CONFLICT DO NOTHING",
                (ticker,),
            )

    def gap(
        self,
        status: str,
        age_days: float,
        *,
        ticker: str = "XBTUSD",
        hours: int = 3,
        parent: int | None = None,
    ) -> int:
        """Insert a gap whose last change is so old, with an outcome of some run."""
        self._position += 1
        start_s, changed_s = self._position * 100 * HOUR, NOW - round(age_days * DAY)
        columns = {
            "detected_at": changed_s - DAY,
            "backfill_attempted_at": changed_s,
            "attempts": 2,
            "parent": parent,
        }
        gap_id = add_gap(
            self.connection,
            Series(ticker, 60),
            (start_s, start_s + hours * HOUR),
            status,
            **columns | ({"filled_at": changed_s} if status == "FILLED" else {}),
        )
        self.connection.execute(
            "INSERT INTO gap_outcomes (dag_id, run_id, gap_id, outcome) VALUES ('d', 'r', %s, 'filled')",
            (gap_id,),
        )
        return gap_id

    def walk(self, ticker: str, end_s: int, *, is_recheck: bool = False, age_days: float = 0) -> None:
        """Insert the place of a walk through trades, saved so many days ago."""
        self.connection.execute(
            "INSERT INTO trade_cursors VALUES (%s, to_timestamp(%s), %s, '{}', to_timestamp(%s))",
            (ticker, end_s, is_recheck, NOW - age_days * DAY),
        )

    def end_s(self, gap_id: int) -> int:
        """Return the end of a gap."""
        return int(self.one("SELECT extract(epoch FROM gap_end) FROM gap_records WHERE gap_id = %s", gap_id))

    def one(self, sql: str, *values: Any) -> Any:
        """Return the only value of a statement."""
        (row,) = self.connection.execute(sql, values).fetchall()
        (value,) = row.values()
        return value

    def ids(self) -> list[int]:
        """Return the ids of all gap records."""
        rows = self.connection.execute("SELECT gap_id FROM gap_records ORDER BY gap_id").fetchall()
        return [row["gap_id"] for row in rows]


@pytest.fixture
def ledger(ledger_uri: str) -> Iterator[Ledger]:
    """Give a ledger with two series and nothing else."""
    with connect(ledger_uri) as connection:
        yield Ledger(connection)


def test_old_filled_and_failed_records_go_and_all_others_stay(ledger: Ledger) -> None:
    for age in (89.9, 90.1):
        for status in ("FILLED", "FAILED", "UNFILLABLE", "DETECTED", "BACKFILLING"):
            ledger.gap(status, age)
    young, old = ledger.ids()[:5], ledger.ids()[5:]

    cleaned = clean_up(ledger.connection, days=90, now_s=NOW)

    assert (cleaned.filled_deleted, cleaned.failed_deleted) == (1, 1)
    assert ledger.ids() == [*young, *old[2:]]
    assert ledger.one("SELECT count(*) FROM gap_outcomes") == 8


def test_a_walk_is_forgotten_with_the_gap_it_was_for(ledger: Ledger) -> None:
    ends = {status: ledger.end_s(ledger.gap(status, 1)) for status in ("FILLED", "UNFILLABLE", "BACKFILLING")}
    gone = ledger.gap("UNFILLABLE", 1)
    ledger.connection.execute(
        "UPDATE gap_records SET unfillable_reason = 'pair_delisted' WHERE gap_id = %s", (gone,)
    )
    kept = [("XBTUSD", ends["UNFILLABLE"]), ("XBTUSD", ends["BACKFILLING"])]
    stale = [
        ("XBTUSD", ends["FILLED"]),
        ("XBTUSD", ledger.end_s(gone)),
        ("XBTUSD", 5),
        ("ETHUSD", kept[0][1]),
    ]
    for ticker, end_s in (*kept, *stale):
        ledger.walk(ticker, end_s, age_days=400)

    assert foresee(ledger.connection, days=90, now_s=NOW).cursors_deleted == 4
    assert clean_up(ledger.connection, days=90, now_s=NOW).cursors_deleted == 4

    left = "SELECT ticker, extract(epoch FROM range_end)::bigint AS s FROM trade_cursors ORDER BY range_end"
    assert [tuple(row.values()) for row in ledger.connection.execute(left).fetchall()] == kept


def test_a_walk_through_a_range_asked_for_is_kept_for_as_long_as_records_are(ledger: Ledger) -> None:
    ledger.walk("XBTUSD", 5, is_recheck=True, age_days=89.9)
    ledger.walk("XBTUSD", 6, is_recheck=True, age_days=90.1)
    assert clean_up(ledger.connection, days=90, now_s=NOW).cursors_deleted == 1
    assert ledger.one("SELECT extract(epoch FROM range_end)::bigint FROM trade_cursors") == 5


def test_a_dry_run_foresees_exactly_what_is_done_and_changes_nothing(ledger: Ledger) -> None:
    for age in (10, 100, 200):
        ledger.gap("FILLED", age)
        ledger.gap("FAILED", age, ticker="ETHUSD")
    ledger.walk("XBTUSD", 5)
    before = ledger.ids()
    foreseen = foresee(ledger.connection, days=90, now_s=NOW)
    assert ledger.ids() == before
    assert ledger.one("SELECT count(*) FROM gap_history") == 0
    assert ledger.one("SELECT count(*) FROM trade_cursors") == 1
    cleaned = clean_up(ledger.connection, days=90, now_s=NOW)
    assert foreseen == cleaned
    assert set(asdict(cleaned)) == ALL
    assert asdict(cleaned) == {
        "filled_deleted": 2,
        "failed_deleted": 2,
        "incidents_deleted": 0,
        "reports_deleted": 0,
        "cursors_deleted": 1,
    }


def test_a_second_clean_up_finds_nothing(ledger: Ledger) -> None:
    ledger.gap("FILLED", 100)
    clean_up(ledger.connection, days=90, now_s=NOW)
    assert set(asdict(clean_up(ledger.connection, days=90, now_s=NOW)).values()) == {0}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(
        st.tuples(
            st.sampled_from(["FILLED", "FAILED", "UNFILLABLE"]),
            st.integers(1, 400),
            st.sampled_from(["XBTUSD", "ETHUSD"]),
            st.integers(1, 50),
        ),
        max_size=25,
    ),
    days=st.integers(1, 400),
    batch=st.integers(1, 6),
)
def test_history_and_what_remains_make_up_what_was_before(
    ledger: Ledger, gaps: list[tuple[str, int, str, int]], days: int, batch: int
) -> None:
    ledger.connection.execute("TRUNCATE gap_records, gap_outcomes, gap_history")
    for status, age, ticker, hours in gaps:
        ledger.gap(status, age, ticker=ticker, hours=hours)
    sums = "count(*), coalesce(sum(missing_candles), 0), coalesce(sum(attempts), 0)"
    kept_sums = "coalesce(sum(gaps), 0), coalesce(sum(candles), 0), coalesce(sum(attempts), 0)"
    total = f"SELECT ARRAY[{sums}]::bigint[] FROM gap_records"  # noqa: S608
    history = f"SELECT ARRAY[{kept_sums}]::bigint[] FROM gap_history"  # noqa: S608
    before = ledger.one(total)

    cleaned = clean_up(ledger.connection, days=days, now_s=NOW, batch=batch)

    remaining, kept = ledger.one(total), ledger.one(history)
    assert [a + b for a, b in zip(remaining, kept, strict=True)] == before
    assert cleaned.filled_deleted + cleaned.failed_deleted == kept[0]
    assert kept[0] == sum(status != "UNFILLABLE" and age > days for status, age, *_ in gaps)
    by_month = "SELECT count(*) FROM gap_history WHERE extract(day FROM month) <> 1"
    assert ledger.one(by_month) == 0


def test_the_history_tells_months_sources_and_how_long_gaps_were_open(ledger: Ledger) -> None:
    for age in (100, 101, 150):
        ledger.gap("FILLED", age)
    ledger.gap("FAILED", 100)
    clean_up(ledger.connection, days=90, now_s=NOW, batch=1)
    rows = ledger.connection.execute(
        "SELECT month::text, status, filled_from, gaps, candles, attempts, open_s, longest_open_s"
        " FROM gap_history ORDER BY month, status"
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("2026-06-01", "FILLED", "ohlc", 1, 3, 2, DAY, DAY),
        ("2026-08-01", "FAILED", "", 1, 3, 2, DAY, DAY),
        ("2026-08-01", "FILLED", "ohlc", 2, 6, 4, 2 * DAY, DAY),
    ]


def test_a_child_outlives_its_parent(ledger: Ledger) -> None:
    parent = ledger.gap("FILLED", 100)
    child = ledger.gap("UNFILLABLE", 100, parent=parent)
    clean_up(ledger.connection, days=90, now_s=NOW)
    assert ledger.ids() == [child]
    assert ledger.one("SELECT parent FROM gap_records") is None


def test_a_series_that_is_being_filled_keeps_its_failed_records(ledger: Ledger, ledger_uri: str) -> None:
    ledger.gap("FAILED", 100)
    series_id = ledger.one("SELECT series_id FROM series WHERE ticker = 'XBTUSD'")
    with connect(ledger_uri) as fill:
        fill.execute("SELECT pg_advisory_lock(%s, %s)", (FILL_LOCK, series_id))
        assert clean_up(ledger.connection, days=90, now_s=NOW).failed_deleted == 0
        fill.execute("SELECT pg_advisory_unlock(%s, %s)", (FILL_LOCK, series_id))
        assert clean_up(ledger.connection, days=90, now_s=NOW).failed_deleted == 1


def test_whoever_has_read_a_failed_gap_learns_that_it_is_gone(ledger: Ledger) -> None:
    revision = "SELECT revision FROM series WHERE ticker = 'XBTUSD'"
    ledger.gap("FILLED", 100)
    before = ledger.one(revision)
    clean_up(ledger.connection, days=90, now_s=NOW)
    assert ledger.one(revision) == before
    ledger.gap("FAILED", 100)
    clean_up(ledger.connection, days=90, now_s=NOW)
    assert ledger.one(revision) == before + 1


def test_a_change_of_the_series_under_way_is_waited_for(ledger: Ledger, ledger_uri: str) -> None:
    ledger.gap("FILLED", 100)
    series_id = ledger.one("SELECT series_id FROM series WHERE ticker = 'XBTUSD'")
    done = threading.Event()

    def clean() -> None:
        with connect(ledger_uri) as connection:
            clean_up(connection, days=90, now_s=NOW)
        done.set()

    thread = threading.Thread(target=clean)
    with ledger.connection.transaction():
        ledger.connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LEDGER_LOCK, series_id))
        thread.start()
        assert not done.wait(0.3)
        assert len(ledger.ids()) == 1
    thread.join(60)
    assert done.is_set()
    assert ledger.ids() == []


def test_a_failed_gap_that_was_deleted_is_found_again_and_filled(world: World) -> None:
    window = world.window(HOURLY)
    world.store(HOURLY, window, without=[(window[0] + 10 * HOUR, window[0] + 12 * HOUR)])
    planned = world.plan()
    with connect(world.dsn) as connection:
        connection.execute(
            "UPDATE gap_records SET status = 'FAILED', attempts = 3, backfill_attempted_at = to_timestamp(0)"
        )
        # Between the plan and the fill of the same run.
        assert clean_up(connection, days=90, now_s=NOW).failed_deleted == 1
    assert world.fill(planned) == []
    assert world.gaps() == []
    assert world.run()["gaps_filled"] == 1
    assert world.stored(HOURLY, window) == world.truth(HOURLY, window)


def incident(ledger: Ledger, *, recovered_days_ago: float | None, shown_stage: int = 2) -> int:
    incident_id = ledger.one(
        "INSERT INTO incidents (key, class, headline, since, subjects, opened_at, updated_at, recovered_at,"
        " named, notified_at, shown_stage)"
        " VALUES ('stale', 'stale', 'h', now(), '[]', now(), now(), to_timestamp(%s), '{}', now(), %s)"
        " RETURNING incident_id",
        None if recovered_days_ago is None else NOW - recovered_days_ago * DAY,
        shown_stage,
    )
    return int(incident_id)


def test_incidents_long_over_go_unless_their_end_is_not_told_yet(ledger: Ledger) -> None:
    incident(ledger, recovered_days_ago=100)
    waiting = incident(ledger, recovered_days_ago=100, shown_stage=1)
    recent = incident(ledger, recovered_days_ago=80)
    still_open = incident(ledger, recovered_days_ago=None)
    assert foresee(ledger.connection, days=90, now_s=NOW).incidents_deleted == 1
    assert clean_up(ledger.connection, days=90, now_s=NOW, batch=1).incidents_deleted == 1
    rows = ledger.connection.execute("SELECT incident_id FROM incidents ORDER BY incident_id").fetchall()
    assert [row["incident_id"] for row in rows] == [waiting, recent, still_open]


def test_reports_older_than_400_days_are_thinned_to_one_a_month(ledger: Ledger) -> None:
    for age in (399, 402, 403, 404, 440):
        for tier in ("TIER1", "ALL"):
            ledger.connection.execute(
                "INSERT INTO completeness_reports (dag_id, run_id, reported_at, tier, intervals,"
                " total_assets, assets_with_gaps, completeness_pct, body)"
                " VALUES ('d', %s, to_timestamp(%s), %s, '{60}', 1, 0, 100, '{}')",
                (f"{tier} {age}", NOW - age * DAY, tier),
            )
    assert foresee(ledger.connection, days=90, now_s=NOW).reports_deleted == 4
    assert clean_up(ledger.connection, days=90, now_s=NOW).reports_deleted == 4
    rows = ledger.connection.execute("SELECT run_id FROM completeness_reports ORDER BY 1").fetchall()
    assert [row["run_id"] for row in rows] == [
        f"{tier} {age}" for tier in ("ALL", "TIER1") for age in (399, 404, 440)
    ]


def test_what_a_deleted_gap_missed_is_looked_at_again_and_is_no_longer_on_its_page(ledger: Ledger) -> None:
    old, young = ledger.gap("FAILED", 100), ledger.gap("FAILED", 10)
    hours = {gap_id: (ledger.end_s(gap_id) - 3 * HOUR, ledger.end_s(gap_id)) for gap_id in (old, young)}
    add_gap(ledger.connection, HOURLY, (70 * DAY, 71 * DAY))
    # As if all pages had been compared with QuestDB.
    ledger.connection.execute("UPDATE coverage_months SET reconciled = 5")
    assert missing(ledger.connection, HOURLY) == [hours[old], hours[young], (70 * DAY, 71 * DAY)]

    assert clean_up(ledger.connection, days=90, now_s=NOW).failed_deleted == 1

    assert missing(ledger.connection, HOURLY) == [hours[young], (70 * DAY, 71 * DAY)]
    pages = ledger.connection.execute("SELECT reconciled FROM coverage_months ORDER BY month").fetchall()
    assert [row["reconciled"] for row in pages] == [None, 5]


def test_a_filled_gap_goes_without_a_look_at_its_page(ledger: Ledger) -> None:
    ledger.gap("FILLED", 100)
    ledger.gap("FAILED", 10)
    ledger.connection.execute("UPDATE coverage_months SET reconciled = 5")
    before = missing(ledger.connection, HOURLY)
    assert clean_up(ledger.connection, days=90, now_s=NOW).filled_deleted == 1
    assert (missing(ledger.connection, HOURLY), ledger.one("SELECT reconciled FROM coverage_months")) == (
        before,
        5,
    )
