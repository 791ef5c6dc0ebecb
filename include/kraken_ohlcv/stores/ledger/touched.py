"""What touched the candles of a series in a time: other versions of them, and the runs that worked on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.coverage import date_of, of_log
from kraken_ohlcv.stores.ledger.session import Connection, fetch, rows


@dataclass(frozen=True, slots=True)
class CandleVersion:
    """Another version of a stored candle; moments are epoch seconds UTC.

    :ivar open_s: open time of the candle
    :ivar source: which source gave the new values
    :ivar old: figures before
    :ivar new: figures that the source gave
    :ivar first_seen_s: when it was first seen
    :ivar applied_s: when it replaced the stored candle; None = it has not
    """

    open_s: int
    source: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    first_seen_s: int
    applied_s: int | None


@dataclass(slots=True)
class RunTouch:
    """What a run did in a time.

    :ivar at_s: the exchange's time that it worked with, epoch seconds UTC; None when that is not kept
    :ivar gaps: gaps of that time that it claimed
    :ivar candles: candles that it stored for them
    :ivar outcomes: of these gaps, each once
    :ivar proven: buckets that it proved empty
    :ivar withdrawn: proofs that it withdrew, buckets
    """

    dag_id: str
    run_id: str
    at_s: int | None
    gaps: int = 0
    candles: int = 0
    outcomes: Sequence[str] = ()
    proven: int = 0
    withdrawn: int = 0


def read_versions(connection: Connection, series: Series, covered: Range) -> dict[int, list[CandleVersion]]:
    """Return the other versions of the candles of a series.

    :param covered: open times, half-open, epoch seconds UTC
    :return: by open time, epoch seconds UTC, the oldest first; a candle with none is absent
    """
    found: dict[int, list[CandleVersion]] = {}
    for one in rows(
        connection, "list_restatements_between", CandleVersion, series, from_s=covered[0], until_s=covered[1]
    ):
        found.setdefault(one.open_s, []).append(one)
    return found


def read_runs(
    connection: Connection, series: Series, covered: Range, gap_ids: Sequence[int]
) -> list[RunTouch]:
    """Return the runs that claimed gaps of a series, or changed its proofs in a time.

    :param covered: open times, half-open, epoch seconds UTC
    :param gap_ids: the gaps
    :return: the newest first; a run whose time is not kept comes last
    """
    found: dict[tuple[str, str], RunTouch] = {}
    for row in fetch(connection, "list_tries", gap_ids=list(gap_ids)):
        key = row["dag_id"], row["run_id"]
        found[key] = RunTouch(
            *key, row["asked_s"], gaps=row["gaps"], candles=row["candles"], outcomes=row["outcomes"]
        )
    months = [date_of(month) for month in months_in([covered])]
    for row in fetch(connection, "list_proof_runs", series, months=months):
        n_buckets = len(of_log(row, step_s(series.interval_minutes)).within(covered))
        if not n_buckets:
            continue
        key = row["dag_id"], row["run_id"]
        run = found.setdefault(key, RunTouch(*key, row["changed_s"]))
        if row["evidence"] is None:
            run.withdrawn += n_buckets
        else:
            run.proven += n_buckets
    return sorted(found.values(), key=lambda run: run.at_s or 0, reverse=True)
