"""Monthly statements: made once per tier and month, kept as they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.core.tiers import SHIPPED, TierPlan
from kraken_ohlcv.statement.document import document_of
from kraken_ohlcv.statement.gather import StatementError
from kraken_ohlcv.statement.make import keep_monthly
from kraken_ohlcv.stores.ledger.plan import write_plan
from kraken_ohlcv.stores.ledger.statements import keep_statement, list_statements, read_statement
from tests.integration.damage import candle
from tests.integration.scripted_month import HOURLY, NOW, OCTOBER, OPEN, hours
from tests.unit.builders import DAY, HOUR

if TYPE_CHECKING:
    from tests.integration.scripted_month import Month


def kept(month: Month, now_s: int) -> list[tuple[str, str, int]]:
    """Make what is to be made; return tier, range and version of each."""
    with month.ledger() as connection:
        made = keep_monthly(connection, month.questdb, now_s=now_s)
    return [(one["tier"], one["range"], one["version"]) for one in made]


def test_the_first_run_of_a_month_makes_that_of_the_month_before_and_no_other_run_does(month: Month) -> None:
    # Not before it is over and due; a scheduler that slept on the 1st makes up for it.
    assert kept(month, OCTOBER.end_s - HOUR) == [("TIER1", "2026-09", 1), ("TIER2", "2026-09", 1)]
    assert kept(month, OCTOBER.end_s + HOUR) == []
    assert kept(month, NOW + 3 * DAY) == [("TIER1", "2026-10", 1), ("TIER2", "2026-10", 1)]
    assert kept(month, NOW + 4 * DAY) == []
    with month.ledger() as connection:
        newest = list_statements(connection)[0]
        found = read_statement(connection, newest.statement_id)
    assert found is not None
    document = document_of(found.body)
    assert (document["tier"], document["range"]["name"], document["totals"]["pending"]) == (
        "TIER1",
        "2026-10",
        0,
    )


def test_a_month_that_is_never_wholly_due_is_stated_after_a_week(month: Month) -> None:
    with month.ledger() as connection:
        # Nothing is due before the backfill of January.
        yearly = TierPlan(intervals=(60, 1440), schedule="0 0 1 1 *")
        write_plan(connection, {**SHIPPED, "TIER1": yearly}, (), (), pace_s=1.0)
    assert kept(month, NOW) == [("TIER2", "2026-10", 1)]
    assert kept(month, OCTOBER.end_s + 7 * DAY) == [("TIER1", "2026-10", 1)]


def test_a_month_that_ended_before_records_began_has_no_statement(month: Month) -> None:
    with month.ledger() as connection:
        connection.execute("UPDATE history SET records_began = to_timestamp(%s)", (OCTOBER.end_s,))
    assert kept(month, NOW) == []


def test_a_kept_statement_is_never_changed_and_another_of_the_range_is_a_new_version(month: Month) -> None:
    assert len(kept(month, NOW)) == 2
    with month.ledger() as connection:
        first = next(one for one in list_statements(connection) if one.tier == "TIER1")
        found = read_statement(connection, first.statement_id)
        assert found is not None
        for sql in ("UPDATE statements SET body = '{}'", "DELETE FROM statements"):
            with pytest.raises(psycopg.errors.RaiseException, match="kept as they were made"):
                connection.execute(sql)
        with pytest.raises(psycopg.errors.CheckViolation, match="body_is_what_was_hashed"):
            keep_statement(
                connection, "TIER1", OCTOBER, made_s=NOW, body=found.body + " ", sha256=found.sha256
            )
        again = keep_statement(connection, "TIER1", OCTOBER, made_s=NOW, body=found.body, sha256=found.sha256)
        assert again.version == 2
        assert [one.version for one in list_statements(connection) if one.tier == "TIER1"] == [2, 1]


def test_a_tier_whose_candles_do_not_add_up_leaves_the_others_theirs(month: Month) -> None:
    first = hours(*OPEN)[0]
    month.questdb.query("ALTER TABLE ohlcv DEDUP DISABLE")
    for _ in range(2):
        month.write([candle(HOURLY, first)])
    with month.ledger() as connection, pytest.raises(StatementError, match="TIER1: two counts of the stored"):
        keep_monthly(connection, month.questdb, now_s=NOW)
    with month.ledger() as connection:
        assert [one.tier for one in list_statements(connection)] == ["TIER2"]
