"""The price at a time is the close of the last candle before it, or it is not proven, and why is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv import price_at
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.times import utc
from tests.integration.damage import NOW, History, spoil
from tests.integration.ledger_pages import add_proof, know
from tests.integration.reader.test_as_of import put
from tests.integration.reader.test_read_candles import AAA, HERE, open_at

if TYPE_CHECKING:
    from kraken_ohlcv.reader.price_at import PriceStatement
    from kraken_ohlcv.reader.stores import Stores

QUARTER = 900


@pytest.fixture
def told(stores: Stores, ledger_uri: str) -> Stores:
    """Give stores with hours that had as many trades as they are before the running one, but for one."""
    spoil(ledger_uri, stores.questdb, History([], {}))
    know(stores.ledger, AAA, HERE - 400 * 3600)
    put(stores, {hour: -hour for hour in (-400, *range(-40, -1)) if hour != -30})
    return stores


def state(stores: Stores, hour: int, past_s: int = 0, **options: str) -> PriceStatement:
    """Return the price at a time of an hour, counted from the running one."""
    return price_at("AAAUSD", 60, utc(HERE + hour * 3600 + past_s), stores=stores, **options)


def empty(stores: Stores, first: int, end: int, evidence: str) -> None:
    """Prove that nothing traded in some hours."""
    add_proof(stores.ledger, AAA, HERE + first * 3600, HERE + end * 3600, evidence)


def candle_of(statement: PriceStatement) -> tuple[object, int] | None:
    """Return since when the candle is that a statement rests on, and its trades."""
    found = statement.candle
    return None if found is None or found.candle is None else (found.start, found.candle["trades"])


@pytest.mark.parametrize("past_s", [0, QUARTER], ids=["at the boundary", "inside of the hour"])
def test_the_candle_that_closed_last_gives_the_price_and_the_one_around_the_time_stands_beside_it(
    told: Stores, past_s: int
) -> None:
    statement = state(told, -35, past_s)

    assert (statement.price, statement.is_proven, statement.doubt) == (2.0, True, "")
    assert candle_of(statement) == (open_at(-36), 36)
    assert statement.before == statement.candle
    assert (statement.containing.start, statement.containing.status) == (open_at(-35), "stored")
    assert statement.candle is not None
    assert statement.candle.line is not None
    assert '"trades":36,' in statement.candle.line
    assert statement.candle.stored_at is not None


def test_hours_without_trades_are_passed_over_when_each_is_proven(told: Stores) -> None:
    empty(told, -30, -29, "trades")
    empty(told, -399, -360, "archive")
    empty(told, -360, -40, "ohlc")

    near, far = state(told, -29), state(told, -40)

    assert (candle_of(near), dict(near.empty)) == ((open_at(-31), 31), {"empty_trades": 1})
    assert (near.before.status, near.before.start) == ("empty_trades", open_at(-30))
    assert (candle_of(far), dict(far.empty)) == (
        (open_at(-400), 400),
        {"empty_archive": 39, "empty_ohlc": 320},
    )
    assert far.price == 2.0


def test_a_missing_hour_in_between_leaves_the_price_unproven_and_is_named_with_its_cure(
    told: Stores,
) -> None:
    statement = state(told, -29, QUARTER)

    assert (statement.price, statement.candle, statement.before.status) == (None, None, "missing")
    (hole,) = statement.holes
    assert (hole.start_s, hole.end_s) == (HERE - 30 * 3600, HERE - 29 * 3600)
    assert "the next run of DAG backfill_tier" in statement.doubt
    assert statement.containing.status == "stored"
    assert state(told, -31).is_proven
    assert state(told, -28).is_proven


def test_an_hour_that_is_not_due_yet_leaves_the_price_unproven(told: Stores) -> None:
    statement = price_at("AAAUSD", 60, utc(NOW - 9), stores=told)

    assert (statement.price, statement.before.status) == (None, "pending")
    assert "not due yet" in statement.doubt
    assert (statement.containing.status, statement.containing.line) == ("open", None)


def test_a_candle_where_trades_prove_that_nothing_traded_is_no_price(told: Stores) -> None:
    empty(told, -36, -35, "trades")

    statement = state(told, -35)

    assert (statement.price, candle_of(statement)) == (None, (open_at(-36), 36))
    assert "prove that nothing traded there" in statement.doubt


def test_a_statement_is_the_same_again_as_of_its_moment_whatever_comes_later(told: Stores) -> None:
    first, unproven = state(told, -35), state(told, -29)
    put(told, {-36: 99})
    empty(told, -30, -29, "trades")

    now = state(told, -35)
    again = state(told, -35, as_of=first.as_of.isoformat())

    assert again == first
    assert candle_of(now) == (open_at(-36), 99)
    past = state(told, -29, as_of=unproven.as_of.isoformat())
    assert (past.price, state(told, -29).price) == (None, 2.0)
    assert "it was missing then" in past.doubt


def test_a_series_in_which_nothing_traded_has_no_price(told: Stores) -> None:
    know(told.ledger, AAA, HERE - 400 * 3600)
    statement = state(told, -400, 2 * 3600)
    assert candle_of(statement) is None
    assert statement.doubt != ""


def test_times_that_the_series_cannot_speak_of_are_refused(told: Stores) -> None:
    with pytest.raises(BadRequestError, match="is in the future"):
        state(told, 1)
    with pytest.raises(BadRequestError, match="is no time"):
        price_at("AAAUSD", 60, "noon", stores=told)
    with pytest.raises(BadRequestError, match="not in the catalogue"):
        price_at("NONEUSD", 60, "2026-11-01", stores=told)
    with pytest.raises(BadRequestError, match="no bucket of AAAUSD 60 had closed"):
        price_at("AAAUSD", 60, "2009-01-01", stores=told)
