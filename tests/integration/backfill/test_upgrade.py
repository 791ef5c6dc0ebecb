"""A ledger of version 0.1.0 goes on where it stood: nothing it knew is lost, asked again, or told twice."""

from __future__ import annotations

import subprocess
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine

from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import MIGRATIONS, migrate_ledger
from local.postgres import PSQL
from tests.integration.alert_desk import late
from tests.integration.revisions import go_to
from tests.integration.watching import hourly_check, messages
from tests.integration.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.postgres import PostgresServer
    from simulators.exchange_client import ExchangeAdmin

HEAD_OF_0_1_0 = "0008"
DAILY = Series("XBTUSD", 1440)
DAY = step_s(1440)

CONTENTS = """
INSERT INTO exchange (base_url) VALUES ('https://api.kraken.com');
INSERT INTO assets (ticker, base, quote, tier, active, position, pair_status, added_at, history_from)
VALUES ('XBTUSD', 'XBT', 'USD', 'TIER1', TRUE, 0, 'online', '2026-01-01', NULL);
INSERT INTO series (ticker, interval_minutes, start_ts) VALUES ('XBTUSD', 1440, '2024-10-01T00:00:00Z');
INSERT INTO gap_records (
    ticker, interval_minutes, gap_start, gap_end, missing_candles, is_api_fillable, overflow_candles,
    candles_from_today, status, detected_at, backfill_attempted_at, filled_at, required_csv_file,
    error_message, attempts, next_attempt_at, expires_at, filled_from, unfillable_reason
) VALUES
('XBTUSD', 1440, '2026-11-10T00:00:00Z', '2026-11-12T00:00:00Z', 2, TRUE, 0, 13, 'FAILED',
 '2026-11-12T02:00:00Z', '2026-11-22T02:00:00Z', NULL, NULL, 'EService:Unavailable', 1,
 '2026-11-22T03:00:00Z', '2028-10-30T00:00:00Z', NULL, NULL),
('XBTUSD', 1440, '2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', 1, TRUE, 0, 22, 'FILLED',
 '2026-11-02T02:00:00Z', '2026-11-02T02:00:05Z', '2026-11-02T02:00:06Z', NULL, NULL, 1, NULL,
 '2028-10-21T00:00:00Z', 'ohlc', NULL),
('XBTUSD', 1440, '2024-10-01T00:00:00Z', '2024-10-03T00:00:00Z', 2, FALSE, 2, 783, 'UNFILLABLE',
 '2026-11-12T02:00:00Z', NULL, NULL, 'XBTUSD_1440.csv', NULL, 0, NULL, '2026-09-21T00:00:00Z', NULL,
 'past_edge');
INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals)
VALUES ('backfill_tier1_daily', 'scheduled__2026-11-22', '2026-11-22T02:00:01Z', 'TIER1', '{1440}');
INSERT INTO gap_outcomes (dag_id, run_id, gap_id, outcome, tries, error)
VALUES ('backfill_tier1_daily', 'scheduled__2026-11-22', 1, 'failed', 1, 'EService:Unavailable');
INSERT INTO proven_empty (ticker, interval_minutes, range_start, range_end, evidence, seen_at)
VALUES ('XBTUSD', 1440, '2026-10-05T00:00:00Z', '2026-10-06T00:00:00Z', 'trades', '2026-11-12T02:00:00Z');
INSERT INTO candle_restatements (ticker, interval_minutes, ts, source, old, new, first_seen_at, applied_at)
VALUES ('XBTUSD', 1440, '2026-10-01T00:00:00Z', 'archive_rim', '{}', '{}', '2026-11-12', '2026-11-12');
INSERT INTO trade_errands (
    dag_id, run_id, ticker, range_start, range_end, calls, allotted, made, is_recheck, reached_at, planned_at
) VALUES (
    'backfill_tier1_daily', 'scheduled__2026-11-22', 'XBTUSD', '2024-10-01T00:00:00Z', '2024-10-03T00:00:00Z',
    90, 60, 60, FALSE, '2024-10-02T12:00:00Z', '2026-11-22T02:00:00Z'
);
INSERT INTO trade_passes (ticker, range_end, is_recheck, state, saved_at) VALUES (
    'XBTUSD', '2024-10-03T00:00:00Z', FALSE,
    '{"builder": {"span": [1727740800, 1727913600], "decimals": 1, "part": null, "last_id": 77,
                  "last_s": "1727870399.5", "reached_s": 1727870399, "doubts": [],
                  "levels": {"1440": [1727827200, [1727827200, "60000", "60010", "59990", "60005", "1.5",
                                                   "90000", 12]]}},
      "place": {"since_ns": 1727870399500000000, "last_id": 77, "last_s": "1727870399.5", "ids": [77],
                "is_at_newest": false, "is_stuck": false}}',
    '2026-11-22T02:03:00Z'
);
INSERT INTO incidents (
    key, class, headline, since, subjects, opened_at, updated_at, good_checks, told, growths, told_at
) VALUES (
    'stale', 'stale', 'candles are missing', '2026-11-22T00:00:00Z',
    '{"XBTUSD": {"tier": "TIER1", "hours_behind": 33}}', '2026-11-23T03:30:00Z', '2026-11-23T11:30:00Z', 0,
    '{XBTUSD}', 0, '2026-11-23T03:30:00Z'
);
INSERT INTO incident_messages (incident_id, kind, created_at, sent_at, via)
VALUES (1, 'opened', '2026-11-23T03:30:00Z', '2026-11-23T03:30:01Z', 'webhook');
"""


