"""What a statement cannot know is said, and never taken for complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_ohlcv.core.times import iso
from kraken_ohlcv.statement.document import is_good
from tests.integration.scripted_month import NOW, OCTOBER, made, of_series
from tests.unit.builders import DAY

if TYPE_CHECKING:
    from tests.integration.scripted_month import Month


def test_what_cannot_be_known_is_said(month: Month) -> None:
    began_s = OCTOBER.start_s + 5 * DAY
    with month.ledger() as connection:
        connection.execute("UPDATE history SET records_began = to_timestamp(%s)", (began_s,))
        connection.execute(
            "INSERT INTO gap_history VALUES ('2026-10-01', 'AAAUSD', 60, 'FILLED', 'ohlc', 2, 7, 2, 60, 60)"
        )
        connection.execute("DELETE FROM gap_records WHERE filled_from = 'ohlc'")
    document = made(month).document
    unknown = " ".join(document["unknown"])
    assert f"unknown: before records began ({iso(began_s)})" in unknown
    assert "The clean-up has deleted 2 gap records (7 candles) closed in 2026-10 or later" in unknown
    assert document["gaps"]["deleted_by_clean_up"] == [
        {"closed_in": "2026-10", "outcome": "ohlc", "gaps": 2, "candles": 7}
    ]
    later = made(month, now_s=NOW + 200 * DAY).document
    assert any("deletes incidents 90 days after their end" in one for one in later["unknown"])


def test_nothing_due_is_no_data_and_never_good(month: Month) -> None:
    with month.ledger() as connection:
        connection.execute("UPDATE series SET start_ts = to_timestamp(%s)", (NOW,))
    month.questdb.query("TRUNCATE TABLE ohlcv")
    with month.ledger() as connection:
        connection.execute("DELETE FROM gap_records")
        connection.execute("TRUNCATE coverage_months, partitions_seen CASCADE")
    statement = made(month)
    assert statement.document["totals"]["due"] == 0
    assert statement.document["totals"]["verified_pct"] is None
    assert not is_good(statement.document)
    assert "No data is never complete." in statement.html()
    hourly = of_series(statement, 60)
    assert hourly["before_start"] == 31 * 24


def test_a_series_that_reports_counted_and_the_tier_no_longer_keeps_is_named(month: Month) -> None:
    with month.ledger() as connection:
        connection.execute(
            "INSERT INTO completeness_reports (dag_id, run_id, reported_at, tier, intervals, total_assets,"
            " assets_with_gaps, completeness_pct, body)"
            " VALUES ('d', 'r', to_timestamp(%s), 'TIER1', '{60}', 2, 0, 100, '{}')",
            (OCTOBER.start_s + DAY,),
        )
        connection.execute(
            "INSERT INTO completeness_lines (report_id, ticker, interval_minutes, tier, stored,"
            " proven_archive, proven_ohlc, proven_trades, fillable, expiring, unfillable, pending, restated,"
            " strays, fillable_gaps, unfillable_gaps)"
            " SELECT max(report_id), 'GONEUSD', 60, 'TIER1', 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 1, 0"
            " FROM completeness_reports"
        )
    unknown = made(month).document["unknown"]
    assert any("that it does not keep now; they are left out here: GONEUSD 60" in one for one in unknown)
