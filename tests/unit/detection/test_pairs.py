"""What becomes of a pair: AssetPairs alone never says that one left, and suggestions are few and near."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.detection.pairs import is_gone, suggestion
from kraken_ohlcv.stores.ledger.assets import Asset
from tests.unit.builders import DAY, NOW

LISTED = ["XBTUSD", "ETHXBT", "XDGUSD", "SOLUSD", "USDTUSD", "USDCUSD", "AUSD", "TUSD", "GUSD", "WUSD"]


def asset(*, delisted_s: int | None = None, seen_s: int | None = None, has_series: bool = False) -> Asset:
    return Asset(
        "XBTUSD",
        "TIER1",
        pair_status=None,
        delisted_s=delisted_s,
        first_trade_s=None,
        added_s=NOW - 400 * DAY,
        upkeep=Upkeep.shipped("TIER1"),
        seen_s=seen_s,
        has_series=has_series,
    )


NEVER = asset()
SEEN = asset(seen_s=NOW - DAY)
TAKEN_IN = asset(has_series=True)
LEFT = asset(delisted_s=NOW - DAY, seen_s=NOW - 9 * DAY)
UNKNOWN = asset(delisted_s=NOW - DAY)

VERDICTS = [
    pytest.param(NEVER, "online", False, id="listed for the first time"),
    pytest.param(NEVER, "post_only", False, id="its candles do not ask which orders it takes"),
    pytest.param(NEVER, None, True, id="never listed, nothing kept: unknown"),
    pytest.param(NEVER, "work_in_progress", True, id="not traded yet"),
    pytest.param(SEEN, "cancel_only", False, id="seen before and still there"),
    pytest.param(SEEN, None, None, id="missing: only its own answer says that it left"),
    pytest.param(SEEN, "delisted", None, id="delisted: like one that is missing"),
    pytest.param(SEEN, "maintenance", None, id="in maintenance"),
    pytest.param(SEEN, "a_word_of_tomorrow", None, id="a status not known today"),
    pytest.param(TAKEN_IN, None, None, id="never listed, but candles are kept"),
    pytest.param(LEFT, None, True, id="left and still missing: nobody is asked again"),
    pytest.param(LEFT, "delisted", True, id="left and listed as delisted: the same"),
    pytest.param(LEFT, "online", None, id="left and listed again: its answer says that it is back"),
    pytest.param(UNKNOWN, "online", False, id="an unknown one that is listed now"),
    pytest.param(UNKNOWN, None, True, id="an unknown one stays unknown"),
]


@pytest.mark.parametrize(("known", "status", "expected"), VERDICTS)
def test_assetpairs_alone_decides_only_what_nobody_contradicts(
    known: Asset, status: str | None, expected: bool | None
) -> None:
    assert is_gone(known, status) is expected


def test_unknown_is_what_was_never_listed_and_of_which_nothing_is_kept() -> None:
    assert [one.is_unknown for one in (NEVER, SEEN, LEFT, UNKNOWN)] == [False, False, False, True]
    assert not asset(delisted_s=NOW, has_series=True).is_unknown


SUGGESTIONS = [
    pytest.param("BTCUSD", "XBTUSD", id="an alias of the base"),
    pytest.param("ETHBTC", "ETHXBT", id="an alias of the quote"),
    pytest.param("DOGEUSD", "XDGUSD", id="a longer alias"),
    pytest.param("SOLLUSD", "SOLUSD", id="a character too many"),
    pytest.param("SOUSD", "SOLUSD", id="a character left out"),
    pytest.param("SOLUSB", "SOLUSD", id="another character"),
    pytest.param("SLOUSD", "SOLUSD", id="two characters swapped"),
    pytest.param("USDUSD", "USDCUSD or USDTUSD", id="two are near"),
    pytest.param("BUSD", None, id="too many are near"),
    pytest.param("MATICUSD", None, id="none is near"),
    pytest.param("BTCEUR", None, id="an alias whose pair is not listed"),
]


@pytest.mark.parametrize(("ticker", "meant"), SUGGESTIONS)
def test_a_suggestion_is_a_known_alias_or_one_edit_away(ticker: str, meant: str | None) -> None:
    assert suggestion(ticker, LISTED) == meant