@pytest.fixture(scope="module")
def ledger_template(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the name of a ledger as version 0.1.0 left it."""
    name = "ledger_of_0_1_0"
    postgres_server.create_database(name)
    engine = create_engine(postgres_server.uri(name).replace("postgresql://", "postgresql+psycopg://"))
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD_OF_0_1_0)
        connection.exec_driver_sql(CONTENTS.replace("%", "%%"))
    engine.dispose()
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def upgraded(exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str) -> World:
    """Give the ledger after the upgrade, and the candles that 0.1.0 had stored."""
    del kraken_conn, candle_table
    migrate_ledger(ledger_uri)
    world = World(exchange, ledger_uri)
    empty, failed = day("2026-10-05"), day("2026-11-10")
    exchange.quiet("XBTUSD", empty, empty + DAY)
    first, end = day("2024-10-03"), world.window(DAILY)[1]
    world.store(DAILY, (first, end), without=[(failed, failed + 2 * DAY)])
    return world


def day(text: str) -> int:
    """Return the first second of a day."""
    return int(datetime.fromisoformat(f"{text}T00:00:00+00:00").timestamp())


def test_gaps_proofs_and_runs_are_kept_and_a_gap_that_failed_is_filled_as_the_same_record(
    upgraded: World,
) -> None:
    summary = upgraded.run(intervals=[1440])

    assert [(gap["gap_id"], gap["status"], gap["attempts"]) for gap in upgraded.gaps(DAILY)] == [
        (3, "UNFILLABLE", 0),
        (2, "FILLED", 1),
        (1, "FILLED", 2),
    ]
    assert upgraded.gaps(DAILY)[0]["unfillable_reason"] == "outside_api_window"
    assert (summary["raised"], summary["ohlc_calls"]) == ([], 1)
    assert upgraded.proven(DAILY) == [(day("2026-10-05"), day("2026-10-06"))]
    assert upgraded.rows("SELECT run_id FROM backfill_runs WHERE run_id = 'scheduled__2026-11-22'")
    assert upgraded.rows("SELECT source FROM candle_restatements") == [{"source": "archive_provisional"}]


def test_a_walk_through_trades_goes_on_where_it_stood(upgraded: World) -> None:
    ((begun,),) = [row.values() for row in upgraded.rows("SELECT state FROM trade_cursors")]
    builder = CandleBuilder.from_state(begun["builder"])
    assert (builder.span, builder.intervals) == ((day("2024-10-01"), day("2024-10-03")), {1440})
    # The day before is built and stored; the one at hand is not.
    assert not builder.lacks(1440, [(day("2024-10-02"), day("2024-10-03"))])
    assert builder.lacks(1440, [(day("2024-10-01"), day("2024-10-03"))])
    assert upgraded.rows("SELECT calls, job_id FROM trade_jobs") == [{"calls": 90, "job_id": 1}]
    assert upgraded.rows("SELECT trade_calls FROM backfill_runs") == [{"trade_calls": 60}]


def test_an_open_incident_stays_open_without_a_word_and_good_checks_end_it(upgraded: World) -> None:
    assert messages(upgraded) == [("stale", "opened")]
    assert upgraded.rows("SELECT shown_stage FROM incidents") == [{"shown_stage": 1}]

    for _ in range(2):
        hourly_check(upgraded)

    assert messages(upgraded) == [("stale", "opened"), ("stale", "recovered")]


def test_what_0_1_0_has_told_is_not_told_again(upgraded: World) -> None:
    with connect(upgraded.dsn) as connection:
        observe(connection, late("XBTUSD"), now_s=int(upgraded.exchange.now_s()))
    assert messages(upgraded) == [("stale", "opened")]


def test_the_way_back_is_the_backup_restored_beside_the_upgraded_ledger(
    postgres_server: PostgresServer, ledger_uri: str, tmp_path: Path
) -> None:
    dump = tmp_path / "ledger.dump"
    run(PSQL.with_name("pg_dump"), "-Fc", ledger_uri, "-f", dump)
    migrate_ledger(ledger_uri)
    postgres_server.create_database("ledger_before")
    before = postgres_server.uri("ledger_before")
    run(PSQL.with_name("pg_restore"), "-d", before, dump)

    assert revision_and_reasons(before) == (HEAD_OF_0_1_0, ["past_edge"])
    assert revision_and_reasons(ledger_uri)[1] == ["outside_api_window"]
    postgres_server.drop_database("ledger_before")


def test_no_downgrade_goes_further_back_than_0_1_0(ledger_uri: str) -> None:
    with pytest.raises(CommandError, match="to go back further, restore a backup"):
        go_to(ledger_uri, "base")
    assert revision_and_reasons(ledger_uri) == (HEAD_OF_0_1_0, ["past_edge"])


def run(*command: str | Path) -> None:
    """Run a program of PostgreSQL."""
    subprocess.run(command, check=True)  # noqa: S603 (of this file)


def revision_and_reasons(uri: str) -> tuple[str, list[str]]:
    """Return the revision of a ledger, and why its gaps cannot be filled."""
    with psycopg.connect(uri) as connection:
        revisions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        reasons = connection.execute(
            "SELECT unfillable_reason FROM gap_records WHERE unfillable_reason IS NOT NULL"
        ).fetchall()
    return revisions[0][0], [row[0] for row in reasons]
