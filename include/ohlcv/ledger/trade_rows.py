"""Tables ``trade_errands``, ``trade_passes``, ``weekly_trades``: what a rebuild may do, how far it is."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from include.ohlcv.ledger.session import Connection, RunKey, execute, execute_many, fetch
from include.ohlcv.trades.errands import Errand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Planned:
    """An errand as a run has planned it, and how far it has come.

    :ivar errand: range and calls
    :ivar is_recheck: whether the range was asked for, rather than its gaps
    :ivar made: calls made so far, >= 0
    :ivar reached_s: up to when the range was looked at, epoch seconds UTC
    """

    errand: Errand
    is_recheck: bool
    made: int
    reached_s: int

    @property
    def taken(self) -> int:
        """Return the calls of its run's budget that it takes, >= 0."""
        return max(self.errand.allotted, self.made)

    @property
    def is_ended(self) -> bool:
        """Return whether its run was cleared and has planned anew what was left of it."""
        return self.errand.allotted < self.made

    @property
    def calls_left(self) -> int:
        """Return the estimated calls for what is left of the range, >= 1."""
        start_s, end_s = self.errand.range
        return max(1, -(-self.errand.calls * (end_s - self.reached_s) // (end_s - start_s)))


def plan_errands(
    connection: Connection, run: RunKey, errands: Iterable[Errand], *, is_recheck: bool, now_s: int
) -> None:
    """Record what a run may walk through; what it has begun before it was cleared makes no more calls.

    :param connection: the ledger
    :param run: the run
    :param errands: all ranges, those beyond the budget too
    :param is_recheck: whether the ranges were asked for, rather than their gaps
    :param now_s: the exchange's time, epoch seconds UTC
    """
    with connection.transaction():
        execute(connection, "forget_errands", **run._asdict(), now_s=now_s)
        execute(connection, "end_errands", **run._asdict())
        add_errands(connection, run, errands, is_recheck=is_recheck, now_s=now_s)


def add_errands(
    connection: Connection, run: RunKey, errands: Iterable[Errand], *, is_recheck: bool, now_s: int
) -> None:
    """Record more of what a run may walk through; see :func:`plan_errands`.

    :param connection: the ledger, inside a transaction
    :param run: the run
    :param errands: ranges, those beyond the budget too
    :param is_recheck: whether the ranges were asked for, rather than their gaps
    :param now_s: the exchange's time, epoch seconds UTC
    """
    execute_many(
        connection,
        "plan_errand",
        [
            {
                **run._asdict(),
                "ticker": errand.ticker,
                "start_s": errand.start_s,
                "end_s": errand.end_s,
                "calls": errand.calls,
                "allotted": errand.allotted,
                "is_recheck": is_recheck,
                "now_s": now_s,
            }
            for errand in errands
        ],
    )


@contextmanager
def spare_calls(connection: Connection, run: RunKey, budget: int) -> Iterator[int]:
    """Open a transaction in which nobody else allots calls of a run.

    :param connection: the ledger, in autocommit
    :param run: the run
    :param budget: its calls, >= 0
    :return: context manager of the calls that nothing is allotted to, >= 0
    """
    with connection.transaction():
        fetch(connection, "lock_run", **run._asdict())
        yield max(0, budget - sum(planned.taken for planned in read_errands(connection, run)))


def read_errands(connection: Connection, run: RunKey) -> list[Planned]:
    """Return what a run may walk through, in the order planned.

    :param connection: the ledger
    :param run: the run
    """
    return [
        Planned(
            Errand(row["ticker"], row["start_s"], row["end_s"], row["calls"], row["allotted"]),
            row["is_recheck"],
            row["made"],
            row["reached_s"],
        )
        for row in fetch(connection, "read_errands", **run._asdict())
    ]


def spend_call(connection: Connection, run: RunKey, errand: Errand) -> bool:
    """Count a call before it is made, be it again, so that neither death nor fault makes more than allotted.

    :param connection: the ledger, in autocommit
    :param run: the run
    :param errand: what it is for
    :return: False when the errand has no call left; then nothing is counted
    """
    return bool(execute(connection, "spend_call", **run._asdict(), **_key(errand)))


def note_reached(connection: Connection, run: RunKey, errand: Errand, reached_s: int) -> None:
    """Note how far a range was looked at.

    :param connection: the ledger
    :param run: the run
    :param errand: the range
    :param reached_s: epoch seconds UTC
    """
    execute(connection, "note_reached", **run._asdict(), **_key(errand), reached_s=reached_s)


def read_pass(connection: Connection, errand: Errand, *, is_recheck: bool) -> dict[str, Any] | None:
    """Return where an earlier task or run stopped in a range, or None.

    :param connection: the ledger
    :param errand: a range with the same end; its start may have moved on since
    :param is_recheck: whether the range was asked for, rather than its gaps
    """
    rows = fetch(connection, "read_pass", ticker=errand.ticker, end_s=errand.end_s, is_recheck=is_recheck)
    return rows[0]["state"] if rows else None


def save_pass(
    connection: Connection, errand: Errand, state: Mapping[str, Any], *, is_recheck: bool, now_s: int
) -> None:
    """Save where a walk through a range stands.

    :param connection: the ledger, inside the transaction that settles what was built up to there
    :param errand: the range
    :param state: through JSON
    :param is_recheck: whether the range was asked for, rather than its gaps
    :param now_s: the exchange's time, epoch seconds UTC
    """
    execute(
        connection,
        "save_pass",
        ticker=errand.ticker,
        end_s=errand.end_s,
        is_recheck=is_recheck,
        state=Jsonb(dict(state)),
        now_s=now_s,
    )


def delete_pass(connection: Connection, errand: Errand, *, is_recheck: bool) -> None:
    """Forget a walk that has come to its end.

    :param connection: the ledger, inside the transaction that settles the last of it
    :param errand: the range
    :param is_recheck: whether the range was asked for, rather than its gaps
    """
    execute(connection, "delete_pass", ticker=errand.ticker, end_s=errand.end_s, is_recheck=is_recheck)


def read_weekly_trades(connection: Connection, ticker: str) -> dict[int, int]:
    """Return the trades of a pair by week, as far as they were ever asked.

    :param connection: the ledger
    :param ticker: Kraken's altname
    :return: by open time of the week, epoch seconds UTC
    """
    return {row["week_s"]: row["trades"] for row in fetch(connection, "read_weekly_trades", ticker=ticker)}


def save_weekly_trades(connection: Connection, ticker: str, weeks: Mapping[int, int]) -> None:
    """Remember the trades of a pair by week.

    :param connection: the ledger
    :param ticker: Kraken's altname
    :param weeks: by open time of the week, epoch seconds UTC
    """
    execute_many(
        connection,
        "save_weekly_trades",
        [{"ticker": ticker, "week_s": week_s, "trades": trades} for week_s, trades in weeks.items()],
    )


def _key(errand: Errand) -> dict[str, Any]:
    return {"ticker": errand.ticker, "start_s": errand.start_s}
