"""What an older version has proven wrongly is withdrawn once, at the first run of a new one."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from kraken_ohlcv.detection.one_off import check_proofs_once
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.series_state import register_series
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.ledger_pages import add_proofs
from tests.integration.stores.test_contradictions import DAILY, DAY, FOUR_HOURS, HOUR, HOURLY, prove

if TYPE_CHECKING:
    import pytest

    from tests.integration.world import World


def check(world: World) -> int | None:
    with connect(world.dsn) as connection:
        return check_proofs_once(connection, world.questdb, now_s=int(world.exchange.now_s()))


def test_proofs_that_stand_wrongly_fall_at_the_first_run_and_the_check_is_made_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    start, end = world.window(HOURLY)
    day_s = start // DAY * DAY + 10 * DAY
    hole = (day_s + 4 * HOUR, day_s + 8 * HOUR)
    world.store(HOURLY, (start, end), without=[hole])
    prove(world, DAILY, (day_s, day_s + DAY), "archive")
    prove(world, FOUR_HOURS, (day_s, day_s + 12 * HOUR), "ohlc")
    prove(world, HOURLY, (hole[0], hole[1] + HOUR), "ohlc")
    prove(world, HOURLY, (day_s - DAY, day_s - DAY + HOUR), "trades")

    with caplog.at_level(logging.INFO):
        # Before and after the hole the four hours fall apart: two ranges of one proof.
        assert check(world) == 4

    assert "4 proofs withdrawn, 1 contradicted proofs from trades stand" in caplog.text
    assert world.proven(DAILY) == []
    assert world.proven(FOUR_HOURS) == [hole]
    assert world.proven(HOURLY) == [(day_s - DAY, day_s - DAY + HOUR), hole]
    before = world.contents()
    assert (check(world), world.contents()) == (None, before)


def test_an_empty_ledger_has_nothing_to_check(world: World) -> None:
    assert (check(world), check(world)) == (0, None)


def test_hours_proven_empty_by_an_answer_of_days_are_missing_again(world: World) -> None:
    start, end = world.window(DAILY, buckets=40)
    days = world.truth(DAILY, (start, end))
    world.store(DAILY, (start, end))
    copies = [replace(one) for one in days.values()]
    write_candles(world.questdb, HOURLY, copies, (start, end))
    with connect(world.dsn) as connection:
        register_series(connection, {HOURLY: start})
        add_proofs(connection, HOURLY, [(day_s + HOUR, day_s + DAY) for day_s in days])

    assert check(world) == len(days)

    assert world.proven(HOURLY) == []
