"""From table ``assetprice`` to table ``ohlcv``: one candle a bucket, nothing that stands here is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from include.ohlcv import ranges
from include.ohlcv.archive.candle_store import prove_written, send, stored_candles, wait_applied
from include.ohlcv.archive.merge import STORED_SCHEMA
from include.ohlcv.candles import FIGURES, IMPORTED, says_same
from include.ohlcv.contradiction import admitted
from include.ohlcv.from_celery.mapping import MappingError, check_assets, check_columns
from include.ohlcv.from_celery.report import Report
from include.ohlcv.gaps import Series
from include.ohlcv.intervals import INTERVALS, step_s
from include.ohlcv.store import MICROSECONDS
from include.ohlcv.times import iso
from kraken_hooks.candles import requirements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.ohlcv.from_celery.mapping import CandleSource, Mapping
    from include.ohlcv.ledger.session import Connection
    from kraken_hooks.questdb import QuestDBHook

CHUNK_BUCKETS: Final = 50_000
"""Buckets read at once: constant memory, whatever the length of the history."""

OLD_SCHEMA: Final = {
    "us": pl.Int64,
    **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64),
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
    :ivar equal: candles that stand here already
    :ivar kept: candles that stand here with other figures, and stay
    :ivar written: candles written, or to be written
    """

    twice: int = 0
    twice_differing: int = 0
    untraded: int = 0
    refused: int = 0
    equal: int = 0
    kept: int = 0
    written: int = 0

    def found(self, what: str, rows: pl.DataFrame) -> None:
        """Name the first of the rows that have a kind of trouble, if there are any."""
        if not rows.is_empty():
            self.remark(what, f"at {iso(rows['us'][0] / MICROSECONDS)}")


def import_candles(
    connection: Connection,
    old: QuestDBHook,
    new: QuestDBHook,
    mapping: Mapping,
    source: CandleSource,
    *,
    now_s: int,
    write: bool,
) -> Iterator[CandleReport]:
    """Bring all candles over, series by series.

    :param connection: the ledger, whose proofs of emptiness they may contradict
    :param old: hook of the store with the old table
    :param new: hook of the candle store
    :param mapping: the mapping
    :param source: its part about candles
    :param now_s: epoch seconds UTC; candles that close later are refused
    :param write: False = only say what would be done
    :return: a report a series
    :raises MappingError: if a column, an asset, an interval or a source does not fit; nothing is written then
    """
    columns = source.columns
    shown = old.query(f'SHOW COLUMNS FROM "{source.table}"')
    check_columns(source.table, columns.values(), [row[0] for row in shown])
    series = ", ".join(_quoted(columns[name]) for name in ("asset_id", "quote", "interval_minutes", "source"))
    moment = _quoted(columns["time"])
    inventory = old.query(
        f"SELECT {series}, min({moment})::long, max({moment})::long FROM {_quoted(source.table)}"  # noqa: S608
    )
    check_assets(mapping, source.table, [(row[0], row[1]) for row in inventory])
    spans: dict[tuple[int, str, int], tuple[int, int]] = {}
    for asset_id, quote, minutes, old_source, low, high in inventory:
        if asset_id in mapping.ignore and mapping.ticker(asset_id, quote) is None:
            continue
        if minutes not in INTERVALS:
            raise MappingError(f"table {source.table} holds interval {minutes}, which Kraken does not serve")
        if old_source not in source.sources:
            raise MappingError(
                f"table {source.table} holds source {old_source!r}, which the mapping does not name: add it "
                "to candles.sources as ohlc or archive"
            )
        known = spans.get((asset_id, quote, minutes), (low, high))
        spans[asset_id, quote, minutes] = (min(low, known[0]), max(high, known[1]))
    for (asset_id, quote, minutes), span in sorted(spans.items()):
        ticker = mapping.ticker(asset_id, quote)
        if ticker is None:
            raise MappingError(f"asset {asset_id} in {quote} is not mapped")
        report = CandleReport(Series(ticker, minutes))
        key = {"asset_id": asset_id, "quote": quote, "minutes": minutes}
        for frame in _chunks(old, source, key, span):
            fresh = _fresh(new, source, report, frame, now_s=now_s)
            if write and not fresh.is_empty():
                _write(connection, new, report.series, fresh)
        yield report


def _quoted(name: str) -> str:
    # The mapping lets nothing through but letters, digits and underscores.
    return f'"{name}"'


