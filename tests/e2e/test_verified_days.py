"""From a candle in the store to the runs of a consumer, one per verified day and revision."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.core.assets import read_catalogue
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from local.questdb import QuestDBServer
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

CONSUMER = "returns_of_verified_days"
NOW = "2026-11-27T12:34:56Z"
TODAY = datetime(2026, 11, 27, tzinfo=UTC)
HELD_UP = "ETHUSD"


def backfill(stack: Stack, *tickers: str) -> None:
    """Run a backfill of the hours of some assets of TIER1, to its good end."""
    run_id = stack.api.trigger("backfill_tier1_daily", {"tickers": list(tickers), "intervals": [60]})
    run = stack.api.wait_for_run("backfill_tier1_daily", run_id, timeout_s=PATIENCE_S)
    assert run.state == "success"


def events(stack: Stack) -> list[tuple[str, int, str]]:
    """Return key, revision and reason of each event about hours of TIER1, in their order."""
    with psycopg.connect(stack.metadata_uri) as connection:
        rows = connection.execute(
            "SELECT partition_key, asset_event.extra::jsonb FROM asset_event"
            " JOIN asset ON asset.id = asset_id"
            " WHERE name = 'kraken_ohlcv_verified' AND partition_key LIKE 'TIER1|60|%'"
            " ORDER BY asset_event.id"
        ).fetchall()
    assert all(key == extra["key"] for key, extra in rows)
    return [(key, extra["revision"], extra["reason"]) for key, extra in rows]


def taken(stack: Stack) -> dict[str, int]:
    """Return the revision of each day of which the consumer has written returns."""
    files = {file.stem.removeprefix("returns-"): file for file in stack.returns.glob("*.json")}
    return {f"TIER1|60|{day}": json.loads(file.read_text())["revision"] for day, file in files.items()}


def consumed(stack: Stack) -> list[tuple[str, str]]:
    """Return the key of each run for hours of TIER1 with the state of its task, once all are over.

    Other tests of the session make days of other intervals complete, which the consumer passes over.
    """

    def ended() -> list[tuple[str, str]] | None:
        with psycopg.connect(stack.metadata_uri) as connection:
            (n_waiting,) = connection.execute(
                "SELECT count(*) FROM asset_partition_dag_run WHERE created_dag_run_id IS NULL"
            ).fetchone() or (0,)
            rows = connection.execute(
                "SELECT partition_key, dag_run.state, task_instance.state FROM dag_run"
                " JOIN task_instance USING (dag_id, run_id) WHERE dag_id = %s ORDER BY dag_run.id",
                (CONSUMER,),
            ).fetchall()
        if n_waiting or any(state not in {"success", "failed"} for _, state, _ in rows):
            return None
        return [(key, task) for key, _, task in rows if key.startswith("TIER1|60|")]

    return wait_for(lambda: (ended(),) if ended() is not None else None)[0] or []


def key_of(days_ago: int) -> str:
    """Return the key of a day."""
    day = datetime.fromtimestamp(TODAY.timestamp() - days_ago * DAY_S, UTC).date()
    return f"TIER1|60|{day.isoformat()}"


def take_away(questdb: QuestDBServer, *, ticker: str, open_s: int) -> None:
    """Let an hour vanish from QuestDB, behind everybody's back."""

    def count() -> int:
        return int(connection.execute("SELECT count() FROM ohlcv").fetchone()[0])  # type: ignore[index]

    with questdb.connect() as connection:
        before = count()
        connection.execute(
            f"CREATE TABLE kept AS (SELECT * FROM ohlcv WHERE NOT (ticker = '{ticker}' AND interval = '60'"  # noqa: S608
            f" AND ts = {open_s * 1_000_000}))"
        )
        connection.execute("TRUNCATE TABLE ohlcv")
        connection.execute("INSERT INTO ohlcv SELECT * FROM kept")
        connection.execute("DROP TABLE kept")
        wait_for(lambda: count() == before - 1)


def test_a_consumer_runs_per_verified_day_and_revision_and_never_on_an_incomplete_day(
    stack: Stack, questdb_session: QuestDBServer
) -> None:
    stack.exchange.set_clock(NOW)
    tickers = [one.ticker for one in read_catalogue().entries if one.tier == "TIER1" and one.active]
    assert HELD_UP in tickers

    # With one of its assets missing, no day of the tier is published.
    backfill(stack, *(ticker for ticker in tickers if ticker != HELD_UP))
    assert events(stack) == []
    assert consumed(stack) == []

    backfill(stack, HELD_UP)
    first = events(stack)
    days = [key for key, _, _ in first]
    assert sorted(days)[-7:] == [key_of(n) for n in range(7, 0, -1)]
    assert {one[1:] for one in first} == {(1, "complete")}
    assert sorted(consumed(stack)) == sorted((key, "success") for key in days)
    assert taken(stack) == dict.fromkeys(days, 1)

    # A restated candle and one that has vanished make revisions; one that comes twice, as after a crash,
    # changes nothing.
    restated, again, vanishing = key_of(2), key_of(3), key_of(4)
    stack.exchange.fault(
        "restated",
        ticker="XBTUSD",
        interval=60,
        ts=int(TODAY.timestamp()) - 2 * DAY_S + 5 * HOUR_S,
        extra_trades=2,
        extra_volume=0.5,
        count=None,
    )
    with psycopg.connect(stack.ledger_uri) as connection:
        connection.execute(
            "UPDATE verified_days SET confirmed = 0"
            " WHERE tier = 'TIER1' AND interval_minutes = 60 AND day = %s",
            (again.rpartition("|")[2],),
        )
    take_away(questdb_session, ticker=HELD_UP, open_s=int(TODAY.timestamp()) - 4 * DAY_S + 7 * HOUR_S)
    stack.exchange.advance(HOUR_S)
    backfill(stack, "XBTUSD", HELD_UP)
    assert sorted(events(stack)[len(days) :]) == [
        (vanishing, 2, "repaired"),
        (again, 1, "complete"),
        (restated, 2, "restated"),
    ]
    assert sorted(consumed(stack)[len(days) :]) == [
        (vanishing, "success"),
        (again, "skipped"),
        (restated, "success"),
    ]
    assert taken(stack) == dict.fromkeys(days, 1) | {restated: 2, vanishing: 2}
