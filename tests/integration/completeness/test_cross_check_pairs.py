"""Whatever intervals are stored: where one divides another, they are compared, and what is found is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.completeness import cross_check as module
from kraken_ohlcv.completeness.cross_check import Copies, CrossCheck, Mismatch, Pair, cross_check
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.series_state import register_series
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement
from tests.integration.damage import NOW, History, candle, spoil
from tests.integration.ledger_pages import add_proof, proven_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.ranges import Range

TICKER = "AAAUSD"
PAIRS = [Pair(1, 5), Pair(15, 60), Pair(60, 1440), Pair(1440, 10080), Pair(1440, 21600)]

every_pair = pytest.mark.parametrize("pair", [pytest.param(one, id=f"{one[0]} in {one[1]}") for one in PAIRS])


@pytest.fixture
def stores(ledger_uri: str, candle_table: str) -> Stores:
    """Give both stores, empty."""
    del candle_table
    questdb = QuestDBHook(questdb_conn_id="questdb_default").client()
    spoil(ledger_uri, questdb, History([], {}))
    return Stores(ledger_uri, questdb)


class Stores:
    """Ledger and candle store of one test."""

    def __init__(self, dsn: str, questdb: QuestDBClient) -> None:
        self.dsn, self.questdb = dsn, questdb

    def put(self, rows: Iterable[dict[str, Any]]) -> None:
        """Store candles past every check."""
        self.questdb.write_batch("ohlcv", statement("insert_candle"), list(rows))

    def prove(self, interval: int, part: Range, evidence: Evidence) -> None:
        """Record a proof of emptiness."""
        with connect(self.dsn) as connection:
            register_series(connection, {Series(TICKER, interval): part[0]})
            add_proof(connection, Series(TICKER, interval), *part, evidence)

    def proven(self, interval: int) -> list[Range]:
        """Return what is proven empty."""
        with connect(self.dsn) as connection:
            return proven_ranges(connection, Series(TICKER, interval))

    def check(self) -> CrossCheck:
        """Compare."""
        with connect(self.dsn) as connection:
            assets = read_assets(connection, tickers=[TICKER], tier="ALL")
            return cross_check(connection, self.questdb, assets, now_s=NOW)


def both(pair: Pair, n_buckets: int, **changes: Any) -> tuple[int, list[dict[str, Any]]]:
    """Return candles of two intervals that add up, but for a field of the newest longer bucket but one."""
    step, end_s = step_s(pair.longer), NOW // step_s(pair.longer) * step_s(pair.longer)
    begin_s = end_s - n_buckets * step
    rows = []
    for open_s in range(begin_s, end_s, step):
        rows += [
            candle(Series(TICKER, pair.shorter), ts_s, trades=2, volume=0.5)
            for ts_s in range(open_s, open_s + step, step_s(pair.shorter))
        ]
        longer = {"trades": 2 * pair.ratio, "volume": 0.5 * pair.ratio}
        longer |= changes if open_s == end_s - 2 * step else {}
        rows.append(candle(Series(TICKER, pair.longer), open_s, **longer))
    return begin_s, rows


@every_pair
def test_a_bucket_that_does_not_add_up_is_named_with_both_intervals_and_values(
    stores: Stores, pair: Pair
) -> None:
    begin_s, rows = both(pair, 3, high=2.5)
    stores.put(rows)

    found = stores.check()

    bucket_s = begin_s + step_s(pair.longer)
    assert [(one.pair, one.buckets) for one in found.compared] == [(pair, 3)]
    (mismatch,) = found.mismatches
    assert mismatch == Mismatch(TICKER, pair, bucket_s, {"high": (1.5, 2.5)})
    told = mismatch.as_json()
    shorter, longer = ("hourly", "daily") if pair == (60, 1440) else ("shorter", "longer")
    assert told["high"] == {shorter: 1.5, longer: 2.5}
    if pair != (60, 1440):
        assert (told["shorter"], told["longer"]) == pair


CONTRADICTED = [
    pytest.param(Pair(1, 5), "ohlc", id="a minute in five"),
    pytest.param(Pair(5, 240), "archive", id="five minutes in four hours"),
    pytest.param(Pair(60, 1440), "archive", id="an hour in a day"),
    pytest.param(Pair(60, 21600), "ohlc", id="an hour in fifteen days"),
]


@pytest.mark.parametrize(("pair", "evidence"), CONTRADICTED)
def test_a_proof_that_any_shorter_candle_contradicts_is_named_and_withdrawn(
    stores: Stores, pair: Pair, evidence: str
) -> None:
    step = step_s(pair.longer)
    open_s = NOW // step * step - 3 * step
    stores.prove(pair.longer, (open_s, open_s + 2 * step), Evidence(evidence))
    stores.put([candle(Series(TICKER, pair.shorter), open_s + step - step_s(pair.shorter))])

    (found,) = stores.check().contradictions

    assert (found.series, found.start_s, found.end_s) == (Series(TICKER, pair.longer), open_s, open_s + step)
    assert (found.evidence, found.intervals, found.is_withdrawn) == (evidence, [pair.shorter], True)
    assert stores.proven(pair.longer) == [(open_s + step, open_s + 2 * step)]
    assert stores.check().contradictions == []


def test_a_proof_from_trades_is_named_and_stands_and_the_candle_is_called_suspect(stores: Stores) -> None:
    day = (NOW // 86400 * 86400 - 86400, NOW // 86400 * 86400)
    stores.prove(1440, day, Evidence.TRADES)
    stores.put([candle(Series(TICKER, 1440), day[0]), candle(Series(TICKER, 60), day[0] + 7200)])

    (found,) = stores.check().contradictions

    assert (found.is_withdrawn, found.intervals) == (False, [60, 1440])
    assert found.as_json()["proof"] == "stands: the candles are suspect"
    assert stores.proven(1440) == [day]
    assert stores.check().contradictions == [found]


COPIES = [
    pytest.param(3, 10, True, id="three in a row, ten trades each"),
    pytest.param(2, 10, False, id="two in a row may be chance"),
    pytest.param(5, 9, False, id="of nine trades each"),
]


@pytest.mark.parametrize(("n", "trades", "is_suspect"), COPIES)
@pytest.mark.parametrize("pair", [Pair(60, 1440), Pair(1440, 10080)])
def test_candles_of_a_longer_interval_stored_as_shorter_ones_are_suspect(
    stores: Stores, pair: Pair, n: int, trades: int, is_suspect: bool
) -> None:
    step = step_s(pair.longer)
    begin_s = NOW // step * step - (n + 1) * step
    opens = [begin_s + k * step for k in range(n)]
    stores.put(
        candle(Series(TICKER, interval), open_s, trades=trades) for interval in pair for open_s in opens
    )
    stores.prove(pair.shorter, (begin_s + step_s(pair.shorter), begin_s + step), Evidence.OHLC)

    found = stores.check()

    assert found.copies == ([Copies(TICKER, pair, begin_s, begin_s + n * step)] if is_suspect else [])
    # What the same answer has proven empty falls with it.
    assert (stores.proven(pair.shorter) == []) == is_suspect
    assert [one.is_withdrawn for one in found.contradictions] == [True] * is_suspect


def test_a_history_is_compared_in_stretches_and_no_bucket_is_lost(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rows = both(Pair(15, 60), 25, close=1.25)
    stores.put(rows)
    whole = stores.check()
    assert (whole.compared[0].buckets, len(whole.mismatches)) == (25, 1)

    monkeypatch.setattr(module, "MAX_BUCKETS", 28)

    assert stores.check() == whole


def test_more_differing_buckets_than_are_looked_at_are_said_to_be_there(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rows = both(Pair(15, 60), 9)
    stores.put({**row, "close": 1.25} if row["interval"] == "60" else row for row in rows)
    monkeypatch.setattr(module, "MAX_ROWS", 4)

    (compared,) = stores.check().compared

    assert (len(compared.mismatches), compared.is_cut, compared.as_json()["more_differ"]) == (4, True, True)


SHORT = (1, 5, 15, 60)
STATES = st.sampled_from(["stored", "stored", "proven", "missing"])
N_HOURS = 2


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 1000),
    states=st.fixed_dictionaries({
        interval: st.lists(STATES, min_size=60 * N_HOURS // interval, max_size=60 * N_HOURS // interval)
        for interval in SHORT
    }),
)
def test_of_any_intervals_exactly_the_complete_buckets_that_differ_are_named(
    stores: Stores, seed: int, states: dict[int, list[str]]
) -> None:
    spoil(stores.dsn, stores.questdb, History([], {}))
    begin_s = NOW // 3600 * 3600 - N_HOURS * 3600
    trades: dict[int, dict[int, int]] = {interval: {} for interval in SHORT}
    for interval, those in states.items():
        stores.prove(interval, (begin_s - 3600, begin_s), Evidence.TRADES)
        for n, state in enumerate(those):
            open_s = begin_s + n * step_s(interval)
            if state == "stored":
                trades[interval][open_s] = (seed + n) % 3 + interval
            elif state == "proven":
                stores.prove(interval, (open_s, open_s + step_s(interval)), Evidence.TRADES)
    stores.put(
        candle(Series(TICKER, interval), open_s, trades=n, volume=float(n))
        for interval, those in trades.items()
        for open_s, n in those.items()
    )

    found = stores.check()

    expected = {}
    for shorter, longer in ((1, 5), (5, 15), (15, 60)):
        ratio, differing, n_compared = longer // shorter, [], N_HOURS // N_HOURS * (60 // longer)
        for n, state in enumerate(states[longer]):
            inside = states[shorter][n * ratio : (n + 1) * ratio]
            if "missing" in (state, *inside):
                continue
            n_compared += 1
            open_s = begin_s + n * step_s(longer)
            parts = range(open_s, open_s + step_s(longer), step_s(shorter))
            total = sum(trades[shorter].get(part, 0) for part in parts)
            if total != trades[longer].get(open_s, 0):
                differing.append(open_s)
        expected[Pair(shorter, longer)] = (n_compared, differing)
    assert {
        one.pair: (one.buckets, [mismatch.bucket_s for mismatch in one.mismatches]) for one in found.compared
    } == {pair: those for pair, those in expected.items() if any(trades[i] for i in pair) or those[0]}
