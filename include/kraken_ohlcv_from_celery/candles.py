"""From table ``assetprice`` to table ``ohlcv``: one candle per bucket, nothing stored here is replaced.

Whatever the old system called its source, a candle is stored as ``imported``: nothing here has seen where it
came from, so any source of our own may replace it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import FIGURES, IMPORTED, PRICES, requirements, says_same
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.sources.archive.parse import OLDEST_S
from kraken_ohlcv.stores.candle_store import STORED_SCHEMA, read_frame, write_frame
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.ledger.series_state import find_series
from kraken_ohlcv.stores.ledger.session import Connection, fill_lock
from kraken_ohlcv.stores.queries import MICROSECONDS, rendered
from kraken_ohlcv_from_celery.mapping import CandleSource, Mapping, MappingError
from kraken_ohlcv_from_celery.report import Report

CHUNK_BUCKETS: Final = 50_000
"""Buckets read at once: constant memory, whatever the length of the history."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
LAST_US: Final = int(LAST.timestamp()) * MICROSECONDS

OLD_SCHEMA: Final = {
    "us": pl.Int64,
    **dict.fromkeys((*PRICES, "volume"), pl.Float64),
    "trades": pl.Int64,
    "old_source": pl.String,
}


@dataclass(slots=True)
class CandleReport(Report):
    """What was, or would be, done with the candles of a series.

    :ivar twice: rows dropped because a better source has the same candle
    :ivar twice_differing: of these, rows whose figures differ
    :ivar untraded: rows without volume or trades: no candle here, but an empty bucket
    :ivar refused: rows off the grid, not closed yet, or without a sound figure
    :ivar equal: candles stored here already
    :ivar kept: candles stored here with other figures, which stay
    :ivar written: candles written, or to be written
    :ivar coming: their buckets
    """

    twice: int = 0
    twice_differing: int = 0
    untraded: int = 0
    refused: int = 0
    equal: int = 0
    kept: int = 0
    written: int = 0
    coming: BucketSet = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no bucket."""
        self.coming = BucketSet(step_s(self.series.interval_minutes))

    def found(self, what: str, rows: pl.DataFrame) -> int:
        """Name the first of the rows that have a kind of problem, and return their number."""
        if not rows.is_empty():
            self.remark(what, f"at {iso(rows['us'][0] / MICROSECONDS)}")
        return rows.height


class Part(NamedTuple):
    """Rows of the old table that become a series.

    :ivar asset_id: the old system's
    :ivar quote: likewise
    :ivar series: what they are called here
    """

    asset_id: int
    quote: str
    series: Series


def check_candles(
    old: QuestDBClient, mapping: Mapping, source: CandleSource
) -> tuple[dict[Part, Range], Counter[str]]:
    """Refuse a mapping that does not fit the old table, before anything is written.

    :param old: client of the store with the old table
    :param mapping: the mapping
    :param source: its part about candles
    :return: first and last open time of what is brought over, epoch microseconds; what is left behind
    :raises MappingError: if a column, an asset, an interval or a source does not fit
    """
    types = {row[0]: row[1] for row in old.query(f'SHOW COLUMNS FROM "{source.table}"')}
    source.check_columns(types)
    time = source.columns["time"]
    if not types[time].startswith("TIMESTAMP"):
        raise MappingError(
            f"column {time} of table {source.table} is {types[time]}, not TIMESTAMP or TIMESTAMP_NS: name "
            "the column with the open time"
        )
    groups = old.query(rendered("old_candle_groups", params=source))
    mapping.check_assets(source.table, [(row[0], row[1]) for row in groups], is_complete=True)
    tickers = mapping.tickers()
    spans: dict[Part, Range] = {}
    left: Counter[str] = Counter()
    for asset_id, quote, minutes, old_source, low, high, n_rows in groups:
        why = mapping.left_behind(source.table, asset_id, quote, minutes)
        if why is None and old_source in mapping.ignore_sources:
            why = f"source {old_source}"
        if why is not None:
            left[why] += n_rows
            continue
        if old_source not in source.sources:
            raise MappingError(
                f"table {source.table} holds source {old_source!r}, which the mapping does not name: add it "
                "to candles.sources, or ignore it with ignore_sources"
            )
        part = Part(asset_id, quote, Series(tickers[asset_id, quote], minutes))
        known = spans.get(part, (low, high))
        spans[part] = (min(low, known[0]), max(high, known[1]))
    return spans, left


def import_candles(
    connection: Connection,
    old: QuestDBClient,
    new: QuestDBClient,
    source: CandleSource,
    spans: dict[Part, Range],
    *,
    now_s: int,
    write: bool,
) -> Iterator[CandleReport]:
    """Bring all candles over, series by series.

    :param connection: the ledger, whose proofs of emptiness they may contradict
    :param old: client of the store with the old table
    :param new: client of the candle store
    :param source: the mapping's part about candles
    :param spans: from :func:`check_candles`
    :param now_s: epoch seconds UTC; candles that close later are refused
    :param write: False = only say what would be done
    :return: a report per series
    """
    for part, span in sorted(spans.items()):
        report = CandleReport(part.series)
        with ExitStack() as locks:
            known = find_series(connection, part.series) if write else None
            if known is not None:
                # A candle that a run stores meanwhile would be overwritten.
                locks.enter_context(fill_lock(connection, known["series_id"]))
            for frame in _chunks(old, source, part, span):
                fresh = _fresh(new, source, report, frame, now_s=now_s)
                opens = BucketSet.of_points(
                    fresh["ts_s"].to_list(), step=step_s(part.series.interval_minutes)
                )
                if write and opens:
                    with admitted(connection, part.series, opens, now_s=now_s) as admission:
                        admission.note_new(opens)
                        write_frame(new, part.series, fresh, stored_us=admission.moment_us)
                report.coming |= opens
        yield report


def _chunks(old: QuestDBClient, source: CandleSource, part: Part, span: Range) -> Iterator[pl.DataFrame]:
    sql = rendered("old_candles", params=source)
    minutes = part.series.interval_minutes
    values = {"asset_id": part.asset_id, "quote": part.quote, "minutes": minutes}
    values |= {f"source_{number}": name for number, name in enumerate(source.sources)}
    length = CHUNK_BUCKETS * step_s(minutes) * MICROSECONDS
    for low in range(span[0] // length * length, span[1] + 1, length):
        # No later than needed: a column in nanoseconds ends in 2262.
        high = min(low + length, span[1] + 1)
        rows = old.query(sql, {**values, "low": _aware(low), "high": _aware(high)})
        if rows:
            yield pl.DataFrame(rows, schema=OLD_SCHEMA, orient="row")


def _aware(us: int) -> datetime:
    """Return a time as a driver parameter: a small number would be sent in too few bytes to be a time."""
    return LAST if us >= LAST_US else EPOCH + timedelta(microseconds=us)


def _fresh(
    new: QuestDBClient, source: CandleSource, report: CandleReport, rows: pl.DataFrame, *, now_s: int
) -> pl.DataFrame:
    """Return the candles of some rows that do not stand here yet, and count all rows."""
    step = step_s(report.series.interval_minutes)
    report.rows += rows.height
    sound = _sound(report, rows, step=step, now_s=now_s)
    candles = _one_a_bucket(report, sound, source)
    if candles.is_empty():
        return candles
    low, high = int(candles["ts_s"][0]), int(candles["ts_s"][-1]) + step
    stored = read_frame(new, report.series, (low, high))
    both = candles.join(stored, on="ts_s", how="inner", suffix="_stored")
    is_same = says_same(
        {name: pl.col(name) for name in FIGURES}, {name: pl.col(f"{name}_stored") for name in FIGURES}
    )
    kept = both.filter(~is_same).with_columns(us=pl.col("ts_s") * MICROSECONDS)
    report.kept += report.found("candles are stored here with other figures and stay unchanged", kept)
    report.equal += both.height - kept.height
    fresh = candles.join(stored, on="ts_s", how="anti")
    report.written += fresh.height
    return fresh


def _sound(report: CandleReport, rows: pl.DataFrame, *, step: int, now_s: int) -> pl.DataFrame:
    untraded = (pl.col("volume") == 0) | (pl.col("trades") == 0)
    bad = {
        "candles from before Kraken existed": pl.col("us") < OLDEST_S * MICROSECONDS,
        "rows off the grid": pl.col("us") % (step * MICROSECONDS) != 0,
        "candles that have not closed": pl.col("us") + step * MICROSECONDS > now_s * MICROSECONDS,
        "rows with a figure that is missing or impossible": ~pl.all_horizontal(
            holds for holds, _ in requirements({name: pl.col(name) for name in FIGURES})
        ).fill_null(value=False),
    }
    rest = rows.remove(untraded)
    report.untraded += rows.height - rest.height
    for what, is_bad in bad.items():
        report.refused += report.found(what, rest.filter(is_bad))
        rest = rest.remove(is_bad)
    return rest


def _one_a_bucket(report: CandleReport, rows: pl.DataFrame, source: CandleSource) -> pl.DataFrame:
    """Keep one row per bucket: of the source named first in the mapping, then the one with more trades."""
    by_source = pl.col("old_source").cast(pl.Enum(list(dict.fromkeys(source.sources))))
    ranked = rows.sort("us", by_source, "trades", "volume", descending=[False, False, True, True])
    best = ranked.unique("us", keep="first", maintain_order=True)
    report.twice += ranked.height - best.height
    others = ranked.join(best, on=["us", *FIGURES], how="anti")
    report.twice_differing += report.found("candles are stored twice with different figures", others)
    return best.select(
        *FIGURES,
        ts_s=pl.col("us") // MICROSECONDS,
        vwap=pl.lit(None, pl.Float64),
        source=pl.lit(IMPORTED),
    ).select(STORED_SCHEMA.keys())
