"""Compare what the stores hold after the runs with the exchange's own candles, bucket by bucket."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from demo.candles import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from demo.candles import Values
    from demo.census import SeriesFacts

EXAMPLES = 10
ARCHIVE_TOLERANCE = 1e-12
"""Of volumes: those of the archive are sums of doubles."""
Ranges = dict[Series, list[tuple[int, int]]]


@dataclass(frozen=True)
class LedgerView:
    """What the ledger says; read with plain SQL, not with the code under demonstration.

    :ivar processed: exchange time of the newest run that processed a series, epoch seconds, by series
    :ivar proven: proven empty ranges, ascending, by series
    :ivar unfillable: missing ranges that wait for another source, by series
    :ivar starts: first open time expected, epoch seconds, by series
    """

    processed: dict[Series, int] = field(default_factory=dict)
    proven: Ranges = field(default_factory=dict)
    unfillable: Ranges = field(default_factory=dict)
    starts: dict[Series, int] = field(default_factory=dict)


@dataclass
class Truth:
    """Outcome of the comparison, in buckets except for ``series``.

    :ivar series: series compared
    :ivar buckets: closed buckets since the pair's first trade, in the API window or in the whole history; the
        sum of the others
    :ivar stored: stored, and equal to the exchange's candle in every value
    :ivar proven_empty: without trades at the exchange, and proven so
    :ivar unfillable: missing, and marked so
    :ivar mismatches: anything else
    :ivar examples: the first mismatches, a sentence each
    """

    series: int = 0
    buckets: int = 0
    stored: int = 0
    proven_empty: int = 0
    unfillable: int = 0
    mismatches: int = 0
    examples: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, int]:
        """Return the numbers without the examples."""
        return {name: value for name, value in asdict(self).items() if name != "examples"}


def read_ledger(uri: str) -> LedgerView:
    """Read the ledger.

    :param uri: libpq URI of its database
    """
    with psycopg.connect(uri) as connection:
        processed = {
            Series(ticker, interval): now_s
            for ticker, interval, now_s in connection.execute(
                "SELECT s.ticker, s.interval_minutes, max(extract(epoch FROM r.exchange_now))::bigint"
                " FROM backfill_runs r JOIN series s ON s.series_id = ANY(r.series_processed) GROUP BY 1, 2"
            )
        }
        proven, missing = read_pages(connection)
        unfillable: Ranges = {}
        for ticker, interval, start_s, end_s in connection.execute(
            "SELECT ticker, interval_minutes, extract(epoch FROM gap_start)::bigint,"
            " extract(epoch FROM gap_end)::bigint FROM gap_records"
            " WHERE status = 'UNFILLABLE' ORDER BY gap_start"
        ):
            series = Series(ticker, interval)
            unfillable.setdefault(series, []).extend(
                (max(start_s, first_s), min(end_s, last_s))
                for first_s, last_s in missing.get(series, [])
                if first_s < end_s and start_s < last_s
            )
        starts = {
            Series(ticker, interval): start_s
            for ticker, interval, start_s in connection.execute(
                "SELECT ticker, interval_minutes, extract(epoch FROM start_ts)::bigint FROM series"
            )
        }
    return LedgerView(processed, proven, unfillable, starts)


def ledger_digest(uri: str) -> dict[str, str]:
    """Return a digest of each table that a repeated run must not change.

    :param uri: libpq URI of the ledger's database
    """
    with psycopg.connect(uri) as connection:
        return {
            table: str(connection.execute(query).fetchall())
            for table, query in (
                (
                    "gap_records",
                    "SELECT md5(string_agg(t::text, chr(10) ORDER BY gap_id)) FROM gap_records t",
                ),
                (
                    "coverage_months",
                    "SELECT md5(string_agg(t::text, chr(10) ORDER BY ticker, interval_minutes, month))"
                    " FROM (SELECT ticker, interval_minutes, month, missing, empty_archive, empty_ohlc,"
                    " empty_trades, disputed FROM coverage_months) AS t",
                ),
            )
        }


def compare(
    all_facts: Iterable[SeriesFacts],
    unfillable: Mapping[Series, list[tuple[int, int]]],
    *,
    starts: Mapping[Series, int] | None = None,
) -> Truth:
    """Compare closed buckets with the truth.

    :param all_facts: the series that were processed, each at the exchange time of its newest run
    :param unfillable: ranges that the ledger has given up, by series
    :param starts: where to begin by series, epoch seconds; None = at the edge of the API window
    """
    truth = Truth()
    for facts in all_facts:
        truth.series += 1
        given_up = {
            ts
            for start_s, end_s in unfillable.get(facts.series, [])
            for ts in range(start_s, end_s, facts.series.step_s)
        }
        start_s = facts.window_start_s if starts is None else starts[facts.series]
        for ts in range(max(start_s, facts.first_s), facts.end_s, facts.series.step_s):
            truth.buckets += 1
            kind = _judge(facts, ts, is_given_up=ts in given_up)
            if kind == "mismatches" and len(truth.examples) < EXAMPLES:
                truth.examples.append(
                    f"{facts.series} at {ts}: exchange {facts.truth.get(ts)}, stored {facts.stored.get(ts)}, "
                    f"{'' if facts.is_proven(ts) else 'not '}proven empty"
                )
            setattr(truth, kind, getattr(truth, kind) + 1)
    return truth


def _judge(facts: SeriesFacts, ts: int, *, is_given_up: bool) -> str:
    true, stored, is_proven = facts.truth.get(ts), facts.stored.get(ts), facts.is_proven(ts)
    if stored is not None:
        return "stored" if _agrees(stored, true) and not is_proven else "mismatches"
    if is_proven:
        return "proven_empty" if true is None else "mismatches"
    return "unfillable" if is_given_up else "mismatches"


def _agrees(stored: Values, true: Values | None) -> bool:
    """Return whether a stored candle is the exchange's; one from the archive has no volume-weighted price."""
    if stored.vwap is not None or true is None:
        return stored == true
    is_near = math.isclose(stored.volume, true.volume, rel_tol=ARCHIVE_TOLERANCE)
    return is_near and stored == true._replace(vwap=stored.vwap, volume=stored.volume)


def read_pages(connection: psycopg.Connection[Any]) -> tuple[Ranges, Ranges]:
    """Read the bitmaps of all series: the leftmost bit of a month is the first bucket that opens in it.

    :return: what is proven empty, and what is missing: ascending, disjoint, by series
    """
    proven: Ranges = {}
    missing: Ranges = {}
    for ticker, interval, month_s, *bitmaps in connection.execute(
        "SELECT ticker, interval_minutes, extract(epoch FROM month)::bigint, missing::text,"
        " empty_archive::text, empty_ohlc::text, empty_trades::text FROM coverage_months"
        " ORDER BY ticker, interval_minutes, month"
    ):
        series = Series(ticker, interval)
        first_s = month_s + -month_s % series.step_s
        lacking, *empty = (stretches(bits or "", first_s, series.step_s) for bits in bitmaps)
        missing.setdefault(series, []).extend(lacking)
        proven.setdefault(series, []).extend(sorted(itertools.chain(*empty)))
    return proven, missing


def stretches(bits: str, first_s: int, step_s: int) -> list[tuple[int, int]]:
    """Return the ranges that the ones of a bitmap stand for, ascending.

    :param bits: a zero or a one per bucket, oldest first
    :param first_s: open time of the first of them, epoch seconds
    :param step_s: bucket length, seconds
    """
    return [
        (first_s + ones.start() * step_s, first_s + ones.end() * step_s) for ones in re.finditer("1+", bits)
    ]