def _chunks(
    old: QuestDBHook, source: CandleSource, key: dict[str, Any], span: tuple[int, int]
) -> Iterator[pl.DataFrame]:
    columns = {name: _quoted(column) for name, column in source.columns.items()}
    figures = ", ".join(columns[name] for name in FIGURES)
    sql = (
        f"SELECT {columns['time']}::long, {figures}, {columns['source']} FROM {_quoted(source.table)}"  # noqa: S608
        f" WHERE {columns['asset_id']} = %(asset_id)s AND {columns['quote']} = %(quote)s"
        f" AND {columns['interval_minutes']} = %(minutes)s"
        f" AND {columns['time']} >= %(low)s AND {columns['time']} < %(high)s ORDER BY {columns['time']}"
    )
    length = CHUNK_BUCKETS * key["minutes"] * 60 * MICROSECONDS
    for low in range(span[0] // length * length, span[1] + 1, length):
        rows = old.query(sql, {**key, "low": low, "high": low + length})
        if rows:
            yield pl.DataFrame(rows, schema=OLD_SCHEMA, orient="row")


def _write(connection: Connection, new: QuestDBHook, series: Series, fresh: pl.DataFrame) -> None:
    opens = ranges.from_points(fresh["ts_s"].to_list(), step=step_s(series.interval_minutes))
    with admitted(connection, series, opens):
        send(new, series, fresh)
        wait_applied(new)
        prove_written(new, series, fresh)


def _fresh(
    new: QuestDBHook, source: CandleSource, report: CandleReport, rows: pl.DataFrame, *, now_s: int
) -> pl.DataFrame:
    """Return the candles of some rows that do not stand here yet, and count all rows."""
    step = step_s(report.series.interval_minutes)
    report.rows += rows.height
    sound = _sound(report, rows, step=step, now_s=now_s)
    candles = _one_a_bucket(report, sound, source)
    if candles.is_empty():
        return candles
    low, high = int(candles["ts_s"][0]), int(candles["ts_s"][-1]) + step
    stored = stored_candles(new, report.series, (low, high))
    both = candles.join(stored, on="ts_s", how="inner", suffix="_stored")
    is_same = says_same(
        {name: pl.col(name) for name in FIGURES}, {name: pl.col(f"{name}_stored") for name in FIGURES}
    )
    kept = both.filter(~is_same)
    report.kept += kept.height
    report.equal += both.height - kept.height
    report.found(
        "candles stand here with other figures and stay as they are",
        kept.with_columns(us=pl.col("ts_s") * MICROSECONDS),
    )
    fresh = candles.join(stored, on="ts_s", how="anti")
    report.written += fresh.height
    return fresh


def _sound(report: CandleReport, rows: pl.DataFrame, *, step: int, now_s: int) -> pl.DataFrame:
    untraded = (pl.col("volume") == 0) | (pl.col("trades") == 0)
    bad = {
        "rows off the grid": pl.col("us") % (step * MICROSECONDS) != 0,
        "candles that have not closed": pl.col("us") + step * MICROSECONDS > now_s * MICROSECONDS,
        "rows with a figure that is missing or impossible": ~pl.all_horizontal(
            holds for holds, _ in requirements({name: pl.col(name) for name in FIGURES})
        ).fill_null(value=False),
    }
    empty = rows.filter(untraded.fill_null(value=False))
    report.untraded += empty.height
    rest = rows.filter(~untraded.fill_null(value=False))
    for what, condition in bad.items():
        found = rest.filter(condition)
        report.refused += found.height
        report.found(what, found)
        rest = rest.filter(~condition)
    return rest


def _one_a_bucket(report: CandleReport, rows: pl.DataFrame, source: CandleSource) -> pl.DataFrame:
    """Keep one row a bucket: of the source named first in the mapping, then the one with more trades."""
    names = list(source.sources)
    ranked = rows.with_columns(
        rank=pl.col("old_source").replace_strict(names, list(range(len(names))), return_dtype=pl.Int64)
    ).sort(["us", "rank", "trades", "volume"], descending=[False, False, True, True])
    best = ranked.unique("us", keep="first", maintain_order=True)
    report.twice += ranked.height - best.height
    others = ranked.join(best, on=["us", *FIGURES], how="anti")
    report.twice_differing += others.height
    report.found("candles stand twice with different figures", others)
    return best.select(
        (pl.col("us") // MICROSECONDS).alias("ts_s"),
        *(pl.col(name) for name in ("open", "high", "low", "close")),
        pl.lit(None, pl.Float64).alias("vwap"),
        pl.col("volume"),
        pl.col("trades"),
        pl.lit(IMPORTED).alias("source"),
    ).select(list(STORED_SCHEMA))
