"""Tables ``completeness_reports`` and ``completeness_lines``: what every report said, and its digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, value


class OpenGaps(NamedTuple):
    """Open gap records of a series.

    :ivar fillable: those that a backfill may still close
    :ivar unfillable: those that only trades or Kraken's archive can close
    """

    fillable: int
    unfillable: int


@dataclass(frozen=True, slots=True)
class GapTimes:
    """How long gaps took lately; see statement ``read_gap_times``.

    :ivar gaps_detected: gaps detected
    :ivar gaps_filled: gaps filled
    :ivar mttd_s: p50 and p95 from the close of the oldest missing bucket to detection, seconds, or None
    :ivar mttr_s: p50 and p95 from detection to the last missing bucket, seconds, or None
    """

    gaps_detected: int
    gaps_filled: int
    mttd_s: dict[str, int] | None
    mttr_s: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Restatements:
    """Candles for which the exchange gave other values lately.

    :ivar candles: how many
    :ivar applied: how many of them replaced the stored one
    :ivar newest: as JSON: ``ticker``, ``interval``, ``candle``, ``first_seen``, ``applied``, newest first
    """

    candles: int
    applied: int
    newest: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AcceptedHole:
    """What stays missing of a series because somebody decided so.

    :ivar start_s: open time of the oldest bucket, epoch seconds UTC
    :ivar end_s: end of the newest one, exclusive, epoch seconds UTC
    :ivar missing_candles: buckets, >= 1; others may lie between them
    :ivar accepted_by: who decided
    :ivar accepted_s: when, epoch seconds UTC
    :ivar accepted_reason: why
    """

    ticker: str
    interval_minutes: int
    start_s: int
    end_s: int
    missing_candles: int
    accepted_by: str
    accepted_s: int
    accepted_reason: str

    def as_json(self) -> dict[str, Any]:
        """Return it for the result of a report; times as ISO text in UTC."""
        return {
            "ticker": self.ticker,
            "interval": self.interval_minutes,
            "from": iso(self.start_s),
            "to": iso(self.end_s),
            "candles": self.missing_candles,
            "accepted_by": self.accepted_by,
            "accepted_at": iso(self.accepted_s),
            "reason": self.accepted_reason,
        }


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

    :param reported_s: its time, epoch seconds UTC
    :param tier: tier or ``ALL``
    :param intervals: candle lengths, minutes
    :param body: its result without the series
    :param lines: columns of ``completeness_lines`` of each series
    """
    with connection.transaction():
        report_id = value(
            connection,
            "insert_report",
            run,
            body,
            reported_s=reported_s,
            tier=tier,
            intervals=sorted(intervals),
            body=dict(body),
        )
        execute(connection, "delete_report_lines", report_id=report_id)
        execute_many(connection, "insert_report_line", lines, report_id=report_id)
