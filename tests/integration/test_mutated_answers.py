"""Spoilt answers through the whole path and both stores: nothing false is stored, nothing odd stops it.

A proxy stands between the product and the simulated exchange and spoils the answers of one endpoint, once or
each time; without it, later runs put right what was left open.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.clients.errors import KrakenError
from kraken_ohlcv.core.errors import BadRequestError, FillError, FillRefusedError
from kraken_ohlcv.core.gap import Series
from tests.answer_mutations import bytes_of, common, ohlc_mutations, trades_mutations, value_of
from tests.conftest import set_connection
from tests.integration.test_trades_rebuild import past, store_history
from tests.mutations import Mutated, examples, plans, tally
from tests.mutations import spoil as spoil_by_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

NOW = "2026-11-23T12:34:56Z"
HOUR, DAY = 3600, 86400
HOURLY = Series("XBTUSD", 60)
THIN = Series("DAIUSD", 60)


class SpoilingProxy:
    """Passes calls on to the simulated exchange, and its answers through a function of the test."""

    def __init__(self, url: str) -> None:
        """Start listening on a free loopback port.

        :param url: the exchange
        """
        self.spoil: Callable[[str, dict[str, str], bytes], bytes] = lambda _, __, body: body
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer = requests.get(url + self.path, headers={"User-Agent": "proxy"}, timeout=60)
                path, _, query = self.path.partition("?")
                asked = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
                body = proxy.spoil(path.rpartition("/")[2], asked, answer.content)
                self.send_response(answer.status_code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def proxy(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpoilingProxy]:
    """Give a proxy that the product talks to; it spoils nothing yet."""
    server = SpoilingProxy(world.exchange.url)
    set_connection(
        monkeypatch, "kraken_default", conn_type="kraken", host=server.url, extra={"timeout_s": 60}
    )
    yield server
    server.close()


def spoiling(
    endpoint: str, data: st.DataObject, mutations: Any, *, is_lasting: bool, nth: int = 0
) -> tuple[Callable[[str, dict[str, str], bytes], bytes], list[Mutated]]:
    """Return a function that spoils one answer of an endpoint, and the list that will hold what it did."""
    # Drawn here: the proxy answers in threads of its own.
    plan = data.draw(plans(mutations))
    drawn: list[Mutated] = []
    state: dict[str, Any] = {"calls": 0, "asked": None}

    def spoil(called: str, asked: dict[str, str], body: bytes) -> bytes:
        if called != endpoint:
            return body
        is_turn = state["calls"] == nth or (is_lasting and state["asked"] == asked)
        state["calls"] += 1
        if not is_turn:
            return body
        state["asked"] = asked
        if not drawn:
            drawn.append(spoil_by_plan(value_of(body), plan))
        return bytes_of(dict(drawn[0].value)) if is_lasting or state["calls"] - 1 == nth else body

    return spoil, drawn


def run(world: World, **params: Any) -> dict[str, Any]:
    """Do a run; only typed errors may reach its tasks."""
    try:
        summary = world.run(**params)
    except (KrakenError, BadRequestError) as error:
        return {"refused": str(error)}
    assert all(isinstance(error, FillError | FillRefusedError) for error in summary["raised"])
    return summary


def assert_nothing_false(world: World, series: Series, covered: Range) -> None:
    """Check that each stored candle is the exchange's, and that no traded bucket is proven empty."""
    truth = world.truth(series, covered)
    stored = world.stored(series, (covered[0] - 900 * HOUR, covered[1] + 900 * HOUR))
    wrong = [t for t, candle in stored.items() if t not in truth or truth[t].figures() != candle.figures()]
    assert not wrong
    assert not [t for t in truth for start, end in world.proven(series) if start <= t < end]


def assert_put_right(world: World, series: Series, covered: Range) -> None:
    """Check that sound answers put everything right, whatever was stored or left open before."""
    for _ in range(3):
        world.exchange.advance(HOUR)
        run(world, repair_from=["ohlc", "trades"], retry_failed=True)
    truth = world.truth(series, covered)
    stored = world.stored(series, covered)
    assert {t: c.figures() for t, c in stored.items()} == {t: c.figures() for t, c in truth.items()}
    assert not [t for t in truth for start, end in world.proven(series) if start <= t < end]


@pytest.mark.parametrize("series", [HOURLY, THIN], ids=str)
@examples(4)
@given(data=st.data(), is_lasting=st.booleans())
def test_mutation_of_ohlc_answers_through_both_stores(
    world: World, proxy: SpoilingProxy, series: Series, data: st.DataObject, is_lasting: bool
) -> None:
    world.clear([series.ticker], clock=NOW)
    start, end = world.window(series)
    world.store(series, (start, end), without=[(start + 100 * HOUR, end - 100 * HOUR)])
    url = f"{world.exchange.url}/0/public/OHLC"
    foreign = [
        requests.get(url, params=query, timeout=60).content
        for query in (
            {"pair": "ETHUSD", "interval": 60},
            {"pair": series.ticker, "interval": 1440},
            {"pair": series.ticker, "interval": 30},
        )
    ]
    proxy.spoil, drawn = spoiling("OHLC", data, ohlc_mutations(HOUR, foreign), is_lasting=is_lasting)

    run(world)

    (spoilt,) = drawn
    tally("OHLC, both stores", spoilt)
    if not spoilt.is_silent:
        assert_nothing_false(world, series, (start, end))
        proxy.spoil = lambda _, __, body: body
        assert_put_right(world, series, (start, end))


@examples(4)
@given(data=st.data(), is_lasting=st.booleans(), nth=st.integers(0, 3))
def test_mutation_of_trades_through_both_stores(
    world: World, proxy: SpoilingProxy, data: st.DataObject, is_lasting: bool, nth: int
) -> None:
    world.clear(["XBTUSD"], clock=NOW)
    hole = past(world, HOURLY, first=200, last=100)
    whole = store_history(world, HOURLY, buckets=220, without=[hole])
    foreign = [
        requests.get(
            f"{world.exchange.url}/0/public/Trades", params={"pair": "ETHUSD", "since": hole[0]}, timeout=60
        ).content
    ]
    mutations = trades_mutations(foreign, is_lasting=is_lasting)
    proxy.spoil, drawn = spoiling("Trades", data, mutations, is_lasting=is_lasting, nth=nth)

    run(world, repair_from=["ohlc", "trades"])

    if drawn:
        tally("Trades, both stores", drawn[0])
    if drawn and not drawn[0].is_silent:
        assert_nothing_false(world, HOURLY, whole)
        proxy.spoil = lambda _, __, body: body
        assert_put_right(world, HOURLY, whole)


@pytest.mark.parametrize("endpoint", ["AssetPairs", "Time", "SystemStatus"])
@examples(3)
@given(data=st.data(), is_lasting=st.booleans())
def test_mutation_of_what_a_run_asks_first_through_both_stores(
    world: World, proxy: SpoilingProxy, endpoint: str, data: st.DataObject, is_lasting: bool
) -> None:
    world.clear(["XBTUSD"], clock=NOW)
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[(end - 100 * HOUR, end - 50 * HOUR)])
    proxy.spoil, drawn = spoiling(endpoint, data, common(), is_lasting=is_lasting)

    run(world)

    tally(f"{endpoint}, both stores", drawn[0])
    assert_nothing_false(world, HOURLY, (start, end))
    proxy.spoil = lambda _, __, body: body
    assert_put_right(world, HOURLY, (start, end))
