"""Random damaged histories in both stores, and a recount of them, bucket by bucket, from the raw rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.freshness import due_s
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.ledger_pages import add_proof, proven
from tests.integration.world import empty_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.ranges import Range

NOW = 1_795_437_296  # 2026-11-23T12:34:56Z
HOURS = 24
WINDOW = 720
TIERS = {"AAAUSD": "TIER1", "BBBUSD": "TIER2", "CCCUSD": "TIER3"}


@dataclass(frozen=True)
class Damaged:
    """What stands of a series; buckets are counted back from the running one, which is 0.

    :ivar series: ticker and interval
    :ivar known: bucket at which the ledger lets the series begin, or None when it was never processed
    :ivar stored: buckets with a candle
    :ivar proven: ranges proven empty with their evidence, not overlapping each other, whatever is stored
    :ivar restated: buckets that the exchange restated
    """

    series: Series
    known: int | None
    stored: set[int]
    proven: list[tuple[int, int, str]] = field(default_factory=list)
    restated: set[int] = field(default_factory=set)

    def open_s(self, bucket: int) -> int:
        """Return the open time of a bucket."""
        step = step_s(self.series.interval_minutes)
        return NOW // step * step + bucket * step

    def disputed(self, counted: dict[int, str]) -> int:
        """Return how many buckets of a recount hold a candle where trades prove that nothing traded."""
        proven = {
            b for start, end, evidence in self.proven if evidence == "trades" for b in range(start, end)
        }
        return len({self.open_s(bucket) for bucket in proven & self.stored} & counted.keys())


@dataclass(frozen=True)
class History:
    """Some damaged series, and when each pair left the exchange, seconds before now."""

    series: list[Damaged]
    gone: dict[str, int]


@st.composite
def _damaged(draw: st.DrawFn, series: Series) -> Damaged:
    # Where the rules change: far back, at the edge of the window, a day inside it, at what is due, now.
    places = [-900, -WINDOW - 3, -WINDOW + 20, -30, -3]
    bucket = st.one_of(st.integers(-1000, -1), *(st.integers(place, min(-1, place + 12)) for place in places))
    spans = st.lists(st.tuples(bucket, st.integers(1, 60)), max_size=4)
    stored = {b for start, n in draw(spans) for b in range(start, min(0, start + n))}
    borders = sorted(draw(st.sets(bucket, max_size=8)))
    proven = [
        (start, end, draw(st.sampled_from(["archive", "ohlc", "trades"])))
        for start, end in zip(borders[::2], borders[1::2], strict=False)
    ]
    known = draw(st.one_of(st.none(), st.just(min([-WINDOW, *stored])), st.integers(-1000, -1)))
    restated = draw(st.sets(st.sampled_from(sorted(stored)), max_size=3)) if stored else set()
    if known is None:
        return Damaged(series, None, stored)  # what was never processed has no proofs
    return Damaged(series, known, stored, proven, restated)


@st.composite
def histories(draw: st.DrawFn, *intervals: int) -> History:
    """Return a strategy for the damaged histories of every ticker at some intervals."""
    return History(
        [draw(_damaged(Series(ticker, interval))) for ticker in TIERS for interval in intervals],
        draw(st.dictionaries(st.sampled_from(sorted(TIERS)), st.integers(0, 40 * DAY_S), max_size=1)),
    )


def spoil(dsn: str, questdb: QuestDBClient, history: History) -> None:
    """Make both stores hold a history and nothing else."""
    with connect(dsn) as connection:
        empty_ledger(connection)
        sync_catalogue(
            connection,
            [CatalogueEntry(ticker=t, base=t[:3], quote="USD", tier=tier) for t, tier in TIERS.items()],  # type: ignore[arg-type]
        )
        for ticker, ago_s in history.gone.items():
            connection.execute(
                "UPDATE assets SET delisted_at = to_timestamp(%s) WHERE ticker = %s", (NOW - ago_s, ticker)
            )
        for one in history.series:
            _write_ledger(connection, one)
    questdb.query("DROP TABLE IF EXISTS ohlcv")
    ensure_candle_table(questdb)
    rows = [candle(one.series, one.open_s(bucket)) for one in history.series for bucket in sorted(one.stored)]
    questdb.write_batch(CANDLE_TABLE, statement("insert_candle"), rows)


def candle(series: Series, ts_s: int, **changes: Any) -> dict[str, Any]:
    """Return the parameters that store a candle."""
    prices = dict.fromkeys(("open", "high", "low", "close", "vwap", "volume"), 1.5)
    key = {"ts_us": ts_s * 1_000_000, "ticker": series.ticker, "interval": str(series.interval_minutes)}
    return {**key, **prices, "trades": 3, "source": "ohlc", "stored_us": None, **changes}


def _write_ledger(connection: Any, one: Damaged) -> None:
    if one.known is None:
        return
    connection.execute(
        "INSERT INTO series (ticker, interval_minutes, start_ts) VALUES (%s, %s, to_timestamp(%s))",
        (*one.series, one.open_s(one.known)),
    )
    for start, end, evidence in one.proven:
        add_proof(connection, one.series, one.open_s(start), one.open_s(end), evidence)
    for bucket in one.restated:
        connection.execute(
            "INSERT INTO candle_restatements (ticker, interval_minutes, ts, source, old, new, first_seen_at)"
            " VALUES (%s, %s, to_timestamp(%s), 'ohlc', '[]', '[]', now())",
            (*one.series, one.open_s(bucket)),
        )


def recount(dsn: str, questdb: QuestDBClient, series: Series) -> dict[int, str]:
    """Return what every closed bucket of a series' grid is, from raw rows and the definitions alone.

    :return: by open time: ``stored``, an evidence, ``fillable``, ``expiring``, ``unfillable`` or ``pending``
    """
    step = step_s(series.interval_minutes)
    with connect(dsn) as connection:
        (asset,) = connection.execute(
            "SELECT tier, extract(epoch FROM delisted_at)::bigint AS delisted_s FROM assets"
            " WHERE ticker = %s",
            (series.ticker,),
        ).fetchall()
        start = connection.execute(
            "SELECT extract(epoch FROM start_ts)::bigint AS s FROM series"
            " WHERE ticker = %s AND interval_minutes = %s",
            series,
        ).fetchone()
        stretches = proven(connection, series)
    candles = {
        int(ts.timestamp())
        for (ts,) in questdb.query(
            "SELECT ts FROM ohlcv WHERE ticker = %(ticker)s AND interval = %(interval)s",
            {"ticker": series.ticker, "interval": str(series.interval_minutes)},
        )
    }
    if asset["delisted_s"] is not None and start is None and not candles:
        return {}
    first = NOW // step * step - WINDOW * step if start is None else start["s"]
    end = min(NOW, asset["delisted_s"] or NOW)
    found = {}
    for open_s in range(min([first, *candles]), NOW, step):
        if open_s + step > end:
            break
        evidence = [by for start_s, end_s, by in stretches if start_s <= open_s < end_s]
        if open_s in candles:
            found[open_s] = "stored"
        elif evidence:
            found[open_s] = evidence[0]
        elif due_s(Upkeep.shipped(asset["tier"]), series.interval_minutes, open_s + step, hours=HOURS) > NOW:
            found[open_s] = "pending"
        elif asset["delisted_s"] is not None or open_s < NOW // step * step - WINDOW * step:
            found[open_s] = "unfillable"
        else:
            found[open_s] = "expiring" if open_s + WINDOW * step <= NOW + DAY_S else "fillable"
    return found


def of_kind(counted: dict[int, str], *kinds: str, within: Range | None = None) -> list[int]:
    """Return the open times of some kinds of bucket, ascending, of all or of those that open in a range."""
    return sorted(
        open_s
        for open_s, kind in counted.items()
        if kind in kinds and (within is None or within[0] <= open_s < within[1])
    )


EVIDENCE: Iterable[str] = ("archive", "ohlc", "trades")
MISSING: Iterable[str] = ("fillable", "expiring", "unfillable")
