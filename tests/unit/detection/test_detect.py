"""Which series a run processes, and what it says of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.tiers import TierPlan, Upkeep
from kraken_ohlcv.detection.detect import SeriesSelection, select, warnings
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.counts import Counted
from tests.unit.builders import DAILY, DAY, HOUR, HOURLY, NOON, NOW, book, gap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.stores.ledger.series_state import SeriesState

EDGE = api_window_start_s(NOW, 60)


def asset(
    ticker: str = "XBTUSD",
    *,
    delisted_s: int | None = None,
    first_trade_s: float | None = None,
    seen_s: int | None = NOW - 300 * DAY,
    upkeep: Upkeep = Upkeep.shipped("TIER1"),  # noqa: B008 (it never changes)
) -> Asset:
    return Asset(
        ticker=ticker,
        tier="TIER1",
        pair_status=None if delisted_s else "online",
        delisted_s=delisted_s,
        first_trade_s=first_trade_s,
        added_s=NOW - 400 * DAY,
        upkeep=upkeep,
        seen_s=seen_s,
    )


BITCOIN = asset()
GONE = asset(delisted_s=NOW - DAY)


def selected(
    spans: dict[Series, Counted],
    *,
    books: dict[Series, SeriesState] | None = None,
    assets: tuple[Asset, ...] = (BITCOIN,),
    intervals: tuple[int, ...] = (60,),
    lookback_days: int = 7,
    now_s: int = NOW,
    tickers: list[str] | None = None,
    repair_from: Sequence[str] = ("ohlc", "trades"),
) -> SeriesSelection:
    request = BackfillRequest(
        tier="TIER1",
        intervals=list(intervals),
        lookback_days=lookback_days,
        max_gaps_per_asset=10,
        tickers=tickers,
        retry_failed=False,
        repair_from=list(repair_from),
    )
    return select(spans, books or {}, assets, request, now_s=now_s)


def span(first_s: int, last_s: int, *, step: int = HOUR) -> Counted:
    return Counted(first_s, last_s, (last_s - first_s) // step + 1)


def test_a_series_never_loaded_is_processed_from_the_edge() -> None:
    assert selected({}) == SeriesSelection(starts={HOURLY: EDGE})


def test_a_series_is_processed_from_its_oldest_candle_when_that_lies_before_the_edge() -> None:
    assert selected({HOURLY: span(EDGE - 50 * HOUR, NOON)}).starts == {HOURLY: EDGE - 50 * HOUR}


def test_a_series_processed_before_keeps_its_start() -> None:
    known = {HOURLY: book(start_s=EDGE - 9 * HOUR)}
    assert selected({HOURLY: span(EDGE, NOON)}, books=known).starts == {HOURLY: EDGE - 9 * HOUR}


def test_a_young_pair_begins_with_its_first_trade() -> None:
    young = asset(first_trade_s=NOON - 5 * HOUR + 0.5)
    assert selected({}, assets=(young,)).starts == {HOURLY: NOON - 5 * HOUR}


def test_every_interval_of_every_asset_is_a_series_of_its_own() -> None:
    ether = asset("ETHUSD")
    selection = selected({}, assets=(BITCOIN, ether), intervals=(60, 1440))
    assert list(selection.starts) == [HOURLY, DAILY, Series("ETHUSD", 60), Series("ETHUSD", 1440)]


def test_a_series_older_than_the_lookback_is_skipped_and_named() -> None:
    newest = NOON - 7 * DAY - HOUR
    spans = {HOURLY: span(newest - HOUR, newest)}
    at_the_limit = selected(spans, now_s=NOON)
    assert (list(at_the_limit.starts), at_the_limit.skipped) == ([HOURLY], [])
    a_second_later = selected(spans, now_s=NOON + 1)
    assert a_second_later == SeriesSelection(
        skipped=[{"ticker": "XBTUSD", "interval": 60, "last_candle": "2026-11-16T11:00:00"}]
    )


def test_no_series_is_too_old_for_the_schedule_that_keeps_it_even_after_a_run_that_failed() -> None:
    weekly = asset(upkeep=Upkeep(TierPlan(schedule="0 5 * * 0"), (1440,)))
    midnight = NOW // DAY * DAY
    for days, is_skipped in ((8, False), (15, False), (17, True)):
        newest = midnight - days * DAY
        selection = selected(
            {DAILY: span(newest - DAY, newest, step=DAY)},
            assets=(weekly,),
            intervals=(1440,),
            now_s=midnight + 5 * HOUR,
        )
        assert bool(selection.skipped) == is_skipped, days


def test_without_a_lookback_no_series_is_too_old() -> None:
    selection = selected({HOURLY: span(NOON - 900 * DAY, NOON - 800 * DAY)}, lookback_days=0)
    assert selection.starts == {HOURLY: NOON - 900 * DAY}


def test_only_the_series_that_is_too_old_is_skipped() -> None:
    spans = {
        HOURLY: span(NOON - 90 * DAY, NOON - 80 * DAY),
        DAILY: span(NOW // DAY * DAY - 9 * DAY, NOW // DAY * DAY - DAY, step=DAY),
    }
    selection = selected(spans, intervals=(60, 1440))
    assert list(selection.starts) == [DAILY]
    assert [skipped["interval"] for skipped in selection.skipped] == [60]


def test_a_pair_that_is_gone_is_named_and_its_stored_series_still_processed() -> None:
    selection = selected({HOURLY: span(EDGE, NOON - DAY)}, assets=(GONE,), intervals=(60, 1440))
    assert selection.delisted == ["XBTUSD"]
    assert selection.starts == {HOURLY: EDGE}


def test_a_pair_that_is_gone_is_an_error_of_a_run_that_asks_for_it_by_name() -> None:
    selection = selected({HOURLY: span(EDGE, NOON - DAY)}, assets=(GONE,), tickers=["XBTUSD"])
    assert (selection.delisted, list(selection.starts)) == (["XBTUSD"], [HOURLY])
    (error,) = selection.errors
    assert error.startswith("XBTUSD: requested by name, but Kraken has delisted it, as seen on 2026-11-22; ")
    assert "archive" in error

    # The archive may have what is missing; whether it has it is said when it was asked.
    with_archive = selected({}, assets=(GONE,), tickers=["XBTUSD"], repair_from=["ohlc", "archive"])
    assert with_archive.errors == []


def test_a_series_never_loaded_of_a_pair_that_is_gone_is_nobodys_gap() -> None:
    selection = selected({}, assets=(GONE,))
    assert selection.delisted == ["XBTUSD"]
    assert selection.starts == {}


def test_a_pair_that_was_never_listed_is_unknown_and_expected_nowhere() -> None:
    selection = selected({}, assets=(asset("SOLLUSD", delisted_s=NOW - DAY, seen_s=None), BITCOIN))
    assert (selection.unknown, selection.delisted, selection.errors) == (["SOLLUSD"], [], [])
    assert selection.starts == {HOURLY: EDGE}


def test_an_unknown_pair_that_a_run_asks_for_by_name_is_an_error_with_what_may_be_meant() -> None:
    typo = asset("SOLLUSD", delisted_s=NOW - DAY, seen_s=None)
    selection = selected({}, assets=(replace(typo, meant="SOLUSD"), BITCOIN), tickers=["SOLLUSD", "XBTUSD"])
    assert selection.errors == [
        "SOLLUSD: requested by name, but Kraken lists no pair of this name; did you mean SOLUSD?"
    ]
    assert selection.starts == {HOURLY: EDGE}


def test_a_pair_never_listed_of_which_candles_are_stored_has_left() -> None:
    selection = selected({HOURLY: span(EDGE, NOON - DAY)}, assets=(asset(delisted_s=NOW - DAY, seen_s=None),))
    assert (selection.unknown, selection.delisted) == ([], ["XBTUSD"])


def test_the_gaps_of_a_series_never_loaded_are_judged_when_its_pair_goes() -> None:
    known = {HOURLY: book([gap(EDGE, NOON)], start_s=EDGE)}
    assert selected({}, books=known, assets=(GONE,)).starts == {HOURLY: EDGE}


def test_a_series_with_a_candle_off_the_grid_is_an_error_and_not_touched() -> None:
    selection = selected({HOURLY: Counted(EDGE, EDGE + 2 * HOUR, 3, off_grid_us=30_000_000)})
    assert selection.starts == {}
    (error,) = selection.errors
    assert error.startswith("XBTUSD 60: stored candles do not lie on the 60-minute grid; set them aside")


@pytest.mark.parametrize(
    ("intervals", "n_warnings"),
    [
        pytest.param((60, 1440, 21600), 0, id="long intervals keep for days"),
        pytest.param((5,), 0, id="five minutes keep for 60 hours"),
        pytest.param((1, 60), 1, id="a minute is lost after half a day"),
    ],
)
def test_an_interval_that_a_daily_run_cannot_keep_complete_is_warned_about(
    intervals: tuple[int, ...], n_warnings: int
) -> None:
    found = warnings([BITCOIN], intervals)
    assert len(found) == n_warnings
    assert all("interval 1: the API reaches back 12 h only" in warning for warning in found)
