"""The result of a backfill run, in the words of the system it replaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from kraken_ohlcv.core.gap import Outcome
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection import oddities
from kraken_ohlcv.repair.attempt import close_stranded
from kraken_ohlcv.stores.ledger.archive import read_results, sentence
from kraken_ohlcv.stores.ledger.runs import count_outcomes, read_failures, read_repairs, read_run
from kraken_ohlcv.stores.ledger.session import Connection, rows, value
from kraken_ohlcv.stores.ledger.trades import TradeJob

GAP_FIGURES: Final = (
    "gaps_detected",
    *(f"gaps_{outcome}" for outcome in Outcome),
    "total_candles_filled",
)
COUNTS: Final = (
    "assets_processed",
    "gaps_standing",
    "files_ingested",
    "candles_restated",
    "ohlc_calls",
    "api_calls",
    "trade_calls",
    "trade_calls_planned",
)
LISTS: Final = (
    "series_skipped",
    "pairs_delisted",
    "pairs_unknown",
    "warnings",
    "trades_left_open",
    "repaired",
    "contradictions",
)


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
    outcomes = count_outcomes(connection, run)
    found = {f"gaps_{outcome}": outcomes[outcome][0] for outcome in Outcome}
    candles = sum(candles for _, candles in outcomes.values())
    return {"gaps_detected": sum(found.values()), **found, "total_candles_filled": candles}


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
    repairs = read_repairs(connection, run)
    broken = [
        f"{one.series}, range not repaired from {one.source}: {one.error}" for one in repairs if one.error
    ]
    remarks = recorded.remarks
    odd = remarks.get("odd", [])
    return summary | {
        "assets_processed": recorded.assets_processed,
        **gaps,
        "gaps_standing": value(connection, "count_standing", run, series_ids=recorded.series_processed),
        "total_candles_filled": gaps["total_candles_filled"] + recorded.candles_outside,
        "candles_restated": recorded.candles_restated,
        "errors": [
            *errors,
            *remarks.get("errors", []),
            *oddities.errors(odd),
            *read_failures(connection, run),
            *lost,
            *broken,
        ],
        "files_ingested": sum(one["status"] == "ingested" for one in files),
        "series_skipped": remarks.get("series_skipped", []),
        "pairs_delisted": remarks.get("pairs_delisted", []),
        "pairs_unknown": remarks.get("pairs_unknown", []),
        "warnings": [*remarks.get("warnings", []), *oddities.sentences(odd)],
        "ohlc_calls": recorded.ohlc_calls,
        "api_calls": recorded.api_calls,
        "trade_calls": recorded.trade_calls,
        "trade_calls_planned": max(recorded.trade_calls, recorded.trade_calls_planned),
        "trades_left_open": _left_open(connection, run),
        "repaired": [one.told() for one in repairs],
        "contradictions": remarks.get("contradictions", []),
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
