"""The incidents of pairs: checks that judge different things never end each other's findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken_ohlcv.core.assets import LineProblem
from kraken_ohlcv.core.incident import PairProblem
from kraken_ohlcv.core.problems import pair_problem
from kraken_ohlcv.detection.pairs import MOST_LINES, observe_lines
from kraken_ohlcv.stores.ledger.incidents import observe_pairs, read_open
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kraken_ohlcv.core.incident import Problem

LISTING = (PairProblem.UNKNOWN, PairProblem.LEFT)
DATA = (PairProblem.ODD_DATA,)
KEY = "pair:XBTUSD"


def see(
    dsn: str, seen: Mapping[str, Problem | None], kinds: tuple[PairProblem, ...]
) -> dict[str, tuple[list[str], int]]:
    """Do what a check does; return what the open incidents are about, and how often they have grown."""
    with connect(dsn) as connection:
        observe_pairs(connection, seen, kinds, now_s=1_000)
        return {
            key: (sorted(one.problem.subjects), one.growths)
            for key, (_, one) in read_open(connection).items()
        }


def problem(kind: PairProblem) -> dict[str, Problem | None]:
    """Return what a check sees."""
    return {"XBTUSD": pair_problem("XBTUSD", kind, since_s=1_000)}


def test_a_listing_check_leaves_odd_data_alone_and_counts_no_good_check_for_it(ledger_uri: str) -> None:
    odd = problem(PairProblem.ODD_DATA)
    assert see(ledger_uri, {**odd, "ETHUSD": None}, DATA) == {KEY: (["odd data"], 0)}
    for _ in range(5):
        assert see(ledger_uri, {"XBTUSD": None}, LISTING) == {KEY: (["odd data"], 0)}
    assert see(ledger_uri, {"XBTUSD": None}, DATA) == {KEY: (["odd data"], 0)}
    assert see(ledger_uri, {"XBTUSD": None}, LISTING) == {KEY: (["odd data"], 0)}
    assert see(ledger_uri, {"XBTUSD": None}, DATA) == {}


def test_a_pair_with_odd_data_that_leaves_is_one_incident_of_both_and_ends_with_the_last(
    ledger_uri: str,
) -> None:
    see(ledger_uri, problem(PairProblem.ODD_DATA), DATA)
    assert see(ledger_uri, problem(PairProblem.LEFT), LISTING) == {KEY: (["left", "odd data"], 1)}
    assert see(ledger_uri, {"XBTUSD": None}, DATA) == {KEY: (["left"], 1)}
    assert see(ledger_uri, {"XBTUSD": None}, LISTING) == {KEY: (["left"], 1)}
    assert see(ledger_uri, {"XBTUSD": None}, LISTING) == {}


def test_an_incident_leads_to_the_run_that_saw_it_last(ledger_uri: str) -> None:
    with connect(ledger_uri) as connection:
        for url in ("http://airflow/1", None, "http://airflow/2"):
            observe_pairs(connection, problem(PairProblem.ODD_DATA), DATA, now_s=1_000, url=url)
            ((_, incident),) = read_open(connection).values()
            assert incident.problem.url == url
        observe_pairs(connection, {"XBTUSD": None}, DATA, now_s=2_000, url="http://airflow/3")
        ((_, incident),) = read_open(connection).values()
        assert incident.problem.url == "http://airflow/2"


def test_of_a_thousand_bad_lines_a_few_have_an_incident_each_and_the_others_one_together(
    ledger_uri: str,
) -> None:
    bad = [LineProblem(n, f"SYN{n}USD", f"assets.yaml line {n}: tier is 4") for n in range(1, 1001)]
    with connect(ledger_uri) as connection:
        observe_lines(connection, bad, now_s=1_000, url=None)
        found = {key: one.problem for key, (_, one) in read_open(connection).items()}
        assert len(found) == MOST_LINES + 1
        others = found["pair:other lines"]
        assert others.headline == "Other lines of assets.yaml cannot be used"
        said = others.subjects["bad line"]["said"]
        assert said == "980 more lines cannot be used; the first: assets.yaml line 21: tier is 4"
        observe_lines(connection, bad[:MOST_LINES], now_s=2_000, url=None)
        observe_lines(connection, bad[:MOST_LINES], now_s=3_000, url=None)
        assert len(read_open(connection)) == MOST_LINES
