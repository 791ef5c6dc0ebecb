"""What a check says of late series of several intervals: each ticker once."""

from __future__ import annotations

from kraken_ohlcv.core.freshness import Judgement, NewestEnd, judge
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.monitoring.check_text import check_in_words
from kraken_ohlcv.monitoring.validate import Check, ExchangeState

NOW_S = 1_795_392_000 + 12 * 3600  # 2026-11-23T12:00:00Z
STATE = ExchangeState(NOW_S, "exchange", "online", None)


def judged(ticker: str, minutes: int, *, days_old: int) -> Judgement:
    last_s = NOW_S // step_s(minutes) * step_s(minutes) - days_old * DAY_S - step_s(minutes)
    end = NewestEnd(
        Series(ticker, minutes), "TIER1", Upkeep.shipped("TIER1"), last_s, last_s + step_s(minutes), 0, False
    )
    return judge(end, now_s=NOW_S, hours=24)


def test_late_hours_of_a_ticker_whose_days_are_in_time_are_an_incident_of_their_own_name() -> None:
    checked = Check(
        NOW_S,
        1440,
        [judged("XBTUSD", 1440, days_old=0)],
        further=[judged("XBTUSD", 60, days_old=3), judged("ETHUSD", 60, days_old=0)],
    )
    problem = checked.stale()
    assert problem is not None
    assert problem.headline == "hourly candles are missing that should be here by now"
    assert list(problem.subjects) == ["XBTUSD 60"]
    assert checked.overdue() == ["XBTUSD"]
    result = checked.result(STATE)
    assert result["assets_missing_data"] == []
    assert [(one["ticker"], one["interval"]) for one in result["series_stale"]] == [("XBTUSD", 60)]
    lines = check_in_words(result | {"decisions": []}, ["TIER1"])
    assert [line.split()[:3] for line in lines[-2:]] == [
        ["stale", "series", "newest"],
        ["XBTUSD", "60", "2026-11-20T11:00:00"],
    ]


def test_a_ticker_whose_days_and_hours_are_late_is_named_once() -> None:
    checked = Check(
        NOW_S, 1440, [judged("XBTUSD", 1440, days_old=3)], further=[judged("XBTUSD", 60, days_old=3)]
    )
    problem = checked.stale()
    assert problem is not None
    assert (problem.headline, list(problem.subjects)) == (
        "daily candles are missing that should be here by now",
        ["XBTUSD"],
    )
    assert checked.overdue() == ["XBTUSD"]


def test_hours_in_time_are_no_incident() -> None:
    checked = Check(
        NOW_S, 1440, [judged("XBTUSD", 1440, days_old=0)], further=[judged("XBTUSD", 60, days_old=0)]
    )
    assert checked.stale() is None
    assert checked.result(STATE)["series_stale"] == []


def test_a_check_that_judged_nothing_does_not_say_that_nothing_is_late() -> None:
    lines = check_in_words({"assets_checked": 0, "assets_missing_data": []}, ["TIER1", "TIER2"])
    assert lines == ["TIER1, TIER2: no series was judged, because a step failed before"]
