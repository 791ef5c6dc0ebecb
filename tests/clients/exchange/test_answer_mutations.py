"""Answers spoilt at random, read by the real path up to what would be stored and proven."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.clients.errors import KrakenError, KrakenStaleReplyError
from kraken_ohlcv.clients.exchange.ohlc_rows import read_ohlc
from kraken_ohlcv.clients.exchange.replies import (
    open_envelope,
    read_asset_pairs,
    read_server_time,
    read_system_status,
)
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES, Cursor, next_page, shows_newest
from kraken_ohlcv.clients.exchange.trade_rows import read_trades
from kraken_ohlcv.clients.exchange.transport import Reply
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.restatement import Restatement, judge_restatement
from kraken_ohlcv.sources.ohlc.parse import read_answer
from tests.answer_mutations import (
    PAIR_MUTATIONS,
    ROW_MUTATIONS,
    ROW_ONLY,
    STATUS_MUTATIONS,
    TIME_MUTATIONS,
    bytes_of,
    is_same,
    ohlc_mutations,
    result_of,
    rows_of,
    trades_mutations,
    untouched,
    value_of,
)
from tests.integration.world import stored_candle
from tests.mutations import MOST_MUTATIONS, Mutated, examples, mutated, tally

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.models import TradesPage
    from simulators.exchange_client import ExchangeAdmin

NOW_S = 1_795_437_296
HOUR, DAY = 3600, 86400
NAMES = {"XBTUSD": frozenset({"XBTUSD", "XXBTZUSD", "XBT/USD"}), "DAIUSD": frozenset({"DAIUSD", "DAI/USD"})}


def opened(body: bytes) -> Any:
    return open_envelope("a call", Reply(200, body), now_s=NOW_S)


@dataclass
class Bodies:
    """Sound answers of the simulated exchange, each asked for once."""

    exchange: ExchangeAdmin

    def __post_init__(self) -> None:
        """Ask for the same thing only once."""
        self.get = cache(self._get)
        self.truth = cache(self._truth)

    def _get(self, method: str, **query: Any) -> bytes:
        return requests.get(f"{self.exchange.url}/0/public/{method}", params=query, timeout=60).content

    def _truth(self, ticker: str, interval: int, start_s: int, end_s: int) -> dict[int, StoredCandle]:
        rows = self.exchange.candles(ticker, interval, start_s, end_s)
        return {row[0]: stored_candle(row) for row in rows}


@pytest.fixture(scope="module")
def bodies(exchange_session: ExchangeAdmin) -> Bodies:
    exchange_session.reset(clock=NOW_S)
    return Bodies(exchange_session)


@pytest.mark.parametrize(
    ("ticker", "interval"), [("XBTUSD", 1), ("XBTUSD", 60), ("XBTUSD", 1440), ("DAIUSD", 60)]
)
@examples(15)
@given(data=st.data())
def test_mutation_of_an_ohlc_answer(bodies: Bodies, ticker: str, interval: int, data: st.DataObject) -> None:
    step_s = 60 * interval
    sound = value_of(bodies.get("OHLC", pair=ticker, interval=interval))
    foreign = [bodies.get("OHLC", pair="ETHUSD", interval=interval)]
    foreign += [bodies.get("OHLC", pair=ticker, interval=one) for one in (5, 1440, 10080) if one != interval]
    spoilt = data.draw(mutated(sound, ohlc_mutations(step_s, foreign)))
    tally(f"OHLC {interval}", spoilt)
    try:
        answer = read_ohlc(opened(bytes_of(spoilt.value)), ticker, interval, names=NAMES[ticker], now_s=NOW_S)
    except KrakenStaleReplyError:
        return
    except KrakenError:
        assert not set(spoilt.names) <= ROW_ONLY, "one odd row refuses the whole"
        return
    reading = read_answer(answer, now_s=NOW_S)
    truth = bodies.truth(ticker, interval, NOW_S - 800 * step_s, NOW_S)
    rows = rows_of(sound)
    closed = {row[0] for row in rows if row[0] + step_s <= NOW_S}
    assert set(reading.traded) <= closed
    if spoilt.is_silent:
        return
    wrong = {ts_s for ts_s, candle in reading.traded.items() if not candle.equals(truth[ts_s])}
    assert not wrong
    empty = set(reading.empty.points())
    assert not empty & set(truth)
    # The newest row counts as running where nothing says otherwise.
    kept = untouched(rows, rows_of(spoilt.value), step_s) & set(sorted(closed)[:-2])
    assert kept <= set(reading.traded) | empty


@dataclass
class TradeServer:
    """Answers Trades calls from a list, one of them spoilt.

    :ivar rows: all trades, ascending
    :ivar spoil: returns the body of a page, given the sound one
    :ivar nth: which call is spoilt, from 0
    :ivar is_lasting: whether the same page is spoilt each time it is asked for
    """

    rows: list[list[Any]]
    spoil: Any
    nth: int
    is_lasting: bool
    calls: int = 0
    spoilt_since: int | None = None

    def ask(self, since_ns: int) -> TradesPage:
        """Return the page that begins after a moment."""
        page = [row for row in self.rows if row[-1] > since_ns][:MAX_TRADES]
        last = page[-1][-1] if page else since_ns
        value = {
            "body": {"error": [], "result": {"XXBTZUSD": [row[:-1] for row in page], "last": str(last)}},
            "cut": None,
        }
        is_turn = self.calls == self.nth or (self.is_lasting and self.spoilt_since == since_ns)
        self.calls += 1
        assert self.calls < 60, "asks without end"
        if is_turn and page:
            self.spoilt_since = since_ns
            value = self.spoil(value)
        result = opened(bytes_of(value))
        return read_trades(result, "XBTUSD", names=NAMES["XBTUSD"], since_ns=since_ns)


SPAN = (NOW_S // DAY * DAY - 40 * DAY, NOW_S // DAY * DAY - 32 * DAY)


@pytest.fixture(scope="module")
def trades(bodies: Bodies) -> list[list[Any]]:
    """Give all trades around the span, with their nanosecond at the end of each row."""
    rows: list[list[Any]] = []
    since_ns = (SPAN[0] - 2 * HOUR) * 10**9
    while not rows or float(str(rows[-1][2]).strip("~")) < SPAN[1] + 2 * HOUR:
        page = rows_of(value_of(bodies.get("Trades", pair="XBTUSD", since=since_ns)))
        known = {row[6] for row in rows}
        rows += [row for row in page if row[6] not in known]
        since_ns = int(Decimal(str(rows[-1][2]).strip("~")) * 10**9) - 1
    return [[*row, int(Decimal(str(row[2]).strip("~")) * 10**9)] for row in rows]


@pytest.mark.parametrize("is_lasting", [False, True], ids=["once", "each time"])
@examples(15)
@given(data=st.data())
def test_mutation_of_a_page_of_trades(
    bodies: Bodies, trades: list[list[Any]], is_lasting: bool, data: st.DataObject
) -> None:
    foreign = [bodies.get("Trades", pair="ETHUSD", since=SPAN[0])]
    mutations = trades_mutations(foreign, is_lasting=is_lasting)
    drawn: list[Mutated] = []

    def spoil(value: dict[str, Any]) -> dict[str, Any]:
        if not drawn:
            drawn.append(data.draw(mutated(value, mutations)))
            tally("Trades", drawn[0])
        return dict(drawn[0].value)

    server = TradeServer(trades, spoil, data.draw(st.integers(0, 4)), is_lasting)
    builder = CandleBuilder([60, 1440], SPAN, decimals=1)
    cursor = Cursor((SPAN[0] - HOUR) * 10**9 - 1)
    found: dict[int, dict[int, StoredCandle]] = {60: {}, 1440: {}}
    empty: dict[int, list[tuple[int, int]]] = {60: [], 1440: []}
    try:
        while not builder.is_complete:
            page, cursor = next_page(server.ask, cursor, MAX_TRADES)
            assert not cursor.is_stuck, "a cursor that leads nowhere"
            builder.add(page.trades, page.odd)
            if shows_newest(page, cursor, SPAN[1]):
                builder.reach(SPAN[1])
            for interval, part in builder.take().items():
                found[interval] |= {candle.ts_s: candle for candle in part.candles}
                have = ranges.from_points([c.ts_s for c in part.candles], step=60 * interval)
                empty[interval] += ranges.subtract([part.covered], [*have, *part.doubtful, *part.spoilt])
    except KrakenError:
        is_whole = {name for one in drawn for name in one.names} - ROW_MUTATIONS
        assert is_whole, "one odd trade refuses the whole"
        return
    is_silent = any(one.is_silent for one in drawn)
    for interval, candles in found.items():
        truth = bodies.truth("XBTUSD", interval, *SPAN)
        wrong = [ts_s for ts_s, candle in candles.items() if candle.figures() != truth[ts_s].figures()]
        if is_silent:
            verdicts = {
                judge_restatement(candles[t], _of_trades(truth[t]), first_seen_s=None, now_s=0) for t in wrong
            }
            assert verdicts <= {Restatement.REPLACE, Restatement.REMEMBER}
        else:
            assert not wrong
            assert not [t for t in truth for start, end in empty[interval] if start <= t < end]
            # A trade whose time cannot be right spoils the hour it claims, and those of its neighbours.
            assert interval != 60 or len(truth) - len(candles) <= 4 * MOST_MUTATIONS


def _of_trades(candle: StoredCandle) -> StoredCandle:
    return StoredCandle(*(getattr(candle, name) for name in ("ts_s", *candle.figures())), source="trades")


@examples(30)
@given(data=st.data())
def test_mutation_of_a_list_of_pairs(bodies: Bodies, data: st.DataObject) -> None:
    sound = value_of(bodies.get("AssetPairs"))
    spoilt = data.draw(mutated(sound, PAIR_MUTATIONS))
    tally("AssetPairs", spoilt)
    original = read_asset_pairs(result_of(sound))
    try:
        pairs = read_asset_pairs(opened(bytes_of(spoilt.value)))
    except KrakenError:
        assert not all("field" in name for name in spoilt.names), "one odd pair refuses all"
        return
    entries = result_of(spoilt.value)
    for key, entry in result_of(sound).items():
        if is_same(entries.get(key), entry) and entry["altname"] not in pairs.odd:
            assert pairs[entry["altname"]] == original[entry["altname"]]
    for ticker in set(original) - set(pairs):
        key = original[ticker].internal_name
        assert not is_same(entries.get(key), result_of(sound)[key])
    assert len(set(original) - set(pairs)) <= len(spoilt.names)


@examples(30)
@given(data=st.data())
def test_mutation_of_the_time(bodies: Bodies, data: st.DataObject) -> None:
    spoilt = data.draw(mutated(value_of(bodies.get("Time")), TIME_MUTATIONS))
    tally("Time", spoilt)
    try:
        now_s = read_server_time(opened(bytes_of(spoilt.value)))
    except KrakenError:
        return
    # Where the second form of the time is gone, nothing contradicts the first.
    lone = {"result key renamed", "result key left out", "result key with a value of a wrong type"}
    is_silent = "another time" in spoilt.names and (
        "another text" in spoilt.names or lone & set(spoilt.names)
    )
    assert is_silent or now_s == NOW_S


@examples(30)
@given(data=st.data())
def test_mutation_of_the_status(bodies: Bodies, data: st.DataObject) -> None:
    spoilt = data.draw(mutated(value_of(bodies.get("SystemStatus")), STATUS_MUTATIONS))
    tally("SystemStatus", spoilt)
    try:
        status = read_system_status(opened(bytes_of(spoilt.value)))
    except KrakenError:
        return
    assert status == "online" or spoilt.is_silent or status == result_of(spoilt.value)["status"]
