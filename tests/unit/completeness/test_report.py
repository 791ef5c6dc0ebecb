"""The result and the digest of a completeness report: what is told, in which words, and how much of it."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.completeness.figures import Figures
from kraken_ohlcv.completeness.report import MAX_SERIES, Report
from kraken_ohlcv.completeness.require import parse_since
from kraken_ohlcv.completeness.table import as_text
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.tiers import Targets, Upkeep
from kraken_ohlcv.monitoring.digest import compare, compose
from kraken_ohlcv.monitoring.mrkdwn import HEADER_CHARACTERS, SECTION_CHARACTERS, TEXT_CHARACTERS
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.reports import GapTimes, KeptLine, KeptReport, OpenGaps, Restatements

NOW = 1_795_437_296  # 2026-11-23T12:34:56Z


def figures(**counts: Any) -> Figures:
    """Return the figures of a series: 100 stored, nothing else, but for what is given."""
    nothing = {field.name: 0 for field in fields(Figures)}
    moments = {"oldest_missing_s": None, "next_expiry_s": None}
    return Figures(**{**nothing, **moments, "n_series": 1, "stored": 100, **counts})


def report(of_series: dict[Series, Figures], *, clock: str = "exchange") -> Report:
    """Return a report on some series of TIER1."""
    tickers = dict.fromkeys(series.ticker for series in of_series)
    return Report(
        now_s=NOW,
        clock=clock,
        request=ReportRequest(tier="TIER1", intervals=[60]),
        assets=[
            Asset(ticker, "TIER1", "online", None, None, 0, Upkeep.shipped("TIER1")) for ticker in tickers
        ],
        figures=of_series,
        open_gaps={series: OpenGaps(1, 0) for series, one in of_series.items() if one.missing},
        gap_times=GapTimes(2, 1, {"p50": 90, "p95": 201}, None),
        restatements=Restatements(0, 0, []),
        cross_check=None,
        doubt="Time is late" if clock == "worker" else None,
    )


def test_of_many_series_the_result_names_the_least_verified_and_says_how_many_it_leaves_out() -> None:
    many = {Series(f"T{n:04}", 60): figures(fillable=n % 7) for n in range(MAX_SERIES + 50)}

    result = report(many).result()

    assert (len(result["series"]), result["series_omitted"]) == (MAX_SERIES, 50)
    shares = [line["verified_pct"] for line in result["series"]]
    assert shares == sorted(shares)
    assert result["intervals"]["60"]["missing"] == sum(n % 7 for n in range(MAX_SERIES + 50))
    assert json.loads(json.dumps(result)) == result


def test_a_target_is_met_or_missed_by_what_is_verified_and_neither_where_nothing_is_due() -> None:
    of_series = {Series("XBTUSD", 60): figures(fillable=1), Series("ETHUSD", 60): figures()}
    made = report(of_series)
    untold = Upkeep.shipped("TIER3").plan
    assets = [replace(asset, upkeep=Upkeep(untold, (60, 1440))) for asset in made.assets]
    assert replace(made, assets=assets).targets() == []
    for target, is_met in ((99.0, True), (99.5, True), (99.6, False)):
        aimed = Upkeep.shipped("TIER1").plan.model_copy(update={"targets": Targets(verified_pct=target)})
        assets = [replace(asset, upkeep=Upkeep(aimed, (60, 1440))) for asset in made.assets]
        (told,) = replace(made, assets=assets).body()["targets"]
        assert told == {"tier": "TIER1", "target_pct": target, "verified_pct": 99.5024, "is_met": is_met}
        said = as_text(replace(made, assets=assets))
        assert f"target {target:g} % verified is {'met' if is_met else 'missed'}: 99.5024 %" in said
        (none,) = replace(made, assets=assets, figures={}).targets()
        assert none["is_met"] is None


def test_gap_times_are_null_where_there_was_no_gap() -> None:
    told = report({Series("XBTUSD", 60): figures()}).result()["gap_times"]
    assert told == {
        "days": 30,
        "gaps_detected": 2,
        "gaps_filled": 1,
        "mttd_s": {"p50": 90, "p95": 201},
        "mttr_s": None,
    }


@pytest.mark.parametrize(
    ("one", "clock", "warning"),
    [
        pytest.param(figures(), "worker", "the worker's clock was used: Time is late", id="a clock in doubt"),
        pytest.param(
            figures(off_grid=3), "exchange", "off the grid, .*: XBTUSD 60 \\(3\\)", id="candles off the grid"
        ),
        pytest.param(
            figures(stored=0, fillable=5, first_s=None),
            "exchange",
            "never loaded: XBTUSD 60",
            id="never loaded",
        ),
    ],
)
def test_a_reader_is_told_what_the_figures_do_not_say(one: Figures, clock: str, warning: str) -> None:
    (found,) = report({Series("XBTUSD", 60): one}, clock=clock).warnings()
    assert re.search(warning, found)


def line(missing: int = 0, *, unfillable: int = 0, restated: int = 0) -> KeptLine:
    return KeptLine(100, missing, unfillable, restated)


XBT, ETH = Series("XBTUSD", 60), Series("ETHUSD", 60)

NOTHING = KeptLine(expected=0, missing=0, unfillable=0, restated=0)
CHANGES = [
    pytest.param(line(), line(3), {"broken": 3}, id="no longer complete"),
    pytest.param(line(3), line(5), {"worse": 2}, id="more is missing"),
    pytest.param(line(5), line(3), {"better": 2}, id="less is missing"),
    pytest.param(line(5), line(), {"whole": 0}, id="complete again"),
    pytest.param(line(5), line(5, unfillable=4), {"lost": 4}, id="out of reach"),
    pytest.param(line(), line(restated=2), {"restated": 2}, id="restated"),
    pytest.param(None, line(2), {"added": 2}, id="new"),
    pytest.param(line(2), None, {"dropped": 0}, id="no longer reported"),
    pytest.param(line(2), line(2), {}, id="as before"),
    pytest.param(line(2), NOTHING, {"emptied": 0}, id="nothing is expected any more: not complete again"),
    pytest.param(NOTHING, NOTHING, {}, id="still nothing"),
]


@pytest.mark.parametrize(("before", "now", "kinds"), CHANGES)
def test_each_change_of_a_series_has_its_kind(
    before: KeptLine | None, now: KeptLine | None, kinds: dict[str, int]
) -> None:
    found = compare({XBT: before} if before else {}, {XBT: now} if now else {})
    assert {kind: those for kind, those in found.items() if those} == {
        kind: {XBT: n} for kind, n in kinds.items()
    }


def kept(reported_s: int = NOW, tier: str = "TIER1", *, mismatched: int = 0) -> KeptReport:
    check = {"days_compared": 60, "days_mismatched": mismatched}
    body = {"completeness_pct": 50.0, "total_assets": 2, "cross_check": check}
    return KeptReport(1, reported_s, tier, [60], body)


def test_nothing_new_is_said_in_a_line() -> None:
    same = {XBT: line(), ETH: line()}
    text = compose(kept(), kept(NOW - 86400), same, same, url=None).text
    assert "Nothing has changed since Sun 22 Nov 2026, 12:34 UTC." in text
    assert "nothing is missing" in text


def test_contradicting_days_are_told() -> None:
    text = compose(kept(mismatched=1), None, {XBT: line()}, {}, url=None).text
    assert "On 1 of 60 days the hourly candles do not add up to the daily one" in text


counts = st.integers(0, 10**9)
names = st.text(max_size=12).map(lambda text: Series(f"<&{text}>", 60))
of_series = st.dictionaries(
    names,
    st.builds(KeptLine, expected=counts, missing=counts, unfillable=counts, restated=counts),
    max_size=40,
)


@given(
    now=of_series,
    before=of_series,
    url=st.one_of(st.none(), st.text(max_size=400), st.text(max_size=9).map("http://x/{}".format)),
)
def test_whatever_changes_a_digest_fits_and_escapes_every_value(
    now: dict[Series, KeptLine], before: dict[Series, KeptLine], url: str | None
) -> None:
    content = compose(kept(), kept(NOW - 86400), now, before, url=url)

    assert len(content.text) <= TEXT_CHARACTERS
    for block in content.blocks:
        body = block["text"]["text"] if "text" in block else block["elements"][0]["text"]
        assert 0 < len(body) <= (HEADER_CHARACTERS if block["type"] == "header" else SECTION_CHARACTERS)
        assert "<&" not in body
        assert url is None or "|" not in url or url not in body


@pytest.mark.parametrize(
    ("since", "moment_s"),
    [
        pytest.param("2026-11-23", NOW // 86400 * 86400, id="a day"),
        pytest.param("2026-11-23T12:34:56", NOW, id="without an offset it is UTC"),
        pytest.param("2026-11-23 13:34:56+01:00", NOW, id="with an offset"),
    ],
)
def test_a_time_to_count_from_is_iso_text(since: str, moment_s: int) -> None:
    assert parse_since(since) == moment_s


def test_a_text_that_is_no_time_is_named() -> None:
    with pytest.raises(BadRequestError, match="'last week' is no time: write it like"):
        parse_since("last week")
