"""The past: what the stores held of a series at a moment, by the ledger's clock.

Each candle says when it was stored; the versions before it, and every proof, say in the ledger until when
they stood. A candle without a moment was stored before records began.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Self

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.bucket_arrays import is_in, opening_at
from kraken_ohlcv.stores.candle_store import FRAME_SCHEMA, read_frame
from kraken_ohlcv.stores.ledger.coverage import Emptiness, date_of, of_log
from kraken_ohlcv.stores.ledger.session import Connection, Row, fetch, value
from kraken_ohlcv.stores.queries import MICROSECONDS

VERSION_SCHEMA: Final = {**FRAME_SCHEMA, "replaced_us": int, "is_applied": bool}
"""The columns of versions that were replaced: when, and whether it is known that they were."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the stores held of a series in a range at a moment.

    Of the grid, what is neither stored nor proven empty nor unknown was missing.

    :ivar start_s: where the series began as the ledger knew it, epoch seconds UTC; None = it was not known,
        and all is unknown
    :ivar candles: what was stored, see :data:`kraken_ohlcv.stores.candle_store.FRAME_SCHEMA`; ascending
    :ivar empty: buckets proven empty
    :ivar unknown: buckets whose past is lost; neither stored nor proven empty
    """

    start_s: int | None
    candles: pl.DataFrame
    empty: Emptiness
    unknown: BucketSet


def read_past(
    questdb: QuestDBClient, connection: Connection, series: Series, covered: Range, *, at_us: int
) -> Past:
    """Return what the stores held of a series in a range at a moment.

    The same whenever it is asked, as long as no write was open at that moment, see
    :func:`kraken_ohlcv.stores.ledger.moments.settled_us`.

    :param connection: the ledger; a login that may only read suffices
    :param covered: half-open, epoch seconds UTC
    :param at_us: the moment, epoch microseconds
    :return: the past; all of it is unknown before records began
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    :raises QuestDBError: if it does not apply what was written
    """
    step = step_s(series.interval_minutes)
    every = BucketSet.opening_in([covered], step=step)
    began_us = value(connection, "read_records_began")
    start_s = value(connection, "read_start_at", series, at_us=at_us)
    if at_us < began_us or start_s is None:
        return Past(None, pl.DataFrame(schema=FRAME_SCHEMA), Emptiness.none(step), every)
    # QuestDB first: of what is replaced later, the ledger knows before it is.
    questdb.wait_applied(CANDLE_TABLE)
    now = read_frame(questdb, series, covered)
    months = [date_of(month) for month in months_in([covered])]
    log = _Replaced.of(connection, series, covered, months)
    both = now.join(log.overwritten(now), on="ts_s", how="left", maintain_order="left")
    is_lost = (pl.col("replaced_us") <= at_us) | ~pl.col("is_said")
    # Of the others the ledger knows what stood before.
    stands = both.remove(is_lost).with_columns(stored_us=pl.coalesce("replaced_us", "stored_us"))
    found = log.versions_at(stands.select(*FRAME_SCHEMA), at_us)
    unwitnessed = {"gone": BucketSet(step), "come": BucketSet(step)}
    for row in fetch(connection, "read_unwitnessed", series, months=months, at_us=at_us):
        unwitnessed[row["kind"]] |= of_log(row, step)
    # It carries no moment, though it was stored since.
    closes_later = pl.col("ts_s") + step > began_us // MICROSECONDS
    has_come = pl.Series(is_in(found["ts_s"].to_numpy(), unwitnessed["come"]))
    is_foreign = pl.col("stored_us").is_null() & (closes_later | has_come)
    candles = found.remove(is_foreign)
    lost = [*found.filter(is_foreign)["ts_s"], *both.filter(is_lost)["ts_s"]]
    empty = _proven_at(connection, series, months, at_us).within(covered)
    unknown = (unwitnessed["gone"] - empty.all) | BucketSet.of_points(lost, step=step)
    return Past(
        start_s, candles, empty, (unknown & every) - opening_at(candles["ts_s"].to_numpy(), step=step)
    )


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What the ledger has kept of the candles of a series in a range.

    :ivar step: candle length, seconds
    :ivar versions: those that were replaced, see :data:`VERSION_SCHEMA`
    :ivar sources: what candles were called whose source alone was changed, with their buckets
    """

    step: int
    versions: pl.DataFrame
    sources: list[tuple[Row, BucketSet]]

    @classmethod
    def of(cls, connection: Connection, series: Series, covered: Range, months: list[date]) -> Self:
        """Read it."""
        step = step_s(series.interval_minutes)
        span = {"from_s": covered[0], "until_s": covered[1]}
        replaced = fetch(connection, "read_replaced", series, span)
        former = fetch(connection, "read_former_sources", series, months=months)
        return cls(
            step,
            pl.DataFrame(replaced, schema=VERSION_SCHEMA, orient="row"),
            [(row, of_log(row, step)) for row in former],
        )

    def versions_at(self, now: pl.DataFrame, at_us: int) -> pl.DataFrame:
        """Return the versions that stood at a moment, going back from those that stand now."""
        is_later = pl.col("stored_us") > at_us
        standing, later = [now.remove(is_later)], now.filter(is_later)
        while not later.is_empty():
            before = later.select("ts_s", replaced_us="stored_us").join(
                self.versions, on=["ts_s", "replaced_us"]
            )
            older = pl.concat([before.select(*FRAME_SCHEMA), *self._called_before(later)])
            standing.append(older.remove(is_later))
            later = older.filter(is_later)
        return pl.concat(standing).sort("ts_s")

    def _called_before(self, later: pl.DataFrame) -> list[pl.DataFrame]:
        """Return those candles whose source alone was changed by the write that stored them, as they were."""
        by_moment = {moment_us: rows for (moment_us,), rows in later.group_by("stored_us")}
        return [
            rows.filter(is_in(rows["ts_s"].to_numpy(), buckets)).with_columns(
                source=pl.lit(row["source"]), stored_us=pl.lit(row["stored_us"], pl.Int64)
            )
            for row, buckets in self.sources
            if (rows := by_moment.get(row["replaced_us"])) is not None
        ]

    def overwritten(self, now: pl.DataFrame) -> pl.DataFrame:
        """Return the candles whose earlier version stands, though the ledger knows what replaced it.

        A store that was restored from a copy holds such ones, or another program has overwritten them.

        :return: ``ts_s``, ``replaced_us`` (when the version that stands, or one after it, was replaced first,
            epoch microseconds), ``is_said`` (whether the ledger knows the version that was replaced then)
        """
        stands = now.select("ts_s", "source", "stored_us")
        applied = self.versions.filter("is_applied").select("ts_s", "replaced_us", is_said=pl.lit(value=True))
        parts = [stands.join(applied, on="ts_s")]
        for row, buckets in self.sources:
            if row["is_applied"]:
                # Its figures are those that stand now, unless somebody else has written them.
                is_same = (pl.col("source") == row["source"]) & pl.col("stored_us").eq_missing(
                    row["stored_us"]
                )
                rows = stands.filter(is_in(stands["ts_s"].to_numpy(), buckets))
                parts.append(
                    rows.with_columns(replaced_us=pl.lit(row["replaced_us"], pl.Int64), is_said=is_same)
                )
        is_older = pl.col("stored_us").is_null() | (pl.col("stored_us") < pl.col("replaced_us"))
        found = pl.concat(parts).filter(is_older).sort("replaced_us")
        return found.unique("ts_s", keep="first").select("ts_s", "replaced_us", "is_said")


