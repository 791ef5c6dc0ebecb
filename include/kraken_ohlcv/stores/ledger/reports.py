"""Tables ``completeness_reports`` and ``completeness_lines``: what every report said, and its digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.types.json import Jsonb

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kraken_ohlcv.core.run import RunKey


class OpenGaps(NamedTuple):
    """Open gap records of a series.

    :ivar fillable: those that a backfill may still close
    :ivar unfillable: those that only trades or Kraken's archive can close
    """

    fillable: int
    unfillable: int


@dataclass(frozen=True, slots=True)
class GapTimes:
    """How long gaps took lately; see ``read_gap_times.sql``.

    :ivar detected: gaps detected
    :ivar filled: gaps filled
    :ivar to_detect: p50 and p95 from the close of the oldest missing bucket to detection, seconds, or None
    :ivar to_fill: p50 and p95 from detection to the last missing bucket, seconds, or None
    """

    detected: int
    filled: int
    to_detect: list[float] | None
    to_fill: list[float] | None


@dataclass(frozen=True, slots=True)
class Restatements:
    """Candles for which the exchange gave other values lately.

    :ivar candles: how many
    :ivar applied: how many of them replaced the stored one
    :ivar newest: ``ticker``, ``interval_minutes``, ``ts_s``, ``first_seen_s``, ``is_applied``, newest first
    """

    candles: int
    applied: int
    newest: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A report as it was kept.

    :ivar report_id: primary key
    :ivar reported_s: its time, epoch seconds UTC
    :ivar tier: ``TIER1`` .. ``TIER4`` or ``ALL``
    :ivar intervals: candle lengths, minutes, ascending
    :ivar body: its result without the series
    """

    report_id: int
    reported_s: int
    tier: str
    intervals: list[int]
    body: dict[str, Any]


class KeptLine(NamedTuple):
    """What a kept report says of a series, in buckets."""

    expected: int
    missing: int
    unfillable: int
    restated: int


def count_open_gaps(
    connection: Connection, tickers: Sequence[str], intervals: Sequence[int]
) -> dict[Series, OpenGaps]:
    """Return the open gap records of each series.

    :param connection: the ledger
    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :return: by series; a series without open gaps is absent
    """
    rows = fetch(connection, "count_open_gaps", tickers=list(tickers), intervals=list(intervals))
    return {
        Series(row["ticker"], row["interval_minutes"]): OpenGaps(row["fillable"], row["unfillable"])
        for row in rows
    }


def read_gap_times(
    connection: Connection, tickers: Sequence[str], intervals: Sequence[int], *, since_s: int
) -> GapTimes:
    """Return how long gaps took to be detected and filled.

    :param connection: the ledger
    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :param since_s: gaps detected, or filled, since then, epoch seconds UTC
    :return: percentiles
    """
    (row,) = fetch(
        connection, "read_gap_times", tickers=list(tickers), intervals=list(intervals), since_s=since_s
    )
    return GapTimes(**row)


def read_restatements(
    connection: Connection, tickers: Sequence[str], intervals: Sequence[int], *, since_s: int, n_newest: int
) -> Restatements:
    """Return for which candles the exchange gave other values.

    :param connection: the ledger
    :param tickers: Kraken's altnames
    :param intervals: candle lengths, minutes
    :param since_s: first seen since then, epoch seconds UTC
    :param n_newest: how many to name
    :return: counts, and the newest
    """
    rows = fetch(
        connection,
        "read_newest_restatements",
        tickers=list(tickers),
        intervals=list(intervals),
        since_s=since_s,
        n_rows=n_newest,
    )
    n_all, n_applied = (rows[0]["n_all"], rows[0]["n_applied"]) if rows else (0, 0)
    names = ("ticker", "interval_minutes", "ts_s", "first_seen_s", "is_applied")
    return Restatements(n_all, n_applied, [{name: row[name] for name in names} for row in rows])


def keep_report(
    connection: Connection,
    run: RunKey,
    *,
    reported_s: int,
    tier: str,
    intervals: Sequence[int],
    body: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
) -> None:
    """Keep a report in the history; a run that is cleared and starts again replaces its own.

    :param connection: the ledger
    :param run: the run
    :param reported_s: its time, epoch seconds UTC
    :param tier: tier or ``ALL``
    :param intervals: candle lengths, minutes
    :param body: its result without the series
    :param lines: columns of ``completeness_lines`` of each series
    """
    with connection.transaction():
        (row,) = fetch(
            connection,
            "insert_report",
            **run._asdict(),
            reported_s=reported_s,
            tier=tier,
            intervals=sorted(intervals),
            total_assets=body["total_assets"],
            assets_with_gaps=body["assets_with_gaps"],
            completeness_pct=body["completeness_pct"],
            body=Jsonb(dict(body)),
        )
        execute(connection, "delete_report_lines", report_id=row["report_id"])
        execute_many(
            connection, "insert_report_line", ({"report_id": row["report_id"], **line} for line in lines)
        )


def read_report(connection: Connection, run: RunKey) -> KeptReport | None:
    """Return the report of a run.

    :param connection: the ledger
    :param run: the run
    :return: the report, or None if the run made none
    """
    rows = fetch(connection, "read_report", **run._asdict())
    return KeptReport(**rows[0]) if rows else None


def read_report_before(connection: Connection, report: KeptReport) -> KeptReport | None:
    """Return the newest older report on the same tier and intervals.

    :param connection: the ledger
    :param report: a report
    :return: the one before it, or None
    """
    rows = fetch(connection, "read_report_before", report_id=report.report_id)
    return KeptReport(**rows[0]) if rows else None


def read_lines(connection: Connection, report: KeptReport) -> dict[Series, KeptLine]:
    """Return what a report says of its series.

    :param connection: the ledger
    :param report: a report
    :return: by series
    """
    return {
        Series(row.pop("ticker"), row.pop("interval_minutes")): KeptLine(**row)
        for row in fetch(connection, "read_report_lines", report_id=report.report_id)
    }


def claim_digest(connection: Connection, report: KeptReport, *, now_s: int) -> bool:
    """Note that the digest of a report is about to be sent; committed before the call.

    :param connection: the ledger, in autocommit
    :param report: the report
    :param now_s: epoch seconds UTC
    :return: False when it was sent, or may have been sent, before
    """
    return bool(fetch(connection, "claim_digest", report_id=report.report_id, now_s=now_s))


def close_digest(
    connection: Connection,
    report: KeptReport,
    *,
    sent_s: int | None = None,
    error: str | None = None,
    may_have_arrived: bool = True,
) -> None:
    """Note what became of a digest.

    :param connection: the ledger
    :param report: the report
    :param sent_s: when Slack took it, epoch seconds UTC, or None
    :param error: why it did not, or None
    :param may_have_arrived: False lets another try send it
    """
    execute(
        connection,
        "close_digest",
        report_id=report.report_id,
        sent_s=sent_s,
        error=error,
        may_have_arrived=may_have_arrived,
    )
