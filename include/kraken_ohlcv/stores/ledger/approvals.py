"""Column ``approval`` of table ``backfill_runs``: what a person was asked about a run, and the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.session import Connection, execute, one, rows, value
from kraken_ohlcv.stores.ledger.trades import TradeJob

APPROVED: Final = "approved"


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person was asked.

    :ivar calls: calls that wait, within the run's budget
    :ivar planned: calls that the run had planned without them
    :ivar asked_s: when it was asked, epoch seconds UTC
    :ivar walks: ranges that wait: ``{"ticker", "from", "to", "calls"}``
    :ivar answer: ``approved``, ``rejected`` or ``unanswered``, or None as long as it waits
    :ivar answered_by: who answered, or None
    :ivar answered_s: when, epoch seconds UTC, or None
    """

    calls: int
    planned: int
    asked_s: int
    walks: list[dict[str, Any]] = field(default_factory=list)
    answer: str | None = None
    answered_by: str | None = None
    answered_s: int | None = None

    def as_result(self) -> dict[str, Any]:
        """Return what the result of the run says of it."""
        return {"calls": self.calls, "answer": self.answer, "by": self.answered_by}


@dataclass(frozen=True, slots=True)
class FreeCalls:
    """Calls for trades that a run may make without asking a person.

    :ivar free: in all
    :ivar made: of these, calls made again included
    :ivar is_approved: whether a person has approved those beyond
    """

    free: int
    made: int
    is_approved: bool


def read_free_calls(connection: Connection, run: RunKey, *, threshold: int) -> FreeCalls:
    """Return how many calls for trades a run may make without asking a person.

    :param threshold: calls of any kind that it may make
    """
    return one(connection, "read_free_calls", FreeCalls, run, threshold=threshold)


def read_approval(connection: Connection, run: RunKey) -> Approval | None:
    """Return what a person was asked about a run, or None."""
    found = value(connection, "read_approval", run)
    return None if found is None else Approval(**found)


def ask(connection: Connection, run: RunKey, *, budget: int, now_s: int) -> Approval | None:
    """Record that a person is asked about the walks of a run that wait.

    :param budget: calls that the run may make for trades
    :param now_s: epoch seconds UTC
    :return: what is asked; None when nothing waits, or no call is left to approve. A question that stands,
        or was answered, is the same again, until the run plans its walks anew
    """
    standing = read_approval(connection, run)
    if standing is not None:
        return standing
    waiting = [job for job in rows(connection, "read_trade_jobs", TradeJob, run) if job.is_waiting]
    if not waiting:
        return None
    planned: dict[str, int] = one(connection, "read_planned", dict, run, budget=budget)
    walks = [
        {"ticker": job.ticker, "from": iso(job.reached_s), "to": iso(job.end_s), "calls": job.calls_left}
        for job in waiting
    ]
    calls = min(sum(job.calls_left for job in waiting), planned["calls_left"])
    if not calls:
        return None
    asked = Approval(calls=calls, planned=planned["calls_planned"], asked_s=now_s, walks=walks)
    _record(connection, run, asked)
    return asked


def answer(
    connection: Connection, run: RunKey, said: str, *, by: str | None, budget: int, now_s: int
) -> None:
    """Record the answer; approved walks wait no longer, and their calls are planned.

    :param said: ``approved``, ``rejected`` or ``unanswered``
    :param by: who said it, or None
    :param budget: calls that the run may make for trades
    :param now_s: epoch seconds UTC
    """
    asked = read_approval(connection, run)
    if asked is None:
        return
    answered = Approval(
        calls=asked.calls,
        planned=asked.planned,
        asked_s=asked.asked_s,
        walks=asked.walks,
        answer=said,
        answered_by=by,
        answered_s=now_s,
    )
    with connection.transaction():
        _record(connection, run, answered)
        if said == APPROVED:
            execute(connection, "release_trade_jobs", run)
            # With what is left of walks that did not wait, and broke off.
            jobs = rows(connection, "read_trade_jobs", TradeJob, run)
            calls = sum(job.calls_left for job in jobs if not job.is_done)
            execute(connection, "plan_trade_calls", run, calls=calls, budget=budget)


def waited_s(connection: Connection, run: RunKey, *, now_s: int) -> int:
    """Return how long a run has waited for an approval.

    :param run: the run
    :param now_s: epoch seconds UTC
    :return: seconds, >= 0
    """
    found = read_approval(connection, run)
    if found is None:
        return 0
    return max(0, (found.answered_s or now_s) - found.asked_s)


def _record(connection: Connection, run: RunKey, approval: Approval) -> None:
    said = {name: getattr(approval, name) for name in approval.__dataclass_fields__}
    execute(connection, "record_approval", run, approval=said)
