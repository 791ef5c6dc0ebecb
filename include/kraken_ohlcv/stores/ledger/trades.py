"""Tables ``trade_errands``, ``trade_passes``, ``weekly_trades``: what a rebuild may do, how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, fetch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.run import RunKey


@dataclass(frozen=True, slots=True)
class Errand:
    """A range of one ticker, all intervals of which are built in one pass over its trades.

    :ivar ticker: Kraken's altname
    :ivar start_s: epoch seconds UTC
    :ivar end_s: exclusive, epoch seconds UTC
    :ivar calls: estimated calls, >= 1
    """

    ticker: str
    start_s: int
    end_s: int
    calls: int

    @property
    def range(self) -> Range:
        """Return the range, epoch seconds UTC."""
        return self.start_s, self.end_s


@dataclass(frozen=True, slots=True)
class Planned:
    """An errand as a run has planned it, and how far it has come.

    :ivar errand: range and estimated calls
    :ivar is_recheck: whether the range was asked for, rather than its gaps
    :ivar reached_s: up to when the range was looked at, epoch seconds UTC
    """

    errand: Errand
    is_recheck: bool
    reached_s: int

    @property
    def is_done(self) -> bool:
        """Return whether the whole range was looked at."""
        return self.reached_s >= self.errand.end_s

    @property
    def calls_left(self) -> int:
        """Return the estimated calls for what is left of the range, >= 1."""
        start_s, end_s = self.errand.range
        return max(1, -(-self.errand.calls * (end_s - self.reached_s) // (end_s - start_s)))


def plan_errands(
    connection: Connection,
    run: RunKey,
    errands: Sequence[Errand],
    *,
    rechecks: Collection[Errand],
    budget: int,
    now_s: int,
) -> None:
    """Record what a run may walk through; the calls of a run that was cleared and plans again stay counted.

    :param connection: the ledger
    :param run: the run, which was opened before
    :param errands: all ranges, in the order in which they may use the run's calls
    :param rechecks: those of them that are read for their own sake, rather than for their gaps
    :param budget: calls that the run may make for trades, >= 0
    :param now_s: the exchange's time, epoch seconds UTC
    """
    with connection.transaction():
        execute(connection, "forget_errands", **run._asdict(), now_s=now_s)
        execute(
            connection,
            "plan_trade_calls",
            **run._asdict(),
            calls=sum(errand.calls for errand in errands),
            budget=budget,
        )
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
                    "is_recheck": errand in rechecks,
                    "now_s": now_s,
                }
                for errand in errands
            ],
        )


def read_errands(connection: Connection, run: RunKey) -> list[Planned]:
    """Return what a run may walk through, in the order planned.

    :param connection: the ledger
    :param run: the run
    """
    return [
        Planned(
            Errand(row["ticker"], row["start_s"], row["end_s"], row["calls"]),
            row["is_recheck"],
            row["reached_s"],
        )
        for row in fetch(connection, "read_errands", **run._asdict())
    ]


def spend_trade_call(connection: Connection, run: RunKey, *, budget: int) -> bool:
    """Count a call for trades before it is made or repeated: neither death nor fault exceeds the budget.

    :param connection: the ledger, in autocommit
    :param run: the run
    :param budget: calls that the run may make for trades, >= 0
    :return: False when the run has none left; then nothing is counted
    """
    return bool(execute(connection, "spend_trade_call", **run._asdict(), budget=budget))


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
