"""The life of pairs on real stores: unknown, gone, back, not expected; and AssetPairs that cannot be true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import KrakenNotBelievedError
from kraken_ohlcv.completeness.figures import series_figures
from kraken_ohlcv.completeness.series_rows import list_rows
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.detection.pairs import observe_listing
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.incidents import read_open
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.watching import hourly_check, messages
from tests.integration.world import World, request_of

if TYPE_CHECKING:
    from tests.integration.altered import AlteredExchange

DAY = 86_400
HOUR = 3_600
DAILY = Series("XBTUSD", 1440)
XBT = "XXBTZUSD"
"""The internal name of XBTUSD, under which AssetPairs lists it."""
OURS = ["XBTUSD", "ETHUSD", "SOLUSD", "XRPUSD", "ADAUSD"]


def backfill(world: World, **params: Any) -> dict[str, Any]:
    """Do a daily backfill with what its last task sees of pairs."""
    given = {"intervals": [1440], **params}
    summary = world.run(**given)
    request = request_of(**given)
    with connect(world.dsn) as connection:
        assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
        now_s = int(world.exchange.now_s())
        observe_listing(connection, [one.ticker for one in assets], now_s=now_s, url=None)
    return summary


def open_incidents(world: World) -> dict[str, dict[str, Any]]:
    """Return what each open incident is about."""
    with connect(world.dsn) as connection:
        return {key: dict(one.problem.subjects) for key, (_, one) in read_open(connection).items()}


def delisted_at(world: World, ticker: str) -> Any:
    """Return the date on which a pair left."""
    (row,) = world.rows("SELECT delisted_at FROM assets WHERE ticker = %(ticker)s", ticker=ticker)
    return row["delisted_at"]


def expect(world: World, tickers: list[str], *, unlisted: tuple[str, ...] = ()) -> None:
    """Make a catalogue in which some tickers are not expected."""
    entries = [
        CatalogueEntry(ticker=t, base=t[:-3], quote=t[-3:], tier="TIER1", listed=t not in unlisted)
        for t in (*tickers, *unlisted)
    ]
    with connect(world.dsn) as connection:
        sync_catalogue(connection, entries)


@pytest.mark.parametrize(
    ("typed", "meant"), [("BTCUSD", "XBTUSD"), ("SOLLUSD", "SOLUSD"), ("NOSUCHUSD", None)]
)
def test_a_misspelt_ticker_leaves_the_run_green_and_is_told_once_with_what_may_be_meant(
    world: World, typed: str, meant: str | None
) -> None:
    expect(world, [typed, "ETHUSD"])
    for _ in range(3):
        summary = backfill(world)
        assert (summary["pairs_unknown"], summary["pairs_delisted"], summary["errors"]) == ([typed], [], [])
        assert summary["raised"] == []
        result, _ = hourly_check(world)
        assert (result["pairs_unknown"], result["pairs_delisted"]) == ([typed], [])
        world.exchange.advance(DAY)
    assert messages(world) == [(f"pair:{typed}", "opened")]
    assert open_incidents(world)[f"pair:{typed}"]["unknown"]["suggestion"] == meant
    assert world.stored(Series("ETHUSD", 1440), world.window(Series("ETHUSD", 1440)))
    assert world.rows("SELECT ticker FROM series") == [{"ticker": "ETHUSD"}]

    expect(world, ["ETHUSD"])  # the line is corrected or taken out
    hourly_check(world)
    hourly_check(world)
    assert messages(world)[1:] == [(f"pair:{typed}", "recovered")]


def test_a_misspelt_ticker_that_a_run_asks_for_by_name_is_an_error_and_the_others_are_done(
    world: World,
) -> None:
    expect(world, ["SOLLUSD", "ETHUSD"])
    summary = backfill(world, tickers=["SOLLUSD", "ETHUSD"])
    assert summary["errors"] == [
        "SOLLUSD: requested by name, but Kraken lists no pair of this name; did you mean SOLUSD?"
    ]
    assert summary["gaps_filled"] == 24  # 720 days, a gap per UTC month


def test_a_delisted_pair_that_a_run_asks_for_by_name_is_an_error_and_the_others_are_done(
    world: World,
) -> None:
    expect(world, OURS)
    backfill(world)
    world.exchange.set_pair(OURS[0], "delisted")
    world.exchange.advance(DAY)

    summary = backfill(world, tickers=OURS[:2])

    (error,) = summary["errors"]
    assert error.startswith(f"{OURS[0]}: requested by name, but Kraken has delisted it")
    assert (summary["pairs_delisted"], summary["gaps_filled"], summary["raised"]) == ([OURS[0]], 1, [])
    assert backfill(world)["errors"] == []


def test_an_unknown_pair_is_expected_from_the_day_on_which_it_is_listed(world: World) -> None:
    world.exchange.set_pair("XBTUSD", "delisted")  # not listed yet
    assert backfill(world)["pairs_unknown"] == ["XBTUSD"]
    world.exchange.set_pair("XBTUSD", "online")
    assert backfill(world)["gaps_filled"] == 24  # a gap per UTC month
    hourly_check(world)
    assert messages(world) == [("pair:XBTUSD", "opened"), ("pair:XBTUSD", "recovered")]


def test_a_pair_that_leaves_has_one_date_and_one_message_whoever_looks(world: World) -> None:
    expect(world, OURS)
    backfill(world)
    world.exchange.set_pair("XBTUSD", "delisted")
    dates, gaps = set(), []
    for _ in range(3):
        world.exchange.advance(HOUR)
        assert hourly_check(world)[0]["pairs_delisted"] == ["XBTUSD"]
        dates.add(delisted_at(world, "XBTUSD"))
        world.exchange.advance(DAY - HOUR)
        assert backfill(world)["pairs_delisted"] == ["XBTUSD"]
        dates.add(delisted_at(world, "XBTUSD"))
        gaps.append([(gap["start_s"], gap["end_s"]) for gap in world.gaps(DAILY)])
    assert len(dates) == 1
    assert None not in dates
    assert gaps[0] == gaps[1] == gaps[2]  # and no gap grows after it
    assert messages(world) == [("pair:XBTUSD", "opened")]
    assert list(open_incidents(world)["pair:XBTUSD"]) == ["left"]


@pytest.mark.parametrize("status", ["delisted", "maintenance", "a_word_of_tomorrow"])
def test_a_status_that_is_contradicted_by_the_pairs_own_answers_takes_nothing_away(
    world: World, altered: AlteredExchange, status: str
) -> None:
    expect(world, OURS)
    backfill(world)
    altered.alter("AssetPairs", lambda pairs: {**pairs, XBT: {**pairs[XBT], "status": status}})
    for _ in range(3):
        world.exchange.advance(HOUR)
        hourly_check(world)
        world.exchange.advance(DAY - HOUR)
        assert backfill(world)["gaps_filled"] == len(OURS)  # yesterday's candle of each
        assert delisted_at(world, "XBTUSD") is None
    assert messages(world) == []


def test_a_pair_that_assetpairs_lacks_is_asked_as_usual(world: World, altered: AlteredExchange) -> None:
    expect(world, OURS)
    backfill(world)
    altered.alter("AssetPairs", lambda pairs: {name: pair for name, pair in pairs.items() if name != XBT})
    for _ in range(3):
        world.exchange.advance(DAY)
        assert backfill(world)["gaps_filled"] == len(OURS)
        assert hourly_check(world)[0]["pairs_delisted"] == []
    assert messages(world) == []


def test_an_assetpairs_that_lacks_most_of_ours_is_not_believed(
    world: World, altered: AlteredExchange
) -> None:
    expect(world, OURS)
    backfill(world)
    before = world.rows("SELECT * FROM assets ORDER BY ticker")
    altered.alter("AssetPairs", lambda pairs: {"DOTUSD": pairs["DOTUSD"]})
    for _ in range(4):
        world.exchange.advance(DAY)
        with pytest.raises(
            KrakenNotBelievedError, match=r"5 of our 5 pairs vanished.*at once.*listed: false"
        ):
            backfill(world)
        hourly_check(world)
    assert messages(world) == [("source", "opened")]
    assert world.rows("SELECT * FROM assets ORDER BY ticker") == before


def test_two_of_five_that_leave_at_once_are_judged_by_their_own_answers(world: World) -> None:
    expect(world, OURS)
    backfill(world)
    for ticker in OURS[:2]:
        world.exchange.set_pair(ticker, "delisted")
    world.exchange.advance(DAY)
    summary = backfill(world)
    assert (summary["pairs_delisted"], summary["errors"]) == (OURS[:2], [])
    assert sorted(messages(world)) == [(f"pair:{ticker}", "opened") for ticker in sorted(OURS[:2])]


def test_a_pair_that_the_catalogue_does_not_expect_keeps_its_history_without_a_word(world: World) -> None:
    expect(world, ["XBTUSD", "ETHUSD"])
    backfill(world)
    stored = world.stored(DAILY, world.window(DAILY))
    assert stored
    expect(world, ["ETHUSD"], unlisted=("XBTUSD", "NEVERWASUSD"))
    world.exchange.set_pair("XBTUSD", "delisted")
    for _ in range(3):
        world.exchange.advance(DAY)
        summary = backfill(world)
        assert (summary["pairs_delisted"], summary["pairs_unknown"], summary["errors"]) == ([], [], [])
        result, _ = hourly_check(world)
        assert (result["assets_checked"], result["pairs_delisted"], result["pairs_unknown"]) == (1, [], [])
    assert messages(world) == []
    with connect(world.dsn) as connection:
        lines = list_rows(connection, tier=None, tickers=["XBTUSD"], intervals=[1440])
        now_s = int(world.exchange.now_s())
        (figures,) = series_figures(connection, world.questdb, lines, now_s=now_s).values()
    assert (figures.missing, figures.stored, figures.verified_pct) == (0, len(stored), 100.0)
    first, last = min(stored), max(stored) + DAY
    assert world.stored(DAILY, (first, last)) == stored


def test_a_delisted_pair_is_settled_once_the_catalogue_does_not_expect_it(world: World) -> None:
    expect(world, OURS)
    backfill(world)
    world.exchange.set_pair("XBTUSD", "delisted")
    hourly_check(world)
    assert messages(world) == [("pair:XBTUSD", "opened")]
    expect(world, OURS[1:], unlisted=("XBTUSD",))
    for _ in range(3):
        hourly_check(world)
    assert messages(world) == [("pair:XBTUSD", "opened"), ("pair:XBTUSD", "recovered")]


def test_a_pair_that_comes_back_is_expected_again_and_what_it_missed_is_fetched(world: World) -> None:
    expect(world, OURS)
    backfill(world)
    world.exchange.set_pair("XBTUSD", "delisted")
    world.exchange.advance(DAY)
    backfill(world)
    world.exchange.advance(5 * DAY)
    world.exchange.set_pair("XBTUSD", "online")
    backfill(world)
    assert delisted_at(world, "XBTUSD") is None
    assert world.stored(DAILY, world.window(DAILY)) == world.truth(DAILY, world.window(DAILY))
    hourly_check(world)
    assert messages(world) == [("pair:XBTUSD", "opened"), ("pair:XBTUSD", "recovered")]