def _proven_at(connection: Connection, series: Series, months: list[date], at_us: int) -> Emptiness:
    """Return what was proven empty at a moment: every change up to then, one after the other."""
    step = step_s(series.interval_minutes)
    by = {evidence: BucketSet(step) for evidence in Evidence}
    for row in fetch(connection, "read_proof_changes", series, months=months, at_us=at_us):
        buckets = of_log(row, step)
        by = {evidence: proven - buckets for evidence, proven in by.items()}
        if row["evidence"] is not None:
            by[Evidence(row["evidence"])] |= buckets
    return Emptiness(step, by)


def unrecorded_since(
    connection: Connection, series: Series, covered: Range, now: pl.DataFrame, *, at_us: int
) -> BucketSet:
    """Return the buckets of sealed days whose candle was stored since, without a record of what was there.

    :param connection: the ledger
    :param covered: half-open, epoch seconds UTC
    :param now: the candles stored there: ``ts_s``, ``stored_us``
    :param at_us: a moment at which the days were sealed, epoch microseconds
    """
    step, months = step_s(series.interval_minutes), [date_of(month) for month in months_in([covered])]
    moment = ["ts_s", "replaced_us"]
    later = now.select("ts_s", replaced_us="stored_us").filter(pl.col("replaced_us") > at_us)
    if later.is_empty():
        return BucketSet(step)
    log = _Replaced.of(connection, series, covered, months)
    added: dict[int, BucketSet] = {}
    for row in fetch(connection, "read_added", series, months=months, at_us=at_us):
        known = added.get(row["written_us"], BucketSet(step))
        added[row["written_us"]] = known | of_log(row, step)
    found = BucketSet(step)
    while not later.is_empty():
        older = pl.concat([
            later.join(log.versions, on=moment).select("ts_s", "stored_us"),
            *(
                later.filter(
                    (pl.col("replaced_us") == row["replaced_us"])
                    & pl.Series(is_in(later["ts_s"].to_numpy(), buckets))
                ).select("ts_s", stored_us=pl.lit(row["stored_us"], pl.Int64))
                for row, buckets in log.sources
            ),
        ])
        for (moment_us,), rows in later.join(older, on="ts_s", how="anti").group_by("replaced_us"):
            found |= opening_at(rows["ts_s"].to_numpy(), step=step) - added.get(moment_us, BucketSet(step))
        later = older.select("ts_s", replaced_us="stored_us").filter(pl.col("replaced_us") > at_us)
    return found
