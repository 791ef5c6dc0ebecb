"""Values in and out of QuestDB: times under any local zone, decimals, and what is refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.errors import QuestDBError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.clients.questdb.client import QuestDBClient

TABLE = "hook_values"
DDL = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (ts TIMESTAMP, name SYMBOL, price DOUBLE, trades LONG)
TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, name)"""
INSERT = "INSERT INTO hook_values (ts, name, price, trades) VALUES (%(ts)s, %(name)s, %(price)s, %(trades)s)"
BY_POSITION = "INSERT INTO hook_values (ts, name, price, trades) VALUES (%s, %s, %s, %s)"
ALL = "SELECT ts, name, price, trades FROM hook_values ORDER BY ts, name"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def hook(questdb_conn: str) -> QuestDBClient:
    """Give a hook and an empty table."""
    questdb = QuestDBHook(questdb_conn_id=questdb_conn).client()
    questdb.query(f"DROP TABLE IF EXISTS {TABLE}")
    questdb.query(DDL)
    return questdb


@pytest.fixture
def new_york_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process live in a zone with daylight saving."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def row(**fields: Any) -> dict[str, Any]:
    return {"ts": NOON, "name": "a", "price": 1.5, "trades": 3, **fields}


@pytest.mark.usefixtures("new_york_clock")
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(datetime(2026, 11, 1, tzinfo=UTC), id="the day New York's clocks go back"),
        pytest.param(datetime(2026, 3, 8, tzinfo=UTC), id="the day New York's clocks go forward"),
        pytest.param(datetime(2026, 7, 1, tzinfo=UTC), id="a summer day"),
    ],
)
def test_every_hour_of_a_day_comes_back_as_it_was(hook: QuestDBClient, first: datetime) -> None:
    assert time.localtime().tm_zone in {"EST", "EDT"}
    hours = [first + timedelta(hours=number) for number in range(30)]
    spoken = [
        hours[:10],
        [hour.astimezone(NEW_YORK) for hour in hours[10:20]],
        [int(hour.timestamp()) * 1_000_000 for hour in hours[20:]],
    ]
    hook.write_batch(TABLE, INSERT, [row(ts=ts) for part in spoken for ts in part])
    stored = [found[0] for found in hook.query(ALL)]
    assert stored == hours
    assert {found.tzinfo for found in stored} == {UTC}
    asked = {"from": hours[5].astimezone(NEW_YORK), "until": hours[8]}
    sql = "SELECT ts FROM hook_values WHERE ts >= %(from)s AND ts < %(until)s ORDER BY ts"
    assert [found[0] for found in hook.query(sql, asked)] == hours[5:8]
    assert [found[0] for found in QuestDBHook().get_records(sql, asked)] == hours[5:8]


@pytest.mark.usefixtures("new_york_clock")
def test_hour_that_new_york_has_twice_is_two_hours(hook: QuestDBClient) -> None:
    half_past_one = [datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=fold) for fold in (0, 1)]
    hook.write_batch(TABLE, INSERT, [row(ts=ts) for ts in half_past_one])
    assert [found[0] for found in hook.query(ALL)] == [
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
    ]


def test_decimals_become_the_nearest_float(hook: QuestDBClient) -> None:
    prices = [Decimal("105433.60000"), Decimal("0.00000001"), Decimal("12345678901234567890.5")]
    hook.write_batch(TABLE, BY_POSITION, [(NOON, str(n), price, n) for n, price in enumerate(prices)])
    assert [found[2] for found in hook.query(ALL)] == [float(price) for price in prices]
    assert hook.query("SELECT count() FROM hook_values WHERE price = %(p)s", {"p": prices[0]}) == [(1,)]


def test_absent_numbers_stay_absent(hook: QuestDBClient) -> None:
    hook.write_batch(TABLE, INSERT, [row(price=None, trades=None)])
    assert hook.query(ALL) == [(NOON, "a", None, None)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([row(), row(ts=None)], "row 1 has no time", id="no time"),
        pytest.param(
            [(NOON, "a", 1.0, 1), (None, "b", 1.0, 1)], "row 1 has no time", id="no time, by position"
        ),
        pytest.param([row(ts=float("nan"))], "row 0 has no time", id="NaN as time"),
        pytest.param([row(), row(price=float("nan"))], "row 1 has nan as price", id="NaN"),
        pytest.param([row(price=Decimal("Infinity"))], "row 0 has Infinity as price", id="infinity"),
        pytest.param([row(ts=NOON.replace(tzinfo=None))], "has no time zone", id="a naive time"),
    ],
)
def test_rows_that_would_be_stored_as_something_else_are_refused(
    hook: QuestDBClient, rows: list[Any], said: str
) -> None:
    sql = INSERT if isinstance(rows[0], dict) else BY_POSITION
    with pytest.raises(ValueError, match=said):
        hook.write_batch(TABLE, sql, rows)
    assert hook.query(ALL) == []


@pytest.mark.parametrize("value", [("a", "b"), ["a", "b"]])
def test_collection_as_one_parameter_is_refused_instead_of_matching_nothing(
    hook: QuestDBClient, value: object
) -> None:
    hook.write_batch(TABLE, INSERT, [row()])
    with pytest.raises(TypeError, match=r"write IN \(%s, %s\)"):
        hook.query("SELECT name FROM hook_values WHERE name IN %(names)s", {"names": value})
    with pytest.raises(TypeError, match=r"write IN \(%s, %s\)"):
        QuestDBHook().get_records("SELECT name FROM hook_values WHERE name IN %(names)s", {"names": value})


def test_naive_time_in_a_question_is_refused(hook: QuestDBClient) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        hook.query("SELECT ts FROM hook_values WHERE ts = %(ts)s", {"ts": NOON.replace(tzinfo=None)})


def test_statement_at_which_the_server_would_hang_up_is_refused(hook: QuestDBClient) -> None:
    with pytest.raises(ValueError, match="longer than QuestDB's"):
        hook.query("SELECT 1 -- " + "x" * 1_000_000)
    many = {f"p{number}": number for number in range(32_768)}
    with pytest.raises(ValueError, match="32768 parameters"):
        hook.query("SELECT 1", many)


def test_percent_sign_needs_no_escape_without_parameters(hook: QuestDBClient) -> None:
    assert hook.query("SELECT 7 % 4 rest") == [(3,)]
    assert hook.query("SELECT %(a)s %% 4 rest", {"a": 7}) == [(3,)]


def test_statement_without_result_returns_no_rows(hook: QuestDBClient) -> None:
    assert hook.query(f"TRUNCATE TABLE {TABLE}") == []


def test_bulk_insert_of_the_base_class_is_refused(hook: QuestDBClient) -> None:
    with pytest.raises(NotImplementedError, match="write_batch"):
        QuestDBHook().insert_rows(TABLE, [(NOON, "a", 1.0, 1)], commit_every=0)


def test_refused_statement_is_told_on_one_line(hook: QuestDBClient) -> None:
    with pytest.raises(QuestDBError, match="table does not exist") as caught:
        hook.query("SELECT *\nFROM no_such_table")
    assert "\n" not in str(caught.value)
