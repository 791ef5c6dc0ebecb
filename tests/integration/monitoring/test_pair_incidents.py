"""The incidents of pairs: checks that judge different things never end each other's findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_ohlcv.core.incident import MessageKind, PairProblem
from kraken_ohlcv.core.pair_problems import left_pair, odd_data
from kraken_ohlcv.stores.ledger.incidents import observe_pairs, read_open
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kraken_ohlcv.core.incident import Problem

LISTING = (PairProblem.UNKNOWN, PairProblem.LEFT)
DATA = (PairProblem.ODD_DATA,)
KEY = "pair:XBTUSD"


def see(dsn: str, seen: Mapping[str, Problem | None], kinds: tuple[PairProblem, ...]) -> list[MessageKind]:
    """Do what a check does."""
    with connect(dsn) as connection:
        return observe_pairs(connection, seen, kinds, now_s=1_000)


def standing(dsn: str) -> dict[str, list[str]]:
    """Return what the open incidents are about."""
    with connect(dsn) as connection:
        return {key: sorted(one.problem.subjects) for key, (_, one) in read_open(connection).items()}


def test_a_listing_check_leaves_odd_data_alone_and_counts_no_good_check_for_it(ledger_uri: str) -> None:
    odd = odd_data("XBTUSD", ["a row"], now_s=1_000, url=None)
    assert see(ledger_uri, {"XBTUSD": odd, "ETHUSD": None}, DATA) == [MessageKind.OPENED]
    for _ in range(5):
        assert see(ledger_uri, {"XBTUSD": None}, LISTING) == []
    assert standing(ledger_uri) == {KEY: ["odd data"]}
    assert see(ledger_uri, {"XBTUSD": None}, DATA) == []
    assert see(ledger_uri, {"XBTUSD": None}, LISTING) == []
    assert see(ledger_uri, {"XBTUSD": None}, DATA) == [MessageKind.RECOVERED]


def test_a_pair_with_odd_data_that_leaves_is_one_incident_of_both_and_ends_with_the_last(
    ledger_uri: str,
) -> None:
    see(ledger_uri, {"XBTUSD": odd_data("XBTUSD", ["a row"], now_s=1_000, url=None)}, DATA)
    left = left_pair("XBTUSD", since_s=1_000, url=None)
    assert see(ledger_uri, {"XBTUSD": left}, LISTING) == [MessageKind.GREW]
    assert standing(ledger_uri) == {KEY: ["left", "odd data"]}
    assert see(ledger_uri, {"XBTUSD": None}, DATA) == []
    assert standing(ledger_uri) == {KEY: ["left"]}
    assert see(ledger_uri, {"XBTUSD": None}, LISTING) == []
    assert see(ledger_uri, {"XBTUSD": None}, LISTING) == [MessageKind.RECOVERED]
