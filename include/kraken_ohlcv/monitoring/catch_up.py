"""Starts a backfill out of turn before the API forgets, and says when even that comes too late."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv.core.cron import next_tick_after
from kraken_ohlcv.core.gap import Gap, GapStatus, Series
from kraken_ohlcv.core.grid import expiry_s
from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.schedules import BACKFILL_DAGS
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.series_state import read_states
from kraken_ohlcv.stores.ledger.session import Connection, execute_many, first

COOL_DOWN_S: Final = 2 * HOUR_S
"""Between two runs of a DAG started out of turn: the hourly check sees the effect of one before the next."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """A backfill run to be started out of turn.

    :ivar dag_id: the backfill DAG of the tier
    :ivar run_id: id of the run, the same however often the check is repeated
    :ivar triggered_s: when, epoch seconds UTC
    :ivar tickers: what it is to repair
    :ivar intervals: candle lengths, minutes
    :ivar reason: one sentence
    """

    dag_id: str
    run_id: str
    triggered_s: int
    tickers: list[str]
    intervals: list[int]
    reason: str

    def conf(self) -> dict[str, Any]:
        """Return the conf to trigger the DAG with."""
        return {"tickers": self.tickers, "intervals": self.intervals, "lookback_days": 0}


def expiring(gaps: Iterable[Gap], *, cron: str, now_s: int) -> list[Gap]:
    """Return the gaps that leave the API window before the next scheduled backfill.

    :param gaps: open gaps of one schedule
    :param cron: its five-field cron, UTC
    :return: fillable gaps whose expiry comes first, but no accepted ones
    """
    next_tick = next_tick_after(cron, now_s)
    return [
        gap
        for gap in gaps
        if gap.status is not GapStatus.UNFILLABLE
        and gap.acceptance is None
        and expiry_s(gap.start_s, gap.series.interval_minutes) <= next_tick
    ]


def is_lost(gap: Gap, past: CatchUp | None, *, is_online: bool, now_s: int) -> bool:
    """Return whether an expiring gap will probably be lost to the API.

    :param gap: a gap of :func:`expiring`
    :param past: the newest run of its DAG that was started out of turn
    :param is_online: whether the exchange works
    :return: True when the exchange is down, the gap fails for a reason that will not pass, or a run for it
        has been tried in vain
    """
    has_failed_for_good = gap.status is GapStatus.FAILED and gap.next_attempt_s is None
    was_tried = (
        past is not None
        and gap.attempts > 0
        and gap.series.ticker in past.tickers
        and past.triggered_s < now_s
        and gap.status is GapStatus.FAILED
    )
    return not is_online or has_failed_for_good or was_tried


def catch_up(
    connection: Connection,
    overdue: Collection[str],
    *,
    is_online: bool,
    is_under_way: Callable[[str, str], bool],
    now_s: int,
    url: str | None,
) -> list[CatchUp]:
    """Decide which backfills to start out of turn, and bring the incident of candles at risk up to it.

    Only series that a scheduled backfill covers count; at most one such run per DAG is outstanding, and after
    one the next waits for :data:`COOL_DOWN_S`.

    :param overdue: tickers whose newest candle is overdue
    :param is_online: whether the exchange works; nothing is started against one that does not
    :param is_under_way: says by DAG id and run id whether a run is queued or running
    :param url: where to look at the check, or None
    :return: what to start, recorded
    """
    chosen = []
    lost: list[Gap] = []
    for tier, plan in read_plan(connection).tiers.items():
        if plan.schedule is None:
            continue
        dag_id = BACKFILL_DAGS[tier]
        assets = [
            asset for asset in read_assets(connection, tickers=None, tier=tier) if asset.delisted_s is None
        ]
        tickers = [asset.ticker for asset in assets]
        kept = {Series(asset.ticker, interval) for asset in assets for interval in asset.upkeep.intervals}
        lengths = sorted({series.interval_minutes for series in kept})
        states = [
            state for state in read_states(connection, tickers, lengths).values() if state.series in kept
        ]
        past = first(connection, "read_last_catch_up", CatchUp, dag_id=dag_id)
        soon = expiring((gap for state in states for gap in state.gaps), cron=plan.schedule, now_s=now_s)
        lost += [gap for gap in soon if is_lost(gap, past, is_online=is_online, now_s=now_s)]
        is_held_back = past is not None and (
            now_s - past.triggered_s < COOL_DOWN_S or is_under_way(dag_id, past.run_id)
        )
        startable = {gap.series.ticker for gap in soon if gap.is_eligible(now_s, retry_failed=False)}
        late = set(overdue).intersection(tickers)
        if is_online and not is_held_back and startable | late:
            chosen.append(
                CatchUp(
                    dag_id=dag_id,
                    run_id=f"catch_up__{iso(now_s // HOUR_S * HOUR_S)}+00:00",
                    triggered_s=now_s,
                    tickers=[ticker for ticker in tickers if ticker in startable | late],
                    intervals=list(plan.intervals),
                    reason=_reason(startable, late),
                )
            )
    key = IncidentClass.AT_RISK
    observe(connection, {key: _at_risk(lost, now_s=now_s)}, now_s=now_s, url=url)
    execute_many(connection, "insert_catch_up", chosen)
    return chosen


def _reason(soon: Collection[str], late: Collection[str]) -> str:
    reasons = [
        f"{len(tickers)} {'ticker has' if len(tickers) == 1 else 'tickers have'} {what}"
        for tickers, what in (
            (soon, "gaps that leave Kraken's API window before the next scheduled run"),
            (late, "overdue candles"),
        )
        if tickers
    ]
    return " and ".join(reasons)


def _at_risk(lost: list[Gap], *, now_s: int) -> Problem | None:
    if not lost:
        return None
    return Problem(
        IncidentClass.AT_RISK,
        "Kraken will soon stop serving candles that could not be fetched so far",
        since_s=now_s,
        subjects={
            str(gap.series): {
                "expires_at": iso(expiry_s(gap.start_s, gap.series.interval_minutes)),
                "error": gap.error_message,
            }
            for gap in lost
        },
        tried="the hourly check starts a backfill for such gaps as soon as the exchange answers",
    )
