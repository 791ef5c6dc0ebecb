"""Random damage of both stores: what is read is what the raw rows give, bucket by bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_ohlcv import IncompleteError, coverage, iter_candles, read_candles
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.reader.buckets import bucket_frame
from kraken_ohlcv.reader.scope import find_rows
from kraken_ohlcv.stores.queries import statement
from tests.integration.damage import MISSING, NOW, Damaged, History, candle, histories, recount, spoil
from tests.integration.ledger_pages import proven

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.reader.stores import Stores

INSERT = statement("insert_candle")
EARLIEST = 1_377_993_600  # 2013-09-01, before which Kraken has no candle
HOLES = {"missing", "pending", "not closed"}

some = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Asked(NamedTuple):
    """Borders of a read in buckets before the running one, with a few seconds more or less; None = open."""

    start: tuple[int, int] | None
    end: tuple[int, int] | None

    def range_of(self, step: int) -> tuple[int | None, int | None]:
        """Return the borders, epoch seconds."""
        here = NOW // step * step
        start, end = (None if one is None else here + one[0] * step + one[1] for one in self)
        return start, end


borders = st.tuples(st.integers(-1030, 3), st.sampled_from([0, 0, -7, 7]))
asked_ranges = st.builds(
    lambda one, other, is_open: Asked(
        None if is_open[0] else min(one, other), None if is_open[1] else max(one, other)
    ),
    borders,
    borders,
    st.tuples(st.booleans(), st.booleans()),
)


def close_of(ts_s: int) -> float:
    """Return a close that tells which candle it is."""
    return 1.0 + ts_s % 1009 / 7


def damage(stores: Stores, dsn: str, history: History) -> None:
    """Make both stores hold a history, each candle with another close."""
    spoil(dsn, stores.questdb, history)
    rows = [
        candle(one.series, open_s, close=close_of(open_s))
        for one in history.series
        for open_s in map(one.open_s, sorted(one.stored))
    ]
    stores.questdb.write_batch("ohlcv", INSERT, rows)


class Truth(NamedTuple):
    """The status of every bucket that may be asked for, by open time, and where the series begins."""

    found: dict[int, str]
    start: int


def truth(stores: Stores, dsn: str, series: Series) -> Truth | None:
    """Return what raw rows and definitions give, or None when nothing is expected."""
    step = step_s(series.interval_minutes)
    counted = recount(dsn, stores.questdb, series)
    if not counted:
        return None
    kinds = dict.fromkeys(MISSING, "missing") | {one: f"empty_{one}" for one in ("archive", "ohlc", "trades")}
    found = {open_s: kinds.get(kind, kind) for open_s, kind in counted.items()}
    before = dict.fromkeys(range((NOW // step - 1100) * step, min(counted), step), "missing")
    for start_s, end_s, evidence in proven(stores.ledger, series):
        before |= dict.fromkeys(before.keys() & set(range(start_s, end_s, step)), f"empty_{evidence}")
    gone = stores.ledger.execute(
        "SELECT 1 FROM assets WHERE ticker = %s AND delisted_at IS NOT NULL", (series.ticker,)
    ).fetchone()
    after = [] if gone else range(max(counted) + step, NOW + 5 * step, step)
    return Truth(before | found | dict.fromkeys(after, "not closed"), min(counted))


def asked_for(known: Truth, part: tuple[int | None, int | None], step: int) -> dict[int, str]:
    """Return the buckets that lie whole in a range."""
    found = known.found
    start = known.start if part[0] is None else part[0]
    behind = [open_s for open_s, kind in found.items() if kind == "not closed"]
    end = min(behind, default=NOW) if part[1] is None else part[1]
    return {one: kind for one, kind in found.items() if start <= one and one + step <= end}


def filled(found: dict[int, str], rows: dict[int, str]) -> dict[int, float | None]:
    """Return the close that each row is to show when empty buckets repeat the one before."""
    closes: dict[int, float | None] = {}
    close = None
    for open_s, kind in sorted(found.items()):
        if kind == "stored":
            close = close_of(open_s)
        elif not kind.startswith("empty"):
            close = None
        closes[open_s] = close
    return {open_s: closes[open_s] for open_s in rows}


@some
@given(history=histories(60, 1440), asked=asked_ranges)
def test_each_bucket_has_the_status_that_the_raw_rows_give(
    stores: Stores, ledger_uri: str, history: History, asked: Asked
) -> None:
    damage(stores, ledger_uri, history)
    for one in history.series:
        ticker, interval = one.series
        step = step_s(interval)
        known = truth(stores, ledger_uri, one.series)
        start, end = asked.range_of(step)
        times = [None if border is None else utc(border) for border in (start, end)]
        if known is None:
            with pytest.raises(BadRequestError, match="has no data"):
                read_candles(ticker, interval, *times, on_missing="mark", stores=stores)
            continue
        wanted = asked_for(known, (start, end), step)
        closed = {open_s: kind for open_s, kind in wanted.items() if kind != "not closed"}

        frame = read_candles(ticker, interval, *times, on_missing="mark", empty="rows", stores=stores)

        opens = (frame["ts"].to_physical() // 1_000_000).to_list()
        assert dict(zip(opens, frame["status"].to_list(), strict=True)) == closed
        assert opens == sorted(closed)
        assert frame["close"].to_list() == [
            close_of(open_s) if kind == "stored" else None for open_s, kind in sorted(closed.items())
        ]
        assert ((frame["available_at"] - frame["ts"]).dt.total_seconds() == step).all()
        counts = {name: frame["status"].eq(name).sum() for name in set(closed.values())}
        figures = coverage(ticker, interval, *times, stores=stores).row(0, named=True)
        assert figures["buckets"] == len(closed)
        assert {name: figures[name] for name in counts} == counts


@some
@given(
    history=histories(60),
    asked=asked_ranges,
    empty=st.sampled_from(["omit", "rows", "fill_close"]),
    on_missing=st.sampled_from(["raise", "mark", "drop"]),
)
def test_a_hole_is_never_read_over(
    stores: Stores, ledger_uri: str, history: History, asked: Asked, empty: str, on_missing: str
) -> None:
    damage(stores, ledger_uri, history)
    for one in history.series:
        known = truth(stores, ledger_uri, one.series)
        if known is None:
            continue
        start, end = asked.range_of(3600)
        times = [None if border is None else utc(border) for border in (start, end)]
        wanted = asked_for(known, (start, end), 3600)
        if on_missing == "raise" and end is None:
            # Pending buckets are no hole then: the frame ends with the first one.
            pending = [open_s for open_s, kind in wanted.items() if kind == "pending"]
            wanted = {open_s: kind for open_s, kind in wanted.items() if open_s < min(pending, default=NOW)}
        holes = {open_s for open_s, kind in wanted.items() if kind in HOLES}
        options = {"on_missing": on_missing, "empty": empty, "stores": stores}
        if on_missing == "raise" and holes:
            with pytest.raises(IncompleteError) as refused:
                read_candles(one.series.ticker, 60, *times, **options)
            named = refused.value.holes
            assert sum(hole.buckets for hole in named) == len(holes)
            assert min(hole.start_s for hole in named) == min(holes)
            assert max(hole.end_s for hole in named) == max(holes) + 3600
            assert {hole.status for hole in named if hole.status} == {
                kind for open_s, kind in wanted.items() if open_s in holes and kind != "not closed"
            }
            with pytest.raises(IncompleteError):
                list(iter_candles(one.series.ticker, 60, *times, **options))
            continue
        left_out = {"not closed"} if on_missing == "mark" else HOLES
        rows = {
            open_s: kind
            for open_s, kind in sorted(wanted.items())
            if kind not in left_out and not (empty == "omit" and kind.startswith("empty"))
        }
        closes = {open_s: close_of(open_s) if kind == "stored" else None for open_s, kind in rows.items()}
        if empty == "fill_close":
            closes = filled(known.found, rows)

        frame = read_candles(one.series.ticker, 60, *times, **options)

        assert frame["status"].to_list() == list(rows.values())
        assert frame["close"].to_list() == list(closes.values())
        pieces = list(iter_candles(one.series.ticker, 60, *times, **options))
        assert [status for piece in pieces for status in piece["status"]] == list(rows.values())


@pytest.mark.parametrize("most", [37, 500])
def test_pieces_of_any_size_say_the_same(
    stores: Stores, ledger_uri: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = set(range(-900, 0)) - set(range(-400, -350)) - {-800, -5}
    damaged = Damaged(Series("AAAUSD", 60), -900, stored, [(-400, -360, "trades"), (-800, -799, "ohlc")])
    damage(stores, ledger_uri, History([damaged], {}))
    (row,) = find_rows(stores, ["AAAUSD"], 60)
    covered: Range = damaged.open_s(-950), damaged.open_s(0)
    whole = bucket_frame(stores, row, covered)
    filled_whole = read_candles("AAAUSD", 60, on_missing="mark", empty="fill_close", stores=stores)
    monkeypatch.setattr("kraken_ohlcv.stores.candle_frames.MOST_ROWS", most)

    assert bucket_frame(stores, row, covered).equals(whole)
    again = read_candles("AAAUSD", 60, on_missing="mark", empty="fill_close", stores=stores)
    assert again.equals(filled_whole)
    assert whole["status"].value_counts().sort("status").rows() == [
        ("stored", 848),
        ("empty_trades", 40),
        ("empty_ohlc", 1),
        ("missing", 60),
        ("pending", 1),
    ]
