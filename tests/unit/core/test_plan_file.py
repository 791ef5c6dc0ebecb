"""The file of the plan: what is shipped, what an edit changes, and how mistakes are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.errors import CatalogueError
from kraken_ohlcv.core.plan_file import N_PAIRS, read_plan_file, tiers_at_parse
from kraken_ohlcv.core.selection import SelectRule
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV
from kraken_ohlcv.core.tiers import SHIPPED, Targets, TierPlan

if TYPE_CHECKING:
    from pathlib import Path

ONE = "assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_file_shipped_is_the_plan_of_celery_beat() -> None:
    plan = read_plan_file()
    assert plan.tiers == SHIPPED
    assert plan.rules == ()
    assert {tier: (one.schedule, one.intervals) for tier, one in plan.tiers.items()} == {
        "TIER1": ("0 2 * * *", (60, 1440)),
        "TIER2": ("0 3 * * *", (1440,)),
        "TIER3": (None, (1440,)),
        "TIER4": (None, (1440,)),
    }
    assert {one.n_assets for one in tiers_at_parse().values()} >= {20, 30}


def test_without_tiers_and_select_the_plan_is_that_shipped(tmp_path: Path) -> None:
    plan = read_plan_file(written(tmp_path, ONE))
    assert (plan.tiers, plan.rules) == (SHIPPED, ())


def test_a_tier_partly_given_takes_the_other_fields_as_shipped(tmp_path: Path) -> None:
    text = (
        ONE + "tiers:\n  TIER1: {max_gaps_per_asset: 3}\n  TIER3:\n    schedule: 0 5 * * 0\n    hours: 200\n"
    )
    file = written(tmp_path, text)
    plan = read_plan_file(file)
    assert plan.tiers["TIER1"] == TierPlan(intervals=(60, 1440), schedule="0 2 * * *", max_gaps_per_asset=3)
    assert plan.tiers["TIER3"] == TierPlan(schedule="0 5 * * 0", hours=200)
    assert plan.tiers["TIER2"] == SHIPPED["TIER2"]
    assert {tier: one.plan for tier, one in tiers_at_parse(file).items()} == plan.tiers


@pytest.mark.parametrize("share", [99, 99.9, 100])
def test_a_tier_may_have_a_target(tmp_path: Path, share: float) -> None:
    plan = read_plan_file(
        written(tmp_path, f"{ONE}tiers:\n  TIER1: {{targets: {{verified_pct: {share}}}}}\n")
    )
    targets = plan.tiers["TIER1"].targets
    assert targets.verified_pct == share
    assert (targets.is_met(None), targets.is_met(share), targets.is_met(share - 0.1)) == (None, True, False)
    assert plan.tiers["TIER2"].targets == Targets()


def test_targets_are_there_as_shipped_and_null_switches_one_off(tmp_path: Path) -> None:
    assert Targets() == Targets(verified_pct=99.9, fresh_pct=99.0, fresh_within_minutes=60)
    text = "tiers:\n  TIER1: {targets: {verified_pct: null, fresh_within_minutes: 5}}\n"
    targets = read_plan_file(written(tmp_path, ONE + text)).tiers["TIER1"].targets
    assert (targets.verified_pct, targets.fresh_pct, targets.fresh_within_minutes) == (None, 99.0, 5)
    assert targets.is_met(0.0) is None


def test_a_tier_without_a_schedule_promises_nothing() -> None:
    assert {tier: plan.promised.verified_pct for tier, plan in SHIPPED.items()} == {
        "TIER1": 99.9,
        "TIER2": 99.9,
        "TIER3": None,
        "TIER4": None,
    }


def test_rules_alone_are_a_plan(tmp_path: Path) -> None:
    file = written(tmp_path, "select:\n  - {quote: USD, tier: TIER4, exclude: [USDT*]}\n")
    plan = read_plan_file(file)
    assert plan.catalogue.entries == []
    assert plan.rules == (SelectRule(quote="USD", tier="TIER4", exclude=("USDT*",)),)
    assert tiers_at_parse(file)["TIER4"].n_assets == N_PAIRS


def test_an_asset_may_have_its_own_intervals(tmp_path: Path) -> None:
    text = ONE + "  - {ticker: ETHUSD, base: ETH, quote: USD, tier: TIER1, intervals: [1, 60]}\n"
    entries = read_plan_file(written(tmp_path, text)).catalogue.entries
    assert [entry.intervals for entry in entries] == [None, (1, 60)]


MISTAKES = [
    pytest.param("tiers: {TIER9: {}}", ["line 3", "TIER9", "TIER1, TIER2"], id="an unknown tier"),
    pytest.param("tiers: [TIER1]", ["line 3", "mapping"], id="a list of tiers"),
    pytest.param("tiers:\n  TIER1: daily", ["line 4", "tiers.TIER1", "mapping"], id="a tier that is a word"),
    pytest.param(
        "tiers:\n  TIER1:\n    cron: '0 2 * * *'", ["line 5", "cron", "schedule"], id="unknown field"
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    schedule: daily",
        ["line 5", "'daily'", "five cron fields"],
        id="a word for a cron",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    schedule: 0 2 31 2 *",
        ["line 5", "'0 2 31 2 *'", "no such day"],
        id="no such day",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    intervals: [60, 7]",
        ["line 5", "is 7", "5, 15, 30"],
        id="an interval not served",
    ),
    pytest.param("tiers:\n  TIER1:\n    intervals: ['60']", ["line 5", "'60'"], id="an interval in quotes"),
    pytest.param("tiers:\n  TIER1:\n    intervals: 60", ["line 5", "intervals", "60"], id="no list"),
    pytest.param("tiers:\n  TIER1:\n    intervals: [60, 60]", ["line 5", "twice"], id="an interval twice"),
    pytest.param("tiers:\n  TIER1:\n    intervals: [yes]", ["line 5", "True"], id="yes for an interval"),
    pytest.param("tiers:\n  TIER1:\n    intervals: [[60]]", ["line 5", "one value"], id="a list in a list"),
    pytest.param("tiers:\n  TIER1:\n    hours: 0", ["line 5", "hours", "is 0", "1"], id="hours of none"),
    pytest.param("tiers:\n  TIER1:\n    lookback_days: -1", ["line 5", "-1"], id="a negative lookback"),
    pytest.param(
        "tiers:\n  TIER1:\n    repair_from: [api]", ["line 5", "'api'", "'ohlc'"], id="a wrong source"
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    hours: 3\n    hours: 4",
        ["line 6", "'hours'", "twice"],
        id="a field given twice",
    ),
    pytest.param(
        "tiers:\n  TIER2:\n    intervals: [1]\n    repair_from: [ohlc]",
        ["line 5", "12 h of interval 1", "'0 3 * * *'", "24 h", "'0 */8 * * *'", "trades"],
        id="minutes daily without trades",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    targets: {verified_pct: 101}",
        ["line 5", "targets.verified_pct", "101"],
        id="101 %",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    targets: {fresh_pct: 0}",
        ["line 5", "targets.fresh_pct", "0"],
        id="fresh at 0 %",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    targets: {fresh_within_minutes: null}",
        ["line 5", "targets.fresh_within_minutes"],
        id="no time to be fresh in",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    targets: {fresh_within_minutes: 1.5}",
        ["line 5", "targets.fresh_within_minutes", "1.5"],
        id="a minute and a half",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    targets: {fresh_within_minutes: -1}",
        ["line 5", "targets.fresh_within_minutes", "-1", "0"],
        id="time that runs backwards",
    ),
    pytest.param("tiers:\n  TIER1:\n    targets: 99", ["line 5", "targets", "99"], id="a bare target"),
    pytest.param(
        "tiers:\n  TIER1:\n    targets: {verified_pct: [99]}",
        ["line 5", "verified_pct"],
        id="a list of targets",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    targets: {coverage: 99}",
        ["line 5", "targets.coverage"],
        id="an unknown target",
    ),
    pytest.param(
        "tiers:\n  TIER2:\n    intervals: [1]\n    trades_call_budget: 0",
        ["line 5", "12 h of interval 1", "'0 */8 * * *'", "trades_call_budget"],
        id="minutes daily with trades but no call for them",
    ),
    pytest.param(
        "tiers:\n  TIER1:\n    hours: !!bool maybe",
        ["line 5", "'maybe'", "!!bool", "remove the tag"],
        id="a tag that is not true",
    ),
    pytest.param("tiers:\n  TIER1:\n    hours: !!int ''", ["line 5", "!!int"], id="a tag of nothing"),
    pytest.param(
        "tiers:\n  TIER1:\n    schedule: off", ["line 5", "is False", "quotes"], id="off for a schedule"
    ),
    pytest.param("tiers:\n  TIER1:\n    intervals: {60: 1}", ["line 5", "60", "key"], id="numbers as keys"),
    pytest.param(
        "select:\n  - tier: TIER4\n    exclude: [*EUR]",
        ["line 5", "'*EUR]'", "value that begins with *", "quotes"],
        id="a glob that YAML takes for an alias",
    ),
    pytest.param(
        "select:\n  - {tier: TIER4, exclude: [*]}",
        ["line 4", "value that begins with *", "quotes"],
        id="a bare star",
    ),
    pytest.param(
        "select:\n  - {tier: TIER4, include: [eth*]}",
        ["line 4", "include.0", "'eth*'", "capital letters"],
        id="a glob in lower case",
    ),
    pytest.param("select: {quote: USD}", ["line 3", "select", "list"], id="one rule that is no list"),
    pytest.param("select:\n  - USD", ["line 4", "mapping"], id="a bare quote"),
    pytest.param(
        "select:\n  - {quote: USD}", ["line 4", "select[0].tier", "missing"], id="a rule without a tier"
    ),
    pytest.param("select:\n  - {tier: TIER4, quote: usd}", ["line 4", "quote", "'usd'"], id="lower case"),
    pytest.param(
        "select:\n  - {tier: TIER4, include: 'ETH*'}", ["line 4", "include"], id="a glob without a list"
    ),
    pytest.param("select:\n  - {tier: TIER4, quotes: USD}", ["line 4", "quotes", "quote"], id="unknown key"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_in_tiers_or_rules_is_told_with_line_and_cure_and_takes_no_schedule(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    file = written(tmp_path, f"{ONE}{text}\n")
    with pytest.raises(CatalogueError) as error:
        read_plan_file(file)
    for part in ["mine.yaml", *said]:
        assert part in str(error.value)
    assert len(str(error.value)) < 500
    assert str(error.value).count("mine.yaml line ") == str(error.value).replace("begun in line", "").count(
        "line "
    )
    assert {tier: one.plan for tier, one in tiers_at_parse(file).items()} == SHIPPED


@pytest.mark.parametrize("mistake", ["  TIER2: {hours: 0}\n", "select:\n  - {quote: USD}\n", "tiers: {}\n"])
def test_a_mistake_anywhere_in_tiers_or_rules_takes_all_schedules_back_to_those_shipped(
    tmp_path: Path, mistake: str
) -> None:
    good = f"{ONE}tiers:\n  TIER3: {{schedule: 0 5 * * 0}}\n"
    assert tiers_at_parse(written(tmp_path, good))["TIER3"].plan.schedule == "0 5 * * 0"
    found = tiers_at_parse(written(tmp_path, good + mistake))
    assert {tier: one.plan for tier, one in found.items()} == SHIPPED
    assert [tier for tier, one in found.items() if one.is_in_doubt] == (
        ["TIER2", "TIER3"] if "TIER2" in mistake else ["TIER3"]
    )


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = f"{ONE}tiers:\n  TIER1: {{hours: 0}}\n  TIER8: {{}}\nselect:\n  - {{quote: USD}}\n"
    with pytest.raises(CatalogueError) as error:
        read_plan_file(written(tmp_path, text))
    for part in ("line 4", "line 5", "line 7"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        *("assets: [", "\t", "", f"assets: {'[' * 5000}", f"assets: {'[' * 900_000}"),
        *("a:\n" + "{a: " * 200_000, "- " * 300_000, "x" * 2_000_000, "\0"),
        "\n".join(" " * depth + "a:" for depth in range(900)),
    ],
    ids=["cut", "a tab", "empty", "brackets", "many", "mappings", "dashes", "long", "null", "deep"],
)
def test_a_file_that_cannot_be_read_takes_no_schedule(tmp_path: Path, text: str) -> None:
    found = tiers_at_parse(written(tmp_path, text))
    assert {tier: one.plan for tier, one in found.items()} == SHIPPED


def test_a_missing_file_takes_no_schedule(tmp_path: Path) -> None:
    assert {tier: one.plan for tier, one in tiers_at_parse(tmp_path / "none").items()} == SHIPPED


def test_a_bad_line_of_an_asset_stops_only_that_asset(tmp_path: Path) -> None:
    text = (
        "assets:\n"
        "  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1, intervals: [60, 61]}\n"
        "  - {ticker: ETHUSD, base: ETH, quote: USD, tier: TIER3}\n"
        "  - {ticker: SOLUSD, base: SOL, quote: USD, tier: TIER3, intervals: [1]}\n"
        "tiers:\n  TIER3: {schedule: 0 5 * * 0, repair_from: [ohlc]}\n"
    )
    file = written(tmp_path, text)
    plan = read_plan_file(file)
    assert [entry.ticker for entry in plan.catalogue.entries] == ["ETHUSD"]
    odd, far = plan.catalogue.problems
    assert (odd.line, odd.ticker, far.line, far.ticker) == (2, "XBTUSD", 4, "SOLUSD")
    assert "intervals" in odd.said
    assert "168 h" in far.said
    assert tiers_at_parse(file)["TIER3"].plan.schedule == "0 5 * * 0"


@pytest.mark.parametrize("cron", ["0 */12 * * *", "0 * * * *"])
def test_a_schedule_that_pauses_no_longer_than_the_window_keeps_minutes(tmp_path: Path, cron: str) -> None:
    text = f"{ONE}tiers:\n  TIER1: {{intervals: [1], schedule: {cron}, repair_from: [ohlc]}}\n"
    assert read_plan_file(written(tmp_path, text)).tiers["TIER1"].schedule == cron


ALL = ["TIER1", "TIER2", "TIER3", "TIER4"]


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        pytest.param(
            "tiers: {TIER1: {hours: 0}, TIER3: {schedule: 0 5 * * 0}}", ["TIER1", "TIER3"], id="on one line"
        ),
        pytest.param("tier:\n  TIER3: {schedule: 0 5 * * 0}\n", ["TIER3"], id="a key misspelt"),
        pytest.param("- tiers:\n    TIER4: {schedule: 0 5 * * 0}\n", ["TIER4"], id="a list at the top"),
        pytest.param("tiers:\n  TIER1: {hours: 0}  # not TIER3: weekly\n", ["TIER1"], id="only in a comment"),
        pytest.param("tiers:\n  TEIR3: {schedule: 0 5 * * 0}\n", ALL, id="a tier misspelt"),
        pytest.param("tiers:\n  !TIER3 : {schedule: 0 5 * * 0}\n", ALL, id="a tier that is a tag"),
        pytest.param("", ALL, id="empty, as while it is saved"),
        pytest.param(
            f"assets: []\n{'# long' * 200_000}\ntiers: {{TIER3: {{}}}}", ALL, id="too long to be read"
        ),
    ],
)
def test_a_dag_that_a_file_with_a_mistake_may_have_scheduled_stays(
    tmp_path: Path, text: str, doubtful: list[str]
) -> None:
    found = tiers_at_parse(written(tmp_path, text))
    assert {tier: one.plan for tier, one in found.items()} == SHIPPED
    assert [tier for tier, one in found.items() if one.is_in_doubt] == doubtful


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_no_dag_goes_when_the_file_is_saved_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(f"# schöner\n{ONE}tiers:\n  TIER3: {{schedule: 0 5 * * 0}}\n".encode(encoding))
    assert all(one.is_in_doubt for one in tiers_at_parse(file).values())
    with pytest.raises(CatalogueError, match=r"line 1: byte 0x.. is not UTF-8; save the file as UTF-8"):
        read_plan_file(file)


def test_no_dag_goes_when_the_file_is_not_there(tmp_path: Path) -> None:
    assert all(one.is_in_doubt for one in tiers_at_parse(tmp_path / "none").values())


def test_a_plan_with_windows_line_ends_and_a_byte_order_mark_is_one_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(
        b"\xef\xbb\xbf" + f"{ONE}tiers:\n  TIER3: {{schedule: 0 5 * * 0}}\n".replace("\n", "\r\n").encode()
    )
    assert read_plan_file(file).tiers["TIER3"].schedule == "0 5 * * 0"
    assert tiers_at_parse(file)["TIER3"].plan.schedule == "0 5 * * 0"


@pytest.mark.parametrize("odd", ["XBTUSD: {tier: TIER1}", "{XBTUSD: {tier: TIER1}}", "XBTUSD"])
def test_assets_that_are_no_list_are_refused_also_beside_rules_since_none_of_them_would_be_kept(
    tmp_path: Path, odd: str
) -> None:
    file = written(tmp_path, f"select:\n  - {{quote: USD, tier: TIER4}}\nassets:\n  {odd}\n")
    with pytest.raises(CatalogueError, match="line 4: needs a list named assets, not"):
        read_plan_file(file)


def test_a_line_out_of_reach_is_named_with_its_own_number_whatever_the_lines_before_it(
    tmp_path: Path,
) -> None:
    text = (
        "assets:\n"
        "  - {ticker: [SOLUSD], base: SOL, quote: USD, tier: TIER3}\n"
        "  - {ticker: SOLUSD, base: SOL, quote: USD, tier: TIER9}\n"
        "  - {ticker: SOLUSD, base: SOL, quote: USD, tier: TIER3, intervals: [1]}\n"
        "tiers:\n  TIER3: {schedule: 0 5 * * 0, repair_from: [ohlc]}\n"
    )
    problems = read_plan_file(written(tmp_path, text + "select: []\n")).catalogue.problems
    assert [problem.line for problem in problems] == [2, 3, 4]
    assert "168 h" in problems[2].said


def test_a_line_with_many_levels_takes_no_schedule(tmp_path: Path) -> None:
    deep = "[" * 40 + "]" * 40
    text = f"{ONE}  - {{ticker: ETHUSD, base: {deep}}}\ntiers:\n  TIER3: {{schedule: 0 5 * * 0}}\n"
    file = written(tmp_path, text)
    assert read_plan_file(file).tiers["TIER3"].schedule == "0 5 * * 0"
    assert tiers_at_parse(file)["TIER3"].plan.schedule == "0 5 * * 0"


@pytest.mark.parametrize("path", ["mine.yaml", "~/mine.yaml", "include/../mine.yaml"])
def test_a_file_that_only_some_processes_would_find_is_refused_and_no_dag_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    written(tmp_path, ONE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ASSETS_FILE_ENV, path)
    with pytest.raises(CatalogueError, match=f"{ASSETS_FILE_ENV} is '{path}', which is no full path"):
        read_plan_file()
    assert all(one.is_in_doubt for one in tiers_at_parse().values())
