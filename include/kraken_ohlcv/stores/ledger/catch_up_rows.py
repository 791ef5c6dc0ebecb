"""Table ``catch_ups``: runs started out of turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kraken_ohlcv.stores.ledger.session import Connection, execute, fetch


@dataclass(frozen=True, slots=True)
class CatchUp:
    """A backfill run to be started out of turn.

    :ivar dag_id: the backfill DAG of the tier
    :ivar run_id: id of the run, the same however often the check is repeated
    :ivar tickers: what it is to repair
    :ivar intervals: candle lengths, minutes
    :ivar reason: one sentence
    """

    dag_id: str
    run_id: str
    tickers: list[str]
    intervals: list[int]
    reason: str

    def conf(self) -> dict[str, Any]:
        """Return the conf to trigger the DAG with."""
        return {"tickers": self.tickers, "intervals": self.intervals, "lookback_days": 0}


@dataclass(frozen=True, slots=True)
class PastCatchUp:
    """A run started out of turn.

    :ivar run_id: its run id
    :ivar triggered_s: when, epoch seconds UTC
    :ivar tickers: what it was to repair
    :ivar intervals: candle lengths, minutes
    """

    run_id: str
    triggered_s: int
    tickers: list[str]
    intervals: list[int]


def last_catch_up(connection: Connection, dag_id: str) -> PastCatchUp | None:
    """Return the newest run of a DAG that was started out of turn.

    :param connection: the ledger
    :param dag_id: DAG id
    :return: the run, or None
    """
    rows = fetch(connection, "read_last_catch_up", dag_id=dag_id)
    return PastCatchUp(**rows[0]) if rows else None


def record_catch_up(connection: Connection, catch_up: CatchUp, *, now_s: int) -> None:
    """Remember a run before it is started.

    :param connection: the ledger
    :param catch_up: the run
    :param now_s: epoch seconds UTC
    """
    execute(
        connection,
        "insert_catch_up",
        dag_id=catch_up.dag_id,
        run_id=catch_up.run_id,
        now_s=now_s,
        tickers=catch_up.tickers,
        intervals=catch_up.intervals,
        reason=catch_up.reason,
    )
