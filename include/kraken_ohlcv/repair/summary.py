"""The result of a backfill run, in the words of the system it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.gap import Outcome
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection import oddities
from kraken_ohlcv.repair.attempt import close_stranded
from kraken_ohlcv.stores.ledger.archive import read_results, sentence
from kraken_ohlcv.stores.ledger.repairs import read_repairs
from kraken_ohlcv.stores.ledger.runs import count_outcomes, read_failures, read_run
from kraken_ohlcv.stores.ledger.session import rows, value
from kraken_ohlcv.stores.ledger.trades import TradeJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.core.run import RunKey
    from kraken_ohlcv.stores.ledger.session import Connection


def empty_summary(
    run: RunKey, *, tier: str, intervals: Sequence[int], errors: Sequence[str]
) -> dict[str, Any]:
    """Return the summary of a run that did nothing.

    :param run: the run
    :param tier: tier asked for
    :param intervals: intervals asked for, minutes
    :param errors: a sentence each
    :return: all keys of a summary
    """
    return {
        "task_id": run.run_id,
        "tier": tier,
        "intervals": list(intervals),
        "assets_processed": 0,
        "gaps_detected": 0,
        "gaps_filled": 0,
        "gaps_unfillable": 0,
        "gaps_failed": 0,
        "total_candles_filled": 0,
        "errors": list(errors),
        "gaps_deferred": 0,
        "gaps_standing": 0,
        "files_ingested": 0,
        "candles_restated": 0,
        "series_skipped": [],
        "pairs_delisted": [],
        "pairs_unknown": [],
        "warnings": [],
        "ohlc_calls": 0,
        "api_calls": 0,
        "trade_calls": 0,
        "trade_calls_planned": 0,
        "trades_left_open": [],
        "repaired": [],
        "contradictions": [],
    }


def summarise(
    connection: Connection, run: RunKey, *, tier: str, intervals: Sequence[int], errors: Sequence[str]
) -> dict[str, Any]:
    """Return what a run did, from the outcomes in the ledger; first give up what dead tasks left.

    :param connection: the ledger
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
    outcomes = count_outcomes(connection, run)
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
        "gaps_detected": sum(gaps for gaps, _ in outcomes.values()),
        "gaps_filled": outcomes[Outcome.FILLED][0],
        "gaps_unfillable": outcomes[Outcome.UNFILLABLE][0],
        "gaps_failed": outcomes[Outcome.FAILED][0],
        "gaps_deferred": outcomes[Outcome.DEFERRED][0],
        "gaps_standing": value(connection, "count_standing", run, series_ids=recorded.series_processed),
        "total_candles_filled": sum(candles for _, candles in outcomes.values()) + recorded.candles_outside,
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
