"""A statement says what a count of the raw rows says, in JSON and in HTML."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.statement.document import document_of, is_good
from kraken_ohlcv.statement.make import make_statement
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.command_line import only_reads
from tests.integration.scripted_month import (
    ACCEPTED,
    CLOSED_FROM,
    DAILY,
    DISPUTED,
    HOSTILE,
    HOURLY,
    IMPORTED,
    LOST,
    NOW,
    OCTOBER,
    OPEN,
    PROVISIONAL,
    RESTATED,
    hours,
    made,
    of_series,
    script_month,
)
from tests.unit.builders import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.statement.make import Statement
    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer
    from tests.integration.scripted_month import Month


@pytest.fixture(scope="module")
def month(
    postgres_server: PostgresServer, ledger_template: str, questdb_session: QuestDBServer
) -> Iterator[Month]:
    """Give October 2026 to all tests of this file, which only read."""
    questdb_session.start()
    with questdb_session.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ohlcv")
    name = "ledger_of_october"
    postgres_server.create_database(name, template=ledger_template)
    client = QuestDBClient(QuestDBAddress.of_url(questdb_session.url(), name="candles"))
    yield script_month(postgres_server.uri(name), client)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def statement(month: Month) -> Statement:
    """Give the statement of that month."""
    return made(month)


def test_every_count_of_a_series_is_that_of_the_raw_rows(month: Month, statement: Statement) -> None:
    hourly, daily = of_series(statement, 60), of_series(statement, 1440)
    n_hours = len(OCTOBER.days) * 24
    missing = OPEN[1] + ACCEPTED[1] + LOST[1]
    assert hourly["stored_by_source"] == month.by_source(HOURLY)
    assert hourly["stored_by_source"]["archive_provisional"] == PROVISIONAL[1]
    assert daily["stored_by_source"] == month.by_source(DAILY) == {"ohlc": 31}
    assert hourly["proven_by"] == {"trades": 1}
    assert {name: hourly[name] for name in ("due", "missing", "accepted", "open", "pending")} == {
        "due": n_hours,
        "missing": missing,
        "accepted": ACCEPTED[1],
        "open": OPEN[1] + LOST[1],
        "pending": 0,
    }
    assert hourly["stored"] == n_hours - missing - 1
    unproven = missing + PROVISIONAL[1] + IMPORTED[1] + DISPUTED[1]
    assert (hourly["disputed"], hourly["unproven"]) == (DISPUTED[1], unproven)
    verified = n_hours - missing - DISPUTED[1]
    assert hourly["verified_pct"] == verified * 1_000_000 // n_hours / 10_000
    assert (daily["due"], daily["verified_pct"], daily["before_start"]) == (31, 100.0, 0)
    totals = statement.document["totals"]
    for name in ("due", "stored", "proven_empty", "missing", "accepted", "unproven", "disputed"):
        assert totals[name] == hourly[name] + daily[name], name


def test_a_missed_target_names_what_missed_it(statement: Statement) -> None:
    document = statement.document
    verified, fresh = document["targets"]
    bad = OPEN[1] + ACCEPTED[1] + LOST[1] + DISPUTED[1]
    assert (verified["name"], verified["target_pct"], verified["is_met"]) == ("verified", 99.9, False)
    assert (verified["due"], verified["bad"]) == (31 * 25, bad)
    assert f"{bad} of {31 * 25} buckets that count are missing or disputed" in verified["why"]
    assert f"AAAUSD 60 ({bad})" in verified["why"]
    assert fresh["name"] == "fresh"
    assert not is_good(document)


def test_each_gap_says_how_it_was_closed(statement: Statement) -> None:
    gaps = statement.document["gaps"]
    expected = {
        **{source: {"gaps": 1, "candles": n} for source, (_, n) in CLOSED_FROM.items()},
        "accepted": {"gaps": 1, "candles": ACCEPTED[1]},
        "open": {"gaps": 1, "candles": OPEN[1]},
        "lost": {"gaps": 1, "candles": LOST[1]},
    }
    assert gaps["by_outcome"] == expected
    assert (gaps["total"], len(gaps["listed"]), gaps["not_listed"]) == (8, 8, 0)
    trades = next(one for one in gaps["listed"] if one["outcome"] == "trades")
    assert (trades["start"], trades["end"]) == tuple(map(iso, hours(*CLOSED_FROM["trades"])))
    assert (trades["took_s"], trades["attempts"]) == (2 * HOUR, 2)
    accepted = next(one for one in gaps["listed"] if one["outcome"] == "accepted")
    assert (accepted["accepted_by"], accepted["accepted_reason"]) == ("ops <b>", HOSTILE)


def test_incidents_of_the_tier_are_told_with_what_of_them_lies_in_the_range(statement: Statement) -> None:
    incidents = statement.document["incidents"]
    told = {one["key"]: (one["seconds"], one["seconds_in_range"]) for one in incidents["listed"]}
    assert told == {
        "source": (3 * HOUR, 2 * HOUR),
        "stale": (7 * HOUR, 7 * HOUR),
        # Still open: up to now, of which eight hours are November's.
        "run:backfill_tier1_daily": (DAY + 8 * HOUR, DAY),
    }
    assert (incidents["total"], incidents["of_other_tiers"]) == (3, 1)
    assert incidents["seconds_in_range"] == DAY + 9 * HOUR


def test_restatements_have_old_and_new_values(statement: Statement) -> None:
    restated = statement.document["restatements"]
    counts = {name: restated[name] for name in ("replaced", "seen_once", "of_earlier_days", "not_listed")}
    assert counts == {"replaced": 1, "seen_once": 1, "of_earlier_days": 1, "not_listed": 0}
    one = next(one for one in restated["listed"] if one["candle"] == iso(hours(RESTATED, 1)[0]))
    assert (one["old"]["close"], one["new"]["close"], one["new"]["trades"]) == (1.5, 1.75, 4)
    assert one["replaced_at"] == iso(hours(RESTATED, 9)[1])


def test_what_stays_unproven_is_named_with_its_reason(statement: Statement) -> None:
    document = statement.document
    assert {(one["interval"], one["what"]): one["buckets"] for one in document["unproven"]} == {
        (60, "missing"): OPEN[1] + ACCEPTED[1] + LOST[1],
        (60, "archive_provisional"): PROVISIONAL[1],
        (60, "imported"): IMPORTED[1],
        (60, "disputed"): DISPUTED[1],
    }
    (accepted,) = document["accepted"]
    assert (accepted["buckets"], accepted["by"], accepted["reason"]) == (ACCEPTED[1], "ops <b>", HOSTILE)


def test_the_json_round_trips_and_is_what_the_hash_is_over(statement: Statement) -> None:
    assert document_of(statement.text) == statement.document
    assert hashlib.sha256(statement.text.encode()).hexdigest() == statement.sha256


def test_the_html_holds_the_figures_fetches_nothing_and_escapes_what_people_wrote(
    statement: Statement,
) -> None:
    html = statement.html()
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; &#34;broken&#34;" in html
    assert "ops &lt;b&gt;" in html
    assert not re.search(r"""(src|href|url)\s*[=(]""", html)
    hourly = of_series(statement, 60)
    for said in (
        "Statement of completeness",
        "1 October 2026 to 31 October 2026",
        "Targets missed" if statement.document["targets"][1]["is_met"] is False else "Target missed",
        f'<td class="num">{hourly["stored"]}</td>',
        f"{hourly['verified_pct']}\u2009%",
        "filled from the archive",
        "filled from trades",
        "proven empty",
        "nobody has it",
        "close: 1.5, 1.75",
        "imported from another system",
        statement.sha256,
        "kraken-ohlcv statement TIER1 --from 2026-10-01 --to 2026-11-01",
    ):
        assert said in html, said
    assert html.count("<thead>") == html.count("<table") == html.count("<caption>") > 6


def test_a_bucket_belongs_to_the_day_of_its_last_second(month: Month) -> None:
    one_day = Period(OCTOBER.start_s + 2 * DAY, OCTOBER.start_s + 3 * DAY)
    statement = made(month, period=one_day)
    assert (of_series(statement, 60)["due"], of_series(statement, 1440)["due"]) == (24, 1)
    assert statement.document["range"]["name"] == "2026-10-03_2026-10-03"


def test_a_range_that_is_not_over_counts_nothing_that_is_not_due(month: Month) -> None:
    now_s = OCTOBER.start_s + 10 * DAY + 8 * HOUR
    document = made(month, now_s=now_s).document
    hourly = next(one for one in document["series"] if one["interval"] == 60)
    assert document["range"]["is_over"] is False
    assert hourly["due"] == 10 * 24 + 8  # stored ahead of what is due
    assert any("not over" in one for one in document["unknown"])


def test_a_login_that_may_only_read_makes_the_same_statement(month: Month, statement: Statement) -> None:
    with only_reads(month.dsn) as dsn, connect(dsn) as connection:
        document = make_statement(connection, month.questdb, "TIER1", OCTOBER, now_s=NOW).document
    assert {**document, "as_of": ""} == {**statement.document, "as_of": ""}


@pytest.mark.parametrize(
    ("tier", "period", "says"),
    [
        pytest.param("TIER9", OCTOBER, "tier 'TIER9': use one of TIER1", id="no such tier"),
        pytest.param("TIER4", OCTOBER, "TIER4 has no active assets", id="a tier without assets"),
        pytest.param(
            "TIER1", Period(NOW // DAY * DAY + DAY, NOW + 9 * DAY), "has not begun", id="the future"
        ),
    ],
)
def test_what_cannot_be_stated_is_refused(month: Month, tier: str, period: Period, says: str) -> None:
    with pytest.raises(BadRequestError, match=says):
        made(month, tier, period)
