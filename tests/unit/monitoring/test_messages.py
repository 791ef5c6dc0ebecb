"""What people read when something is wrong: complete, plain, escaped, and within every limit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.incident import (
    Incident,
    IncidentClass,
    MessageKind,
    PairProblem,
    Problem,
    open_incident,
)
from kraken_ohlcv.core.problems import failed_run, late_run, pair_problem
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import capitalised, duration, iso_moment, moment
from kraken_ohlcv.monitoring.messages import LATE_NEWS, NEARLY_OVER, REPEAT, WORDS, compose
from kraken_ohlcv.monitoring.mrkdwn import TEXT_CHARACTERS, fitted, listed
from kraken_ohlcv.monitoring.seals import seal_problem
from kraken_ohlcv.stores.ledger.disagreements import Disagreement
from simulators.slack import limits
from tests.environments import ROOT
from tests.unit.builders import HOUR, at, quick

if TYPE_CHECKING:
    from kraken_ohlcv.monitoring.mrkdwn import Content


SINCE = at("2026-11-23T03:30:00")
LATER = SINCE + 5 * HOUR
URL = "http://localhost:8080/dags/validate_data_hourly/runs/manual__1"

OPENED, GREW, RECOVERED = MessageKind.OPENED, MessageKind.GREW, MessageKind.RECOVERED


def late(tier: str, hours: int | None) -> dict[str, Any]:
    """Return the facts about a ticker, as the hourly check gives them."""
    state = "never_loaded" if hours is None else "stale"
    return {"tier": tier, "interval_minutes": 1440, "hours_behind": hours, "hours_overdue": 5, "state": state}


def stale(subjects: dict[str, dict[str, Any]], **fields: Any) -> Incident:
    problem = Problem(
        "stale",
        "candles of 1440 minutes are missing that should be here by now",
        since_s=SINCE,
        subjects=subjects,
        url=URL,
    )
    return open_incident(replace(problem, **fields), now_s=SINCE)


THREE = {"XBTUSD": late("TIER1", 33), "NEWUSD": late("TIER2", None), "ETHUSD": late("TIER1", 57)}


def sections(content: Content) -> str:
    """Return all that the blocks say, a line a block."""
    said = []
    for block in content.blocks:
        said += [block["text"]] if "text" in block else block["elements"]
    return "\n".join(one["text"] for one in said)


def test_stale_tickers_are_reported_with_hours_behind_worst_first_and_what_happens_next() -> None:
    content = compose(stale(THREE), OPENED, as_of_s=LATER)
    assert content.text == (
        "🔴 Candles are late: 3 tickers\n"
        "Candles of 1440 minutes are missing that should be here by now.\n"
        "Since Mon 23 Nov 2026, 03:30 UTC, 5 hours so far.\n"
        "TIER1: ETHUSD 57 h behind, XBTUSD 33 h behind\n"
        "TIER2: NEWUSD (no candles yet)\n"
        "What happens next: Airflow keeps fetching what is missing and reports here when this is over."
        " If it lasts more than a few hours, open the run.\n"
        f"{URL}\n"
        "stale · as of Mon 23 Nov 2026, 08:30 UTC"
    )


def test_the_blocks_say_what_the_text_says_and_link_to_the_run() -> None:
    content = compose(stale(THREE), OPENED, as_of_s=LATER)
    assert [block["type"] for block in content.blocks] == ["header", *["section"] * 4, "context"]
    assert sections(content) == content.text.replace(URL, f"<{URL}|Open the run in Airflow>")


def test_a_single_ticker_stands_in_the_title() -> None:
    content = compose(stale({"XBTUSD": late("TIER1", 33)}), OPENED, as_of_s=SINCE)
    assert content.text.splitlines()[0] == "🔴 Candles are late: XBTUSD"
    assert "Since Mon 23 Nov 2026, 03:30 UTC.\n" in content.text


def test_growth_says_that_it_got_worse() -> None:
    content = compose(stale(THREE), GREW, as_of_s=LATER)
    assert content.text.splitlines()[0] == "🔺 It got worse: candles are late: 3 tickers"
    assert "ETHUSD 57 h behind" in content.text


def test_recovery_tells_how_long_it_lasted_and_whom_it_hit_at_any_time() -> None:
    incident = replace(stale({"XBTUSD": late("TIER1", 33)}), named=frozenset({"XBTUSD", "ETHUSD"}))
    content = compose(incident, RECOVERED, as_of_s=SINCE + 27 * HOUR)
    assert content.text == (
        "✅ Over: no candles are late any more\n"
        "It lasted 1 day 3 hours: from Mon 23 Nov 2026, 03:30 UTC to Tue 24 Nov 2026, 06:30 UTC.\n"
        "What was wrong: Candles of 1440 minutes are missing that should be here by now.\n"
        "2 tickers were affected: ETHUSD, XBTUSD.\n"
        "Nothing to do.\n"
        f"{URL}\n"
        "stale · as of Tue 24 Nov 2026, 06:30 UTC"
    )


def test_a_source_that_is_down_sends_people_to_krakens_status_page_first() -> None:
    problem = Problem("source", "Kraken says that its status is maintenance", since_s=SINCE)
    incident = open_incident(problem, now_s=SINCE)
    assert compose(incident, OPENED, as_of_s=LATER).text.splitlines()[:4] == [
        "🔴 No new candles are coming in",
        "Kraken says that its status is maintenance.",
        "Since Mon 23 Nov 2026, 03:30 UTC, 5 hours so far.",
        "What happens next: Check https://status.kraken.com. If Kraken is down, just wait: what is missing is"
        " fetched once it is back. If it is up, open the run. Until this is over, other alerts stay quiet.",
    ]
    over = compose(incident, RECOVERED, as_of_s=LATER).text
    assert over.startswith("✅ Over: new candles are coming in again\nIt lasted 5 hours:")


def test_a_budget_that_burns_is_told_with_what_is_left_of_it_and_the_worst_series() -> None:
    spent = {"reached_pct": 98.7, "target_pct": 99.9, "budget": 15.0, "left": -5.0}
    late = {"reached_pct": 98.95, "target_pct": 99.0, "budget": 1500.0, "left": 1.5}
    bad = {"bad_of_day": 4, "bad_of_week": 20, "worst": ["XBTUSD 60 (16)", "ETHUSD 1440 (4)"]}
    problem = Problem(
        "slo:TIER1",
        "TIER1 spends its error budget too fast",
        since_s=SINCE,
        subjects={"verified": spent | bad, "fresh": late | bad | {"worst": []}},
    )
    incident = open_incident(problem, now_s=SINCE)
    assert compose(incident, OPENED, as_of_s=LATER).text.splitlines()[:9] == [
        "🔴 TIER1 spends its error budget too fast",
        "Since Mon 23 Nov 2026, 03:30 UTC, 5 hours so far.",
        "• 98.95 % of the due candles came in time, over 30 days. The target is 99.0 %.",
        "    ◦ Budget: 1,500.0 candles; 1.5 are left.",
        "    ◦ Spent since yesterday: 4; within seven days: 20.",
        "• 98.7 % of the due candles are verified, over 30 days. The target is 99.9 %.",
        "    ◦ Budget: 15.0 candles; it is overspent by 5.0.",
        "    ◦ Spent since yesterday: 4; within seven days: 20.",
        "    ◦ Worst: XBTUSD 60 (16), ETHUSD 1440 (4).",
    ]
    over = compose(incident, RECOVERED, as_of_s=LATER).text
    assert over.startswith("✅ Over: TIER1 no longer spends its error budget too fast\nIt lasted 5 hours:")
    assert "2 targets were affected: fresh, verified." in over


def test_a_tier_that_is_late_as_a_whole_is_reported_with_its_numbers() -> None:
    problem = Problem(
        "source",
        "18 of 20 series of TIER1 are overdue at once",
        since_s=SINCE,
        subjects={"TIER1": {"overdue": 18, "series": 20}},
    )
    content = compose(open_incident(problem, now_s=SINCE), OPENED, as_of_s=LATER)
    assert "• TIER1: 18 of 20 series are late" in content.text


RUN = RunKey("backfill_tier1_daily", "scheduled__2026-11-23T02:00:00+00:00")


def test_a_failed_run_is_reported_with_the_errors_of_its_gaps() -> None:
    errors = [f"XBTUSD 60 gap {n}: EService:Busy" for n in range(30)]
    incident = open_incident(failed_run(RUN, errors, now_s=SINCE), now_s=SINCE)
    lines = compose(incident, OPENED, as_of_s=LATER).text.splitlines()
    assert lines[:4] == [
        "🔴 backfill_tier1_daily failed",
        "Since Mon 23 Nov 2026, 03:30 UTC, 5 hours so far.",
        "• scheduled__2026-11-23T02:00:00+00:00: failed",
        "    ◦ XBTUSD 60 gap 0: EService:Busy",
    ]
    assert lines[13:15] == [
        "    ◦ 20 more, on its page",
        "What happens next: This is over as soon as a run succeeds. If the next one fails too, open it and"
        " read its errors.",
    ]
    over = compose(incident, RECOVERED, as_of_s=LATER).text.splitlines()
    assert over[0] == "✅ Over: backfill_tier1_daily works again"
    assert "The latest run succeeded. Nothing to do." in over


def test_a_late_run_is_reported_with_the_time_at_which_it_was_due() -> None:
    incident = open_incident(late_run(RUN, state="running", due_s=SINCE), now_s=SINCE)
    text = compose(incident, OPENED, as_of_s=LATER).text
    assert text.startswith("🔴 backfill_tier1_daily is not finished in time\n")
    assert "• scheduled__2026-11-23T02:00:00+00:00: running, was due by Mon 23 Nov 2026, 03:30 UTC\n" in text
    assert "http" not in text


def test_candles_at_risk_are_reported_with_the_time_left_and_what_was_tried() -> None:
    problem = Problem(
        "at_risk",
        "Kraken will soon stop serving candles that could not be fetched so far",
        since_s=SINCE,
        subjects={
            "XBTUSD 60": {"expires_at": "2026-11-24T03:00:00", "error": "EService:Busy"},
            "ETHUSD 1440": {"expires_at": "2026-11-23T09:00:00", "error": None},
        },
        tried="a backfill was started",
    )
    assert compose(open_incident(problem, now_s=SINCE), OPENED, as_of_s=LATER).text.splitlines()[:7] == [
        "🔴 Candles may soon be lost: 2 series",
        "Kraken will soon stop serving candles that could not be fetched so far.",
        "Since Mon 23 Nov 2026, 03:30 UTC, 5 hours so far.",
        "• ETHUSD, 1440-minute candles: Kraken serves them until Mon 23 Nov 2026, 09:00 UTC",
        "• XBTUSD, 60-minute candles: Kraken serves them until Tue 24 Nov 2026, 03:00 UTC",
        "    ◦ EService:Busy",
        "Tried so far: A backfill was started.",
    ]


def test_a_misspelt_pair_is_reported_with_the_ticker_that_may_be_meant() -> None:
    problem = pair_problem("SOLLUSD", PairProblem.UNKNOWN, suggestion="SOLUSD", since_s=SINCE)
    incident = open_incident(replace(problem, url=URL), now_s=SINCE)
    assert compose(incident, OPENED, as_of_s=SINCE).text == (
        "🔴 Kraken does not know SOLLUSD\n"
        "Since Mon 23 Nov 2026, 03:30 UTC.\n"
        "• Unknown: Kraken lists no pair of this name. Did you mean SOLUSD?\n"
        "What happens next: Nothing can be fetched for it; all other tickers continue. Correct the ticker in"
        " assets.yaml. If Kraken once listed the pair and no longer does, set listed: false on its line.\n"
        f"{URL}\n"
        "pair:SOLLUSD · as of Mon 23 Nov 2026, 03:30 UTC"
    )
    assert compose(incident, RECOVERED, as_of_s=LATER).text == (
        "✅ Over: SOLLUSD is settled\n"
        "It lasted 5 hours: from Mon 23 Nov 2026, 03:30 UTC to Mon 23 Nov 2026, 08:30 UTC.\n"
        "What was wrong: Kraken does not know SOLLUSD.\n"
        "Kraken serves the pair normally again, or assets.yaml no longer expects it. Nothing to do.\n"
        f"{URL}\n"
        "pair:SOLLUSD · as of Mon 23 Nov 2026, 08:30 UTC"
    )


def test_a_pair_that_left_is_reported_with_what_becomes_of_its_history() -> None:
    incident = open_incident(
        pair_problem("MKRUSD", PairProblem.LEFT, since=iso(SINCE), since_s=SINCE), now_s=SINCE
    )
    assert compose(incident, OPENED, as_of_s=SINCE).text.splitlines()[:4] == [
        "🔴 MKRUSD has left Kraken",
        "Since Mon 23 Nov 2026, 03:30 UTC.",
        "• Left: Kraken has delisted or renamed it. Since Mon 23 Nov 2026, 03:30 UTC.",
        "What happens next: Its candles stay, and nothing more is expected of it. What is still missing from"
        " its history can only come from Kraken's archive. Set listed: false on its line in assets.yaml to"
        " end this incident; one that a rule took needs a line for that.",
    ]


def test_odd_rows_are_shown_ten_at_most_and_the_rest_is_counted() -> None:
    rows = [f"60 min, row {n}: open below low" for n in range(25)]
    incident = open_incident(
        pair_problem("XBTUSD", PairProblem.ODD_DATA, rows=rows, since_s=SINCE), now_s=SINCE
    )
    lines = compose(incident, OPENED, as_of_s=SINCE).text.splitlines()
    assert lines[2:4] == ["• Odd data: Some of it cannot be used.", "    ◦ 60 min, row 0: open below low"]
    assert lines[13:14] == ["    ◦ 15 more"]
    assert "The affected buckets stay open" in lines[14]


def test_fifty_tickers_are_all_named() -> None:
    subjects = {f"A{n:02}USD": late("TIER1" if n < 20 else "TIER2", 30 + n) for n in range(50)}
    content = compose(stale(subjects), OPENED, as_of_s=LATER)
    for said in (content.text, sections(content)):
        assert set(re.findall(r"A\d\dUSD", said)) == set(subjects)


BEHIND = [
    "3 d 8 h",
    "3 d 7 h",
    "3 d 6 h",
    "3 d 5 h",
    "3 d 4 h",
    "3 d 3 h",
    "3 d 2 h",
    "3 d 1 h",
    "3 d",
    "71 h",
]


def test_more_than_fifty_tickers_are_counted_by_tier_and_the_ten_worst_named() -> None:
    subjects = {f"A{n:02}USD": late("TIER1" if n < 20 else "TIER2", 30 + n) for n in range(51)}
    content = compose(stale(subjects), OPENED, as_of_s=LATER)
    worst = [f"A{n}USD {behind} behind" for n, behind in zip(range(50, 40, -1), BEHIND, strict=True)]
    for said in (content.text, sections(content)):
        assert f"TIER1: 20 tickers, TIER2: 31 tickers\nWorst: {', '.join(worst)}\n" in said
        assert len(re.findall(r"A\d\dUSD", said)) == 10
    over = compose(stale(subjects), RECOVERED, as_of_s=LATER).text
    assert "51 tickers were affected: A00USD, " in over
    assert ", A09USD, and 41 more.\n" in over


def test_more_than_fifty_series_at_risk_are_counted_and_the_first_ten_named() -> None:
    subjects = {f"A{n:02}USD 60": {"expires_at": f"2026-11-24T00:{n % 60:02}:00"} for n in range(60)}
    incident = stale(subjects, key="at_risk")
    said = sections(compose(incident, OPENED, as_of_s=LATER))
    assert "60 series, the first ten are:\n• A00USD, 60-minute candles" in said
    assert re.findall(r"A\d\dUSD", said) == [f"A{n:02}USD" for n in range(10)]


def test_every_value_is_escaped_with_the_ampersand_first() -> None:
    problem = Problem(
        "run:a<b>&c",
        "<!channel> & <b>",
        since_s=SINCE,
        subjects={"r<&>": {"state": "<s>", "errors": ["<e> &amp;"]}},
        tried="<t>",
        url="http://h/?a=1&b=2",
    )
    incident = open_incident(problem, now_s=SINCE)
    for kind in MessageKind:
        content = compose(incident, kind, as_of_s=LATER)
        for said in (content.text, sections(content)):
            without_link = re.sub(r"<http://[^<>|]*\|Open the run in Airflow>", "", said)
            assert not set("<>") & set(without_link)
            assert re.findall(r"&(?!(?:amp|lt|gt);)", said) == []
    text = compose(incident, OPENED, as_of_s=LATER).text
    assert "🔴 &lt;!channel&gt; &amp; &lt;b&gt;\n" in text
    assert "    ◦ &lt;e&gt; &amp;amp;\n" in text
    assert "\nhttp://h/?a=1&amp;b=2\n" in text


def test_a_value_cannot_bring_lines_of_its_own() -> None:
    incident = stale({"XBTUSD": late("TIER1", 33)}, headline="one\n\n🔴 two\r\n> three")
    assert "One 🔴 two &gt; three.\n" in compose(incident, OPENED, as_of_s=LATER).text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://h/a|b", "http://h/a b", "http://h/" + "x" * 400]
)
def test_an_address_that_is_no_plain_link_is_left_out(url: str) -> None:
    content = compose(stale(THREE, url=url), OPENED, as_of_s=LATER)
    assert "Open the run in Airflow" not in sections(content)
    assert url[:12] not in content.text


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param({"good_checks": 1}, NEARLY_OVER, id="one good check"),
        pytest.param(
            {"snoozed_until_s": LATER + HOUR},
            "Quiet until Mon 23 Nov 2026, 09:30 UTC, even if it gets worse: somebody acknowledged it.",
            id="snoozed",
        ),
    ],
)
def test_the_edited_state_of_an_open_incident_says_what_has_become_of_it(
    change: dict[str, Any], line: str
) -> None:
    before = compose(stale(THREE), OPENED, as_of_s=LATER)
    after = compose(replace(stale(THREE), **change), OPENED, as_of_s=LATER)
    assert line not in before.text
    assert line in after.text.splitlines()
    assert line in sections(after)
    assert before.digest != after.digest


def test_a_snooze_that_is_over_is_not_reported() -> None:
    incident = replace(stale(THREE), snoozed_until_s=LATER)
    assert "Quiet" not in compose(incident, OPENED, as_of_s=LATER).text


def test_the_same_state_has_the_same_digest() -> None:
    assert (
        compose(stale(THREE), OPENED, as_of_s=LATER).digest
        == compose(stale(dict(reversed(THREE.items()))), OPENED, as_of_s=LATER).digest
    )


def test_a_repeat_says_so() -> None:
    for kind in MessageKind:
        assert REPEAT in compose(stale(THREE), kind, as_of_s=LATER, may_be_repeat=True).text.splitlines()
        assert REPEAT not in compose(stale(THREE), kind, as_of_s=LATER).text


def test_a_recovery_of_what_was_never_reported_says_so() -> None:
    assert LATE_NEWS in compose(stale(THREE), RECOVERED, as_of_s=LATER, is_known=False).text.splitlines()
    assert LATE_NEWS not in compose(stale(THREE), OPENED, as_of_s=LATER, is_known=False).text


any_text = st.one_of(st.text(max_size=40), st.text(alphabet="&<>|*`_~\n x", max_size=3_000))
any_value = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text, st.lists(any_text, max_size=30)
)
facts = st.dictionaries(
    st.one_of(
        st.sampled_from([
            "tier",
            "hours_behind",
            "hours_overdue",
            "state",
            "errors",
            "n_errors",
            "due",
            "expires_at",
            "error",
        ]),
        any_text,
    ),
    any_value,
    max_size=6,
)
numbered = st.builds(lambda n, one: {f"{'&' * 60}{i}": one for i in range(n)}, st.integers(0, 200), facts)
moments = st.integers(0, 4_000_000_000)
problems = st.builds(
    Problem,
    key=st.builds("{}:{}".format, st.sampled_from(IncidentClass), any_text),
    headline=any_text,
    since_s=moments,
    subjects=st.one_of(st.dictionaries(any_text, facts, max_size=60), numbered),
    tried=st.one_of(st.none(), any_text),
    url=st.one_of(st.none(), any_text, st.builds(lambda rest: f"https://h/{rest}", any_text)),
)
incidents = st.builds(
    Incident,
    problem=problems,
    named=st.frozensets(any_text, max_size=60),
    notified_s=moments,
    growths=st.integers(0, 3),
    good_checks=st.integers(0, 3),
    snoozed_until_s=st.one_of(st.none(), moments),
)


@quick
@given(incidents, st.sampled_from(MessageKind), moments, st.booleans(), st.booleans())
def test_whatever_happened_the_message_keeps_slacks_and_discords_limits(
    incident: Incident, kind: MessageKind, as_of_s: int, may_be_repeat: bool, is_known: bool
) -> None:
    content = compose(incident, kind, as_of_s=as_of_s, may_be_repeat=may_be_repeat, is_known=is_known)
    assert limits.complaints_about(content.blocks) == []
    assert limits.count_characters(content.blocks) <= limits.MOST_BLOCK_CHARACTERS
    assert 0 < len(content.text) <= TEXT_CHARACTERS
    for said in (content.text, sections(content)):
        assert re.findall(r"&(?!(?:amp|lt|gt);)", said) == []


@pytest.mark.parametrize("kind", MessageKind)
def test_names_of_every_length_up_to_the_limit_and_beyond_fit(kind: MessageKind) -> None:
    for n in range(1, 52):
        for length in (20, 35, 45, 60, 80):
            subjects = {f"{i:0{length}}": late("TIER1", 33) for i in range(n)}
            content = compose(stale(subjects), kind, as_of_s=LATER)
            assert limits.complaints_about(content.blocks) == []
            assert len(content.text) <= TEXT_CHARACTERS


@quick
@given(any_text, st.integers(1, 100))
def test_a_cut_value_is_as_short_as_asked_and_never_cut_within_an_entity(value: str, limit: int) -> None:
    cut = fitted(value, limit)
    assert len(cut) <= limit
    assert re.findall(r"&(?!(?:amp|lt|gt);)", cut) == []


@quick
@given(st.lists(st.text(min_size=1, max_size=20), max_size=20), st.integers(-5, 100))
def test_a_list_that_does_not_fit_says_how_many_are_left_out(items: list[str], limit: int) -> None:
    said = listed(items, limit, separator="\n")
    assert len(said) <= max(0, limit)
    left_out = re.search(r"\nand (\d+) more$", said)
    assert said in {"", "\n".join(items)} or (
        left_out is not None and said.startswith("\n".join(items[: -int(left_out[1])]))
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (7_260, "2 hours 1 minute"),
        (86_400 + 59 * 60, "1 day"),
        (3 * 86_400 + 7_260, "3 days 2 hours"),
    ],
)
def test_a_duration_is_reported_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert duration(seconds) == said


def test_a_moment_is_reported_in_utc() -> None:
    assert moment(at("2026-02-01T09:05:59")) == "Sun 1 Feb 2026, 09:05 UTC"
    assert iso_moment("2026-02-01T09:05:59") == "Sun 1 Feb 2026, 09:05 UTC"
    assert iso_moment("soon") == "soon"


def test_the_manual_explains_every_message() -> None:
    manual = " ".join((ROOT / "docs" / "ALERTS.md").read_text(encoding="utf-8").split())
    for words in WORDS.values():
        assert words.over in manual
        assert words.wrong is None or f"### {capitalised(words.wrong)} " in manual
    for line in (REPEAT, LATE_NEWS, NEARLY_OVER):
        assert re.split(r"[:.]| because", line)[0] in manual
    for kind in PairProblem:
        pair = pair_problem("XBTUSD", kind, since_s=0)
        assert pair.headline.replace("XBTUSD", "`<ticker>`") in manual
    for headline in (failed_run(RUN, ["x"], now_s=0), late_run(RUN, state="", due_s=0)):
        assert headline.headline.replace(RUN.dag_id, "`<dag>`") in manual


def test_sealed_days_that_changed_are_reported_by_series_with_the_first_candle() -> None:
    found = [
        Disagreement(Series("XBTUSD", 60), 1_795_305_600, 1_795_309_200, "the bucket is not what", SINCE),
        Disagreement(Series("XBTUSD", 60), 1_795_392_000, 1_795_392_000, "another", SINCE + 60),
    ]
    problem = seal_problem(found, now_s=LATER)
    assert problem is not None
    incident = open_incident(problem, now_s=SINCE)
    assert compose(incident, OPENED, as_of_s=LATER).text.splitlines()[:6] == [
        "🔴 Sealed days have changed",
        "2 sealed days changed, and no record of a write explains it.",
        "Since Mon 23 Nov 2026, 03:30 UTC, 5 hours so far.",
        "• XBTUSD, 60-minute candles: 2 days, the first is 2026-11-22",
        "    ◦ The bucket is not what.",
        "What happens next: These days keep their seals. Find out who wrote to the stores, and compare with a"
        " backup. Put back what was there, or accept the change with param accept_changed_days of the"
        " report's DAG.",
    ]
    assert seal_problem([], now_s=LATER) is None
