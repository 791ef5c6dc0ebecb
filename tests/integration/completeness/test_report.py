"""The report: its figures agree with the stores, its history keeps one a run, its digest goes once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.completeness.require import ask
from kraken_ohlcv.completeness.table import as_text
from kraken_ohlcv.core.errors import SlackAnswerLostError, SlackRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.tiers import SHIPPED, TierPlan
from kraken_ohlcv.monitoring.digest import send_digest
from kraken_ohlcv.stores.ledger.plan import take_pairs, write_plan
from kraken_ohlcv.stores.ledger.reports import GapTimes
from kraken_ohlcv.stores.ledger.series_state import register_series
from kraken_ohlcv.stores.ledger.session import connect, one
from kraken_ohlcv.stores.queries import statement
from kraken_ohlcv_airflow.slack import slack_channel
from local.stack import webhook_connection
from tests.conftest import set_connection
from tests.integration.damage import NOW, Damaged, History, candle, spoil
from tests.integration.ledger_pages import TIMES, add_gap

if TYPE_CHECKING:
    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.completeness.report import Report
    from simulators.slack_client import SlackAdmin

TIER1, TIER2 = Series("AAAUSD", 60), Series("BBBUSD", 60)
HOUR = HOUR_S
INSERT = statement("insert_candle")
FLOOR = NOW // HOUR * HOUR
RUN = RunKey("completeness_report_daily", "run_1")


@pytest.fixture
def questdb(candle_table: str) -> QuestDBClient:
    del candle_table
    return QuestDBHook(questdb_conn_id="questdb_default").client()


@pytest.fixture
def webhook(slack: SlackAdmin, monkeypatch: pytest.MonkeyPatch) -> SlackAdmin:
    """Give a Slack that ``slack_alerts`` posts to."""
    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack.webhook_url))
    return slack


def stored(*holes: tuple[int, int], begins: int = -700) -> set[int]:
    """Return hours before the running one, but for some holes."""
    return {hour for hour in range(begins, 0) if not any(start <= hour < end for start, end in holes)}


def report_on(
    dsn: str, questdb: QuestDBClient, *, tier: str = "ALL", run: str = "run_1", at: int = NOW
) -> Report:
    """Make a report on hourly candles and keep it."""
    with connect(dsn) as connection:
        made = make_report(
            connection, questdb, ReportRequest(tier=tier, intervals=[60]), now_s=at, clock="exchange"
        )
        made.keep(connection, RunKey(RUN.dag_id, run))
    return made


def gap(dsn: str, series: Series, start: int, end: int, status: str = "DETECTED", **more: Any) -> None:
    """Put a gap record into the ledger; buckets and times are counted in hours before the running one."""
    columns = {
        "candles_from_today": more.pop("from_today", -start),
        "detected_at": 0,
        "expires_at": 0,
        **more,
    }
    with connect(dsn) as connection:
        add_gap(
            connection,
            series,
            (FLOOR + start * HOUR, FLOOR + end * HOUR),
            status,
            **{name: FLOOR + v * HOUR if name in TIMES else v for name, v in columns.items()},
        )


def test_the_old_keys_tell_the_gap_records_and_the_new_ones_the_candles(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    spoil(
        ledger_uri,
        questdb,
        History([Damaged(TIER1, -700, stored((-50, -40))), Damaged(TIER2, -900, stored(begins=-900))], {}),
    )
    gap(ledger_uri, TIER2, -800, -795, "UNFILLABLE")
    gap(ledger_uri, TIER2, -100, -99, "FAILED")

    result = report_on(ledger_uri, questdb).result()

    assert (result["total_assets"], result["assets_with_gaps"]) == (3, 1)
    # Of CCCUSD nothing is stored: without a gap record it is not complete all the same.
    assert (result["completeness_pct"], result["assets_without_data"]) == (33.3333, ["CCCUSD"])
    hourly = result["intervals"]["60"]
    assert (hourly["fillable_gaps"], hourly["unfillable_gaps"], hourly["total_gaps"]) == (1, 1, 2)
    of_series = {line["ticker"]: line for line in result["series"]}
    assert (of_series["AAAUSD"]["missing"], of_series["AAAUSD"]["open_gaps"]) == (10, 0)
    assert (of_series["BBBUSD"]["missing"], of_series["BBBUSD"]["open_gaps"]) == (0, 2)
    assert of_series["AAAUSD"]["oldest_open_gap"] == "2026-11-21T10:00:00"
    assert hourly["missing"] == sum(line["missing"] for line in result["series"])
    assert (result["cross_check"], result["series_omitted"]) == (None, 0)
    assert result["warnings"] == ["never loaded: CCCUSD 60"]


def test_nothing_expected_is_no_data_and_never_complete(ledger_uri: str, questdb: QuestDBClient) -> None:
    spoil(ledger_uri, questdb, History([], dict.fromkeys(("AAAUSD", "BBBUSD", "CCCUSD"), 5 * DAY_S)))

    made = report_on(ledger_uri, questdb)

    result = made.result()
    assert (result["completeness_pct"], result["assets_without_data"]) == (
        None,
        ["AAAUSD", "BBBUSD", "CCCUSD"],
    )
    hourly = result["intervals"]["60"]
    assert (hourly["expected"], hourly["coverage_pct"], hourly["verified_pct"]) == (0, None, None)
    assert {line["verified_pct"] for line in result["series"]} == {None}
    assert result["warnings"] == [
        "pairs that the exchange never had; nothing is expected of them: AAAUSD, BBBUSD, CCCUSD"
    ]
    text = as_text(made)
    assert "nothing is expected of 3 assets: no data" in text
    assert "100" not in text
    with connect(ledger_uri) as connection:
        answer = ask(
            connection,
            questdb,
            tier="ALL",
            interval_minutes=60,
            since_s=NOW - DAY_S,
            tickers=["AAAUSD"],
            now_s=NOW,
        )
    assert not answer.is_complete
    assert "AAAUSD has no data: Kraken does not know the pair" in answer.sentence


def test_a_digest_of_nothing_says_no_data(
    ledger_uri: str, questdb: QuestDBClient, webhook: SlackAdmin
) -> None:
    spoil(ledger_uri, questdb, History([], dict.fromkeys(("AAAUSD", "BBBUSD", "CCCUSD"), 5 * DAY_S)))
    report_on(ledger_uri, questdb)
    assert send(ledger_uri) == "the digest was sent"
    (message,) = webhook.messages()
    assert "no data" in message["text"]
    assert "nothing is missing" not in message["text"]
    assert "None" not in message["text"]


def test_the_table_of_the_log_begins_with_what_is_worst(ledger_uri: str, questdb: QuestDBClient) -> None:
    spoil(
        ledger_uri,
        questdb,
        History([Damaged(TIER1, -700, stored()), Damaged(TIER2, -700, stored((-500, -100)))], {"CCCUSD": 5}),
    )

    lines = as_text(report_on(ledger_uri, questdb)).splitlines()

    assert lines[0].startswith("ALL at 2026-11-23T12:34:56 UTC: 100.0 % of 2 assets have no open gap")
    rows = [line.split("│")[1].strip() for line in lines if line.startswith("│")]
    assert rows == ["CCCUSD 60", "BBBUSD 60", "AAAUSD 60", "all 60"]
    assert lines[-2:] == [
        "no data: CCCUSD",
        "pairs that the exchange never had; nothing is expected of them: CCCUSD",
    ]


def test_a_run_that_starts_again_replaces_its_report(ledger_uri: str, questdb: QuestDBClient) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, stored((-50, -40)))], {}))
    report_on(ledger_uri, questdb)
    spoiled = Damaged(TIER1, -700, stored((-50, -49)))
    with connect(ledger_uri) as connection:
        questdb.write_batch("ohlcv", INSERT, [candle(TIER1, spoiled.open_s(n)) for n in range(-49, -40)])

        report_on(ledger_uri, questdb)
        report_on(ledger_uri, questdb, run="run_2")

        kept = connection.execute(
            "SELECT run_id, missing, expected FROM completeness_reports"
            " JOIN completeness_lines USING (report_id) WHERE ticker = 'AAAUSD' ORDER BY report_id"
        ).fetchall()
    assert [(row["run_id"], row["missing"]) for row in kept] == [("run_1", 1), ("run_2", 1)]
    assert kept[0]["expected"] == kept[1]["expected"] == 700


def test_gap_times_count_from_when_a_gap_could_be_seen_and_from_when_it_was(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, set()), Damaged(TIER2, -700, set())], {}))
    with connect(ledger_uri) as connection:
        connection.execute(
            "UPDATE assets SET added_at = to_timestamp(%s) WHERE ticker = 'AAAUSD'", (FLOOR - 5000 * HOUR,)
        )
        connection.execute(
            "UPDATE assets SET added_at = to_timestamp(%s) WHERE ticker = 'BBBUSD'", (FLOOR - 30 * HOUR,)
        )
    # Its first bucket closed at -99; seen at -89, filled at -85.
    gap(
        ledger_uri,
        TIER1,
        -100,
        -90,
        "FILLED",
        detected_at=-89,
        from_today=11,
        filled_at=-85,
        filled_from="ohlc",
    )
    # The same hole seen at once, trimmed since: its first start was -70.
    gap(ledger_uri, TIER1, -61, -60, detected_at=-60, from_today=10)
    # Long before the asset was in the catalogue, which was at -30; seen at -28.
    gap(ledger_uri, TIER2, -600, -500, detected_at=-28, from_today=572)
    # Older than 30 days: neither detected nor filled lately.
    gap(ledger_uri, TIER2, -1000, -990, "FILLED", detected_at=-900, filled_at=-890, filled_from="ohlc")

    with connect(ledger_uri) as connection:
        asked = {"intervals": [60], "since_s": NOW - 30 * DAY_S}
        found = one(connection, "read_gap_times", GapTimes, asked, tickers=["AAAUSD", "BBBUSD"])
        nothing = one(connection, "read_gap_times", GapTimes, asked, tickers=["CCCUSD"])

    # 10, 9 and 2 hours: the median, and 9/10 of the way from the second to the third.
    assert (found.gaps_detected, found.gaps_filled) == (3, 1)
    assert found.mttd_s == {"p50": 9 * HOUR, "p95": 9 * HOUR + 54 * 60}
    assert found.mttr_s == {"p50": 4 * HOUR, "p95": 4 * HOUR}
    assert nothing == GapTimes(0, 0, None, None)


def test_restatements_of_thirty_days_are_told(ledger_uri: str, questdb: QuestDBClient) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, stored(), restated={-3, -4})], {}))
    with connect(ledger_uri) as connection:
        connection.execute(
            "UPDATE candle_restatements SET first_seen_at = to_timestamp(%s - restatement_id * 3600),"
            " applied_at = CASE restatement_id WHEN 1 THEN now() END",
            (NOW,),
        )

    told = report_on(ledger_uri, questdb).result()["restatements"]

    assert (told["candles"], told["applied"], len(told["newest"])) == (2, 1, 2)
    assert [one["applied"] for one in told["newest"]] == [True, False]
    assert {one["candle"] for one in told["newest"]} == {"2026-11-23T08:00:00", "2026-11-23T09:00:00"}


def send(dsn: str, run: str = "run_1", *, at: int = NOW) -> str:
    """Send the digest of a run."""
    channel = slack_channel()
    assert channel is not None
    with connect(dsn) as connection:
        return send_digest(
            connection, channel, RunKey(RUN.dag_id, run), url="http://localhost:8080/dags/x/runs/y", now_s=at
        )


def test_a_digest_says_what_has_changed_and_goes_once(
    ledger_uri: str, questdb: QuestDBClient, webhook: SlackAdmin
) -> None:
    spoil(
        ledger_uri,
        questdb,
        History([Damaged(TIER1, -700, stored()), Damaged(TIER2, -700, stored((-90, -80)))], {"CCCUSD": 5}),
    )
    report_on(ledger_uri, questdb, at=NOW - DAY_S)
    repaired = [candle(TIER2, FLOOR + hour * HOUR) for hour in range(-90, -80)]
    questdb.write_batch("ohlcv", INSERT, repaired)
    report_on(ledger_uri, questdb, run="run_2")

    assert send(ledger_uri, "run_2") == "the digest was sent"
    assert "not sent again" in send(ledger_uri, "run_2")

    (message,) = webhook.messages()
    assert "ALL: nothing is missing" in message["text"]
    assert "Complete again, 1 series: BBBUSD 60" in message["text"]
    assert "Since Sun 22 Nov 2026, 12:34 UTC" in message["text"]


def test_a_digest_names_the_pairs_that_rules_took_since_the_one_before(
    ledger_uri: str, questdb: QuestDBClient, webhook: SlackAdmin
) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, stored())], {}))
    take = {"base": "X", "quote": "USD", "tier": "TIER4", "note": "taken by rule 1 of select"}
    with connect(ledger_uri) as connection:
        take_pairs(connection, [{"ticker": "OLDUSD", **take}], [])
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (NOW - 9 * DAY_S,))
    report_on(ledger_uri, questdb, tier="TIER1", at=NOW - DAY_S)
    send(ledger_uri, at=NOW - DAY_S)
    with connect(ledger_uri) as connection:
        take_pairs(connection, [{"ticker": ticker, **take} for ticker in ("OLDUSD", "NEWUSD")], [])
        connection.execute(
            "UPDATE assets SET added_at = to_timestamp(%s) WHERE ticker = 'NEWUSD'", (NOW - HOUR,)
        )
    report_on(ledger_uri, questdb, tier="TIER1", run="run_2")
    send(ledger_uri, "run_2")
    first, second = (message["text"] for message in webhook.messages())
    assert "taken by a rule" not in first
    assert "Listed and taken by a rule, 1 pair: NEWUSD (TIER4)" in second
    assert "OLDUSD" not in second


def test_the_report_says_what_schedules_need_by_the_figures_of_their_runs(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, stored())], {}))
    minutes = TierPlan(intervals=(1, 60), schedule="0 2 * * *")
    with connect(ledger_uri) as connection:
        write_plan(connection, {**SHIPPED, "TIER1": minutes}, (), (), pace_s=1.0)
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (NOW - 99 * DAY_S,))
        for day, kind in ((1, "scheduled"), (2, "scheduled"), (3, "manual"), (45, "scheduled")):
            connection.execute(
                "INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals, ohlc_calls)"
                " VALUES ('backfill_tier1_daily', %s, to_timestamp(%s), 'TIER1', '{1,60}', %s)",
                (f"{kind}__{day}", NOW - day * DAY_S, 20 + day),
            )
        minutely = Series(TIER1.ticker, 1)
        register_series(connection, {minutely: NOW - 99 * DAY_S})
        lost = {"unfillable_reason": "outside_api_window", "expires_at": -48}
        gap(ledger_uri, minutely, -80, -75, "UNFILLABLE", **lost)
        gap(ledger_uri, minutely, -2600, -2500, "UNFILLABLE", **{**lost, "expires_at": -2400})
        connection.execute(
            "INSERT INTO gap_outcomes (dag_id, run_id, gap_id, outcome)"
            " SELECT 'backfill_tier1_daily', 'scheduled__1', gap_id, 'unfillable' FROM gap_records"
        )
    body = report_on(ledger_uri, questdb, tier="TIER1").body()
    (minute, hour, _) = body["schedules"]
    assert (hour["tier"], hour["interval"], hour["verdict"]) == ("TIER1", 60, "fits")
    assert (hour["runs"], hour["calls_per_run"], hour["gaps_per_run"]) == (2, 21.5, 0.0)
    assert (minute["verdict"], minute["proposed"]) == ("too rare", "0 */6 * * *")
    assert (minute["gaps_per_run"], minute["candles_lost"]) == (1.0, 300)
    with connect(ledger_uri) as connection:
        connection.execute("UPDATE assets SET active = FALSE WHERE ticker = %s", (minutely.ticker,))
    body = report_on(ledger_uri, questdb, tier="TIER1", run="run_1b").body()
    # No run was to fetch what an asset that is switched off has lost.
    assert body["schedules"][0]["candles_lost"] == 0
    with connect(ledger_uri) as connection:
        connection.execute(
            "UPDATE assets SET active = TRUE, kept_since = to_timestamp(%s) WHERE ticker = %s",
            (NOW - HOUR, minutely.ticker),
        )
    body = report_on(ledger_uri, questdb, tier="TIER1", run="run_1c").body()
    # Nor does what was lost under another schedule say anything of this one.
    assert body["schedules"][0]["candles_lost"] == 0
    with connect(ledger_uri) as connection:
        connection.execute("UPDATE assets SET kept_since = NULL")
        connection.execute(
            "UPDATE gap_records SET accepted_by = 'ada', accepted_at = detected_at, accepted_reason = 'lost'"
        )
    body = report_on(ledger_uri, questdb, tier="TIER1", run="run_2").body()
    # That nobody fetched it was a decision, and says nothing of the schedule.
    assert body["schedules"][0]["candles_lost"] == 0


def test_the_first_digest_has_nothing_to_compare_with(
    ledger_uri: str, questdb: QuestDBClient, webhook: SlackAdmin
) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, stored((-50, -40)))], {}))
    report_on(ledger_uri, questdb, tier="TIER1")
    send(ledger_uri)
    assert "TIER1: 10 candles missing" in webhook.messages()[0]["text"]
    assert "first report" in webhook.messages()[0]["text"]


def test_a_refused_digest_is_sent_by_another_try(
    ledger_uri: str, questdb: QuestDBClient, webhook: SlackAdmin
) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, stored())], {}))
    report_on(ledger_uri, questdb)
    webhook.fault("http", status=500)
    with pytest.raises((SlackRefusedError, SlackAnswerLostError)):
        send(ledger_uri)
    webhook.reset()
    webhook.fault("rate_limit", retry_after_s=1)
    report_on(ledger_uri, questdb, run="run_2")
    with pytest.raises(SlackRefusedError):
        send(ledger_uri, "run_2")

    assert send(ledger_uri, "run_2") == "the digest was sent"
    assert len(webhook.messages()) == 1


def test_a_digest_whose_answer_is_lost_may_have_arrived_and_is_not_sent_again(
    ledger_uri: str, questdb: QuestDBClient, webhook: SlackAdmin
) -> None:
    spoil(ledger_uri, questdb, History([Damaged(TIER1, -700, stored())], {}))
    report_on(ledger_uri, questdb)
    webhook.fault("lost_answer")

    with pytest.raises(SlackAnswerLostError, match="may have arrived and is not sent again"):
        send(ledger_uri)

    assert "not sent again" in send(ledger_uri)
    assert len(webhook.messages()) == 1


def test_a_run_without_a_report_has_no_digest(ledger_uri: str, webhook: SlackAdmin) -> None:
    assert send(ledger_uri, "run_9") == "no digest: the run made no report"
    assert webhook.messages() == []
