"""Tables ``trade_jobs``, ``trade_cursors``, ``weekly_trades``: what a rebuild may do, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many


@dataclass(frozen=True, slots=True)
class TradeJob:
    """A range of one ticker, whose intervals are all built in one walk through its trades.

    :ivar ticker: Kraken's altname
    :ivar start_s: epoch seconds UTC
    :ivar end_s: exclusive, epoch seconds UTC
    :ivar calls: estimated calls, >= 1
    :ivar is_recheck: whether the range is read for its own sake, rather than for its gaps
    :ivar reached_s: up to when the run has looked at it, epoch seconds UTC
    :ivar is_waiting: whether it waits for an approval
    """

    ticker: str
    start_s: int
    end_s: int
    calls: int
    is_recheck: bool
    reached_s: int
    is_waiting: bool = False

    @property
    def range(self) -> Range:
        """Return the range, epoch seconds UTC."""
        return self.start_s, self.end_s

    @property
    def is_done(self) -> bool:
        """Return whether the whole range was looked at."""
        return self.reached_s >= self.end_s

    @property
    def calls_left(self) -> int:
        """Return the estimated calls for what is left of the range, >= 1."""
        return max(1, -(-self.calls * (self.end_s - self.reached_s) // (self.end_s - self.start_s)))


def plan_jobs(
    connection: Connection, run: RunKey, jobs: Sequence[TradeJob], *, budget: int, now_s: int
) -> None:
    """Record what a run may walk through; the calls of a run that was cleared and plans again stay counted.

    :param run: the run, which was opened before
    :param jobs: in the order in which they may use the run's calls
    :param budget: calls that the run may make for trades, >= 0
    """
    calls = sum(job.calls for job in jobs if not job.is_waiting)
    with connection.transaction():
        execute(connection, "forget_trade_jobs", run, now_s=now_s)
        execute(connection, "record_approval", run, approval=None)
        execute(connection, "plan_trade_calls", run, calls=calls, budget=budget)
        execute_many(connection, "plan_trade_job", jobs, run, now_s=now_s)
