"""The result of a backfill run, in the words of the system it replaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from kraken_ohlcv.core.gap import Outcome
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection import oddities
from kraken_ohlcv.repair.attempt import close_stranded
from kraken_ohlcv.stores.ledger.approvals import read_approval
from kraken_ohlcv.stores.ledger.archive import read_results, sentence
from kraken_ohlcv.stores.ledger.runs import Repair, read_failures, read_run
from kraken_ohlcv.stores.ledger.session import Connection, fetch, rows, value
from kraken_ohlcv.stores.ledger.trades import TradeJob

GAP_FIGURES: Final = (
    "gaps_detected",
    *(f"gaps_{outcome}" for outcome in Outcome),
    "total_candles_filled",
    "buckets_proven_empty",
)
WORK: Final = (
    "assets_processed",
    "candles_restated",
    "ohlc_calls",
    "api_calls",
    "trade_calls",
    "calls_planned",
    "calls_spent",
    "calls_retried",
)
"""Figures as the run recorded them."""
REMARKS: Final = ("series_skipped", "pairs_delisted", "pairs_unknown", "contradictions")
"""Lists as detection recorded them."""
COUNTS: Final = (*WORK, "gaps_standing", "files_ingested", "trade_calls_planned")
LISTS: Final = (*REMARKS, "warnings", "trades_left_open", "repaired")


def empty_summary(
    run: RunKey, *, tier: str, intervals: Sequence[int], errors: Sequence[str]
) -> dict[str, Any]:
    """Return the summary of a run that did nothing.

    :param tier: tier asked for
    :param intervals: intervals asked for, minutes
    :param errors: a sentence each
    :return: all keys of a summary
    """
    asked = {"task_id": run.run_id, "tier": tier, "intervals": list(intervals)}
    return asked | nothing(COUNTS, LISTS) | {"errors": list(errors)}


def nothing(counts: Iterable[str], lists: Iterable[str]) -> dict[str, Any]:
    """Return the figures of a run that did nothing.

    :param counts: keys of numbers, beside those of :func:`gap_figures`
    :param lists: keys of lists
    """
    return {**dict.fromkeys((*GAP_FIGURES, *counts), 0), **{name: [] for name in lists}}


def gap_figures(connection: Connection, run: RunKey) -> dict[str, int]:
    """Return what a run did with gaps; ``gaps_detected`` is always the sum of the other four.

    :return: by :data:`GAP_FIGURES`
    """
    outcomes = fetch(connection, "count_outcomes", run)
    return dict.fromkeys(GAP_FIGURES, 0) | {
        "gaps_detected": sum(one["gaps"] for one in outcomes),
        **{f"gaps_{one['outcome']}": one["gaps"] for one in outcomes},
        "total_candles_filled": sum(one["candles"] for one in outcomes),
        "buckets_proven_empty": sum(one["buckets"] for one in fetch(connection, "count_proven", run)),
    }


def summarise(
    connection: Connection, run: RunKey, *, tier: str, intervals: Sequence[int], errors: Sequence[str]
) -> dict[str, Any]:
    """Return what a run did, from the outcomes in the ledger; first give up what dead tasks left.

    :param run: the run, all of whose fills have ended
    :param tier: tier asked for
    :param intervals: intervals asked for, minutes
    :param errors: sentences about steps that failed
    :return: the old keys (task_id, tier, intervals, assets_processed, gaps_detected, gaps_filled,
        gaps_unfillable, gaps_failed, total_candles_filled, errors) and the new ones; gaps_detected is
        always the sum of gaps filled, unfillable, failed and deferred
    """
    summary = empty_summary(run, tier=tier, intervals=intervals, errors=errors)
    recorded = read_run(connection, run)
    if recorded is None:
        return summary
    close_stranded(connection, run, now_s=recorded.now_s)
    gaps = gap_figures(connection, run)
    files = read_results(connection, run).values()
    lost = [sentence(one["file"], one["error"]) for one in files if "error" in one]
    repairs = rows(connection, "read_repairs", Repair, run)
    broken = [
        f"{one.series}, range not repaired from {one.source}: {one.error}" for one in repairs if one.error
    ]
    remarks = recorded.remarks
    odd = remarks.get("odd", [])
    return summary | {
        **gaps,
        **{name: getattr(recorded, name) for name in WORK},
        **{name: remarks.get(name, []) for name in REMARKS},
        "gaps_standing": value(connection, "count_outstanding", run, series_ids=recorded.series_processed),
        "total_candles_filled": gaps["total_candles_filled"] + recorded.candles_outside,
        "errors": [
            *errors,
            *remarks.get("errors", []),
            *oddities.errors(odd),
            *read_failures(connection, run),
            *lost,
            *broken,
        ],
        "files_ingested": sum(one["status"] == "ingested" for one in files),
        "warnings": [*remarks.get("warnings", []), *oddities.sentences(odd)],
        "trade_calls_planned": max(recorded.trade_calls, recorded.trade_calls_planned),
        "trades_left_open": _left_open(connection, run),
        "repaired": [one.as_dict() for one in repairs],
        **({} if (asked := read_approval(connection, run)) is None else {"approval": asked.as_result()}),
    }


def _left_open(connection: Connection, run: RunKey) -> list[dict[str, Any]]:
    """Return the ranges that wait for trades, as far as the run did not come."""
    return [
        {
            "ticker": job.ticker,
            "from": iso(job.reached_s),
            "to": iso(job.end_s),
            "calls": job.calls_left,
        }
        for job in rows(connection, "read_trade_jobs", TradeJob, run)
        if not job.is_done
    ]
