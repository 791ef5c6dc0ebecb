"""What counts as pairs, as a status and as a time, and what is refused as malformed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import (
    KrakenMalformedReplyError,
)
from kraken_ohlcv.clients.exchange.replies import read_asset_pairs, read_server_time, read_system_status

if TYPE_CHECKING:
    pass

PAIR: dict[str, Any] = {"altname": "XBTUSD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1}


def test_pairs_are_named_by_altname_and_online_unless_said_otherwise() -> None:
    pairs = read_asset_pairs({
        "XXBTZUSD": {**PAIR, "some_new_field": []},
        "XETHZUSD": {**PAIR, "altname": "ETHUSD", "status": "brand_new_state"},
        "XXBTZUSD.d": {**PAIR, "altname": "XBTUSD.d"},
    })
    assert {name: pair.status for name, pair in pairs.items()} == {
        "XBTUSD": "online",
        "ETHUSD": "brand_new_state",
    }
    assert pairs["XBTUSD"].internal_name == "XXBTZUSD"
    assert pairs["XBTUSD"].pair_decimals == 1


SOUND = {f"SYN{n}USD": {**PAIR, "altname": f"SYN{n}USD"} for n in range(9)}


@pytest.mark.parametrize(
    ("key", "entry", "name"),
    [
        pytest.param("NEW", {"altname": "NEW", "status": None}, "NEW", id="a null status"),
        pytest.param("NEW", {**PAIR, "altname": "NEW", "pair_decimals": "x"}, "NEW", id="decimals as text"),
        pytest.param("NEW", {**PAIR, "altname": "NEW", "pair_decimals": 99}, "NEW", id="99 decimals"),
        pytest.param("NEW", {**PAIR, "altname": None}, "NEW", id="no altname"),
        pytest.param("NEW", [], "NEW", id="an entry that is no object"),
        pytest.param("NEW", {**PAIR, "altname": "SYN3USD"}, "SYN3USD", id="an altname twice"),
    ],
)
def test_an_odd_entry_is_left_out_and_named_and_all_others_count(key: str, entry: Any, name: str) -> None:
    pairs = read_asset_pairs({**SOUND, key: entry})
    assert set(pairs) == set(SOUND) - {name}
    assert set(pairs.odd) == {name}
    assert pairs.odd[name].startswith("AssetPairs: ")


def test_what_is_not_needed_of_an_entry_may_lack() -> None:
    pair = read_asset_pairs({"NEWTHING": {"altname": "NEWTHING", "status": "work_in_progress"}})["NEWTHING"]
    assert (pair.pair_decimals, pair.base, pair.wsname, pair.status) == (None, "", "", "work_in_progress")
    assert read_asset_pairs({"X": {**PAIR, "pair_decimals": "1"}})["XBTUSD"].pair_decimals == 1


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({}, id="no pair at all"),
        pytest.param([], id="a list"),
        pytest.param({"A": [], "B": None, "XXBTZUSD": PAIR}, id="more than half odd"),
    ],
)
def test_a_list_of_pairs_of_which_little_is_left_is_malformed(result: Any) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=r"^AssetPairs: "):
        read_asset_pairs(result)


def test_a_status_needs_no_timestamp_but_a_status() -> None:
    assert read_system_status({"status": "online"}) == "online"
    for result in ({}, [], {"status": None}, {"status": 7}, {"timestamp": "2026-11-23T12:34:56Z"}):
        with pytest.raises(KrakenMalformedReplyError, match="SystemStatus"):
            read_system_status(result)


WRITTEN = "Mon, 23 Nov 26 12:34:56 +0000"


@pytest.mark.parametrize("moment", [1795437296, "1795437296", Decimal("1795437296.5"), "1795437296.9"])
@pytest.mark.parametrize("more", [{}, {"rfc1123": WRITTEN}, {"rfc1123": "today"}, {"rfc1123": None}])
def test_a_time_that_says_the_same_is_the_same(moment: Any, more: dict[str, Any]) -> None:
    assert read_server_time({"unixtime": moment, **more}) == 1795437296


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({}, id="nothing"),
        pytest.param([1795437296], id="a list"),
        pytest.param({"unixtime": None}, id="null"),
        pytest.param({"unixtime": True}, id="true"),
        pytest.param({"unixtime": 0}, id="zero"),
        pytest.param({"unixtime": 1795437296000}, id="milliseconds"),
        pytest.param({"unixtime": 1795437296 + 86400, "rfc1123": WRITTEN}, id="two different times"),
    ],
)
def test_what_is_no_time_or_two_different_ones_is_malformed(result: Any) -> None:
    with pytest.raises(KrakenMalformedReplyError, match=r"^Time: "):
        read_server_time(result)
