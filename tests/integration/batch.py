"""Many series in one world, each spoilt in its own way: what their mutations cost together, one costs alone.

A batch is drawn by its seed; what is done to a series follows from the seed and its name. A series that comes
out wrong is named with its mutations and the seed, so that it can be spoilt in the same way again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.clients.errors import KrakenError
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.errors import BadRequestError, FillError, FillRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement
from tests.answer_mutations import bytes_of, value_of
from tests.integration.ledger_pages import proven
from tests.mutations import Mutated, plan_of, spoil, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World
    from tests.mutations import Mutation

NOW: Final = "2026-11-23T00:00:20Z"
"""Just after midnight, so that whole days reach up to the newest candle."""
NOW_S: Final = 1_795_392_020
HOUR, DAY = 3600, 86400

AROUND_S: Final = 2 * DAY
"""How far from where it belongs a mutation may move a row."""

THICK: Final = [
    "XBTUSD",
    "ETHUSD",
    "USDTUSD",
    "USDCUSD",
    "BNBUSD",
    "XRPUSD",
    "ADAUSD",
    "XDGUSD",
    "AVAXUSD",
    "SOLUSD",
    "POLUSD",
    "DOTUSD",
    "TRXUSD",
    "SHIBUSD",
    "LTCUSD",
    "LINKUSD",
    "BCHUSD",
    "ATOMUSD",
    "UNIUSD",
    "XLMUSD",
    "ETCUSD",
    "ALGOUSD",
    "AAVEUSD",
    "FILUSD",
    "ICPUSD",
    "NEARUSD",
    "APTUSD",
    "GRTUSD",
]
THIN: Final = [
    "DAIUSD",
    "WBTCUSD",
    "EGLDUSD",
    "KSMUSD",
    "CAKEUSD",
    "ZECUSD",
    "YFIUSD",
    "ENJUSD",
    "BALUSD",
    "QTUMUSD",
    "BNTUSD",
    "BANDUSD",
    "FARMUSD",
    "BADGERUSD",
    "SRMUSD",
    "XVSUSD",
    "YFIIUSD",
]
YOUNG: Final = [f"SYN{number:04}USD" for number in range(1, 21)]
"""Listed 60 to 200 days ago, two trades an hour."""


@dataclass
class Spoiler:
    """Spoils one answer of each series of a batch.

    :ivar endpoint: whose answers
    :ivar seed: of the batch
    :ivar mutations_of: returns the mutations for what an answer is about, and whether it is spoilt each time
    :ivar most_skipped: answers about a series that come before the spoilt one, at most
    :ivar spoilt: by what an answer is about; what was not asked for is not in it
    """

    endpoint: str
    seed: int
    mutations_of: Callable[[Any, bool], Sequence[Mutation]]
    most_skipped: int = 0
    spoilt: dict[Any, Mutated] = field(default_factory=dict)
    sound: dict[Any, dict[str, Any]] = field(default_factory=dict)
    calls: dict[Any, int] = field(default_factory=dict)
    asked: dict[Any, dict[str, str]] = field(default_factory=dict)

    def way(self, about: Any) -> tuple[bool, int]:
        """Return whether an answer is spoilt each time it is asked for, and how many come before it."""
        chance = Random(repr((self.seed, about, "way")))
        return chance.random() < 0.5, chance.randint(0, self.most_skipped)

    def __call__(self, called: str, asked: dict[str, str], body: bytes) -> bytes:
        """Return the body that is sent."""
        if called != self.endpoint:
            return body
        pair, interval = asked.get("pair"), asked.get("interval")
        about = Series(pair or "", int(interval)) if interval else pair
        is_lasting, nth = self.way(about)
        n = self.calls.get(about, 0)
        self.calls[about] = n + 1
        if n != nth and not (is_lasting and self.asked.get(about) == asked):
            return body
        self.asked[about] = asked
        if about not in self.spoilt:
            self.sound[about] = value_of(body)
            plan = plan_of(self.mutations_of(about, is_lasting), self.seed, about)
            self.spoilt[about] = spoil(self.sound[about], plan)
        return bytes_of(dict(self.spoilt[about].value))

    def tally(self, form: str) -> None:
        """Count what was spoilt."""
        for one in self.spoilt.values():
            tally(form, one)

    def say(self, about: Any) -> str:
        """Return how to find an example again."""
        is_lasting, nth = self.way(about)
        how = f"{'each time' if is_lasting else 'once'}, after {nth}"
        return f"{about}, seed {self.seed}, {how}: {self.spoilt[about].names}"


class Batch:
    """Some series of one world, and what is stored and proven of them.

    :param world: made anew
    :param series: all of them
    :param covered: the range that is judged, by series; None = the API window
    :param quiet: ranges without trades, by ticker
    """

    def __init__(
        self,
        world: World,
        series: Iterable[Series],
        *,
        covered: Callable[[Series], Range] | None = None,
        quiet: Mapping[str, Sequence[Range]] | None = None,
    ) -> None:
        self.world = world
        self.series = list(series)
        tickers = list(dict.fromkeys(one.ticker for one in self.series))
        world.clear(tickers, clock=NOW)
        if set(YOUNG) & set(tickers):
            world.exchange.synthetic(len(YOUNG))
        for ticker, parts in (quiet or {}).items():
            for start, end in parts:
                world.exchange.quiet(ticker, start, end)
        self.covered = {one: covered(one) if covered else world.window(one) for one in self.series}
        # Whole days, as walks have them, and a day ahead, since tests let time pass.
        world.exchange.advance(DAY)
        self.truth = {
            one: _truth(world, one, (start // DAY * DAY - AROUND_S, end + AROUND_S), is_quiet=bool(quiet))
            for one, (start, end) in self.covered.items()
        }
        world.exchange.advance(-DAY)

    def store(self, holes: Callable[[Series], Sequence[Range]]) -> None:
        """Store the truth, except in some ranges of each series, in one transaction."""
        rows: list[dict[str, Any]] = []
        for series, candles in self.truth.items():
            (start, end), without = self.covered[series], holes(series)
            last = min(end, self.world.exchange.now_s()) - step_s(series.interval_minutes)
            key = {"ticker": series.ticker, "interval": str(series.interval_minutes)}
            rows += [
                {**asdict(candle), **key, "ts_us": ts_s * 1_000_000}
                for ts_s, candle in candles.items()
                if start <= ts_s <= last and not any(start <= ts_s < end for start, end in without)
            ]
        self.world.questdb.write_batch(CANDLE_TABLE, statement("insert_candle"), rows)

    def run(self, series: Iterable[Series], **params: Any) -> None:
        """Do a run per interval; only typed errors may reach its tasks."""
        for interval, tickers in _by_interval(series).items():
            with suppress(KrakenError, BadRequestError):
                raised = self.world.run(intervals=[interval], tickers=tickers, **params)["raised"]
                assert all(isinstance(error, FillError | FillRefusedError) for error in raised)

    def walk(self, series: Iterable[Series], *, around_s: int = 0) -> None:
        """Walk through the trades of all that is judged of some series.

        :param around_s: how much to go through before and after it, whole days in seconds
        """
        for interval, tickers in _by_interval(series).items():
            spans = [self.covered[Series(ticker, interval)] for ticker in tickers]
            days = {
                "start": iso(min(start for start, _ in spans) - around_s)[:10],
                "end": iso(max(end for _, end in spans) + around_s + DAY - 1)[:10],
            }
            done = self.world.run(
                intervals=[interval],
                tickers=tickers,
                repair_from=["trades"],
                repair_range=days,
                trades_call_budget=10_000,
            )
            assert (done["raised"], done["errors"]) == ([], [])

    def look(self) -> None:
        """Read all that is stored and proven."""
        self.now_s = self.world.exchange.now_s()
        self.stored: dict[Series, dict[int, StoredCandle]] = {one: {} for one in self.series}
        for ticker, interval, *fields in self.world.questdb.query(
            "SELECT ticker, interval, ts::long / 1000000L, open, high, low, close, vwap, volume, trades,"
            " source FROM ohlcv"
        ):
            self.stored.setdefault(Series(ticker, int(interval)), {})[fields[0]] = StoredCandle(*fields)
        with connect(self.world.dsn) as connection:
            self.proven = {one: proven(connection, one) for one in self.series}

    def wrong(self, series: Series) -> dict[int, str]:
        """Return the open times at which a stored candle is not the exchange's, and its source."""
        truth = self.truth[series]
        return {
            ts_s: candle.source
            for ts_s, candle in self.stored[series].items()
            if not (candle.equals(truth[ts_s]) if ts_s in truth else self._is_disputed(series, ts_s))
        }

    def _is_disputed(self, series: Series, ts_s: int) -> bool:
        """Return whether trades prove that a bucket is empty; then the candle in it is shown as suspect."""
        return any(start <= ts_s < end for start, end, by in self.proven[series] if by == "trades")

    def false_proofs(self, series: Series) -> dict[int, str]:
        """Return the open times of traded buckets that are proven empty, and the evidence."""
        truth, step = self.truth[series], step_s(series.interval_minutes)
        return {
            ts_s: evidence
            for start, end, evidence in self.proven[series]
            for ts_s in range(start, end, step)
            if ts_s in truth
        }

    def missing(self, series: Series) -> list[int]:
        """Return the open times of closed traded buckets of what is judged that are not stored."""
        start, end = self.covered[series]
        last = min(end, self.now_s) - step_s(series.interval_minutes)
        return [
            ts_s for ts_s in self.truth[series] if start <= ts_s <= last and ts_s not in self.stored[series]
        ]

    def faults(self, series: Series, *, of: Collection[str] = ()) -> list[str]:
        """Return what is false of a series, one sentence each.

        :param of: sources and evidence that may be wrong
        """
        found = {"differ from the truth": self.wrong(series), "are proven empty": self.false_proofs(series)}
        return [
            f"{len(false)} buckets {what}, the first: {min(false.items())}"
            for what, every in found.items()
            if (false := {ts_s: source for ts_s, source in every.items() if source not in of})
        ]


def _by_interval(series: Iterable[Series]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for one in series:
        found.setdefault(one.interval_minutes, []).append(one.ticker)
    return found


TRUTHS: Final[dict[Any, dict[int, StoredCandle]]] = {}


def _truth(world: World, series: Series, covered: Range, *, is_quiet: bool) -> dict[int, StoredCandle]:
    """Return the truth, which is the same in each batch."""
    key = (series, covered, is_quiet)
    if key not in TRUTHS:
        TRUTHS[key] = world.truth(series, covered)
    return TRUTHS[key]
