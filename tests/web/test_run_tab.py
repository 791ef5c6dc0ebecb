"""The tab on a DAG run: what this run found, did and left open; of runs that fill no gap, their result."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.web.run_words import result_in_words

if TYPE_CHECKING:
    from tests.integration.world import World
    from tests.web.conftest import Site


def test_the_tab_of_a_run_leads_to_what_the_run_is_about(site: Site, world: World) -> None:
    del world
    client = site.client("viewer")
    assert client.get("/ohlcv/run?dag_id=backfill_tier2_daily").headers["location"] == (
        "coverage?tier=TIER2&range=30d"
    )
    for dag_id in ("validate_data_hourly", "completeness_report_daily", "ingest_ohlcvt_archive"):
        assert client.get(f"/ohlcv/run?dag_id={dag_id}").headers["location"] == "coverage"
    other = client.get("/ohlcv/run?dag_id=%3Cscript%3E")
    assert (other.status_code, "<script>" in other.text.partition("<main")[2]) == (200, False)
    assert "does not touch candles" in other.text


def test_the_tab_tells_what_this_run_did_and_not_what_others_did(site: Site, damaged: World) -> None:
    runs = damaged.rows(
        "SELECT run_id, count(*) AS n FROM gap_outcomes GROUP BY run_id ORDER BY min(gap_id), run_id"
    )
    run_id = runs[0]["run_id"]
    with connect(damaged.dsn) as connection:
        connection.execute("UPDATE backfill_runs SET dag_id = 'backfill_tier1_daily'")
        connection.execute("UPDATE gap_outcomes SET dag_id = 'backfill_tier1_daily'")
    outcomes = damaged.rows(
        "SELECT outcome, error FROM gap_outcomes WHERE run_id = %(run)s ORDER BY outcome", run=run_id
    )
    client = site.client("viewer")
    page = client.get("/ohlcv/run", params={"dag_id": "backfill_tier1_daily", "run_id": run_id})
    assert page.status_code == 200
    words = " ".join(html.unescape(page.text).split())
    assert words.count("<tr> <th scope") == len(outcomes) > 1
    assert words.count("Filled.") == [one["outcome"] for one in outcomes].count("filled") > 0
    (failed,) = [one for one in outcomes if one["outcome"] == "failed"]
    assert f"Left open, because it failed: {failed['error']}" in words
    assert "Since then" not in words

    # Another run fills it: this one did not.
    damaged.run(intervals=[60], retry_failed=True)
    words = " ".join(client.get(f"/ohlcv/run?dag_id=backfill_tier1_daily&run_id={run_id}").text.split())
    assert words.count("Filled.") == [one["outcome"] for one in outcomes].count("filled")
    assert "Since then it was filled" in words

    unknown = client.get("/ohlcv/run?dag_id=backfill_tier1_daily&run_id=manual__none").text
    assert "The ledger has nothing of this run yet." in unknown
    assert "no result yet" in client.get("/ohlcv/run?dag_id=validate_data_hourly&run_id=x").text


RESULTS: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "validate_data_hourly",
        {
            "checked_at": "2026-11-23T12:00:00Z",
            "assets_checked": 20,
            "interval_minutes": 1440,
            "assets_missing_data": [{"ticker": "XBTUSD", "hours_behind": 26}],
            "decisions": [],
        },
        [
            "It checked 20 series at 1 d, and 1 of them is without data that should be here.",
            "XBTUSD: 26 hours behind.",
        ],
    ),
    ("validate_data_hourly", {"errors": ["prepare: no ledger"]}, []),
    (
        "completeness_report_daily",
        {
            "tier": "TIER1",
            "total_assets": 20,
            "completeness_pct": 95.0,
            "intervals": {"60": {"total_gaps": 2}},
        },
        ["Of 20 assets of Tier 1, 95.0 % have no open gap.", "2 gaps were open when it counted."],
    ),
    (
        "cleanup_gap_records_weekly",
        {"filled_deleted": 3, "failed_deleted": 1},
        [
            "It deleted 3 filled gap records and 1 failed one, 0 incidents that were over and 0 old reports.",
            "A gap that is still missing is found again by the next backfill.",
        ],
    ),
]


@pytest.mark.parametrize(("dag_id", "result", "told"), RESULTS)
def test_results_of_other_runs_are_told_in_sentences(
    dag_id: str, result: dict[str, Any], told: list[str]
) -> None:
    assert result_in_words(dag_id, result) == told
