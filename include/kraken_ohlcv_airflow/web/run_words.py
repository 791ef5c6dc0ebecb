"""Results of runs that fill no gap, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kraken_ohlcv.core.schedules import CLEANUP, COMPLETENESS, VALIDATE
from kraken_ohlcv.core.wording import counted, interval_name, tier_name

MOST_NAMED: Final = 50
"""Tickers that the sentences name; the number of all is given."""


def result_in_words(dag_id: str, result: Mapping[str, Any] | None) -> list[str]:
    """Return what a run found, did and left open.

    :param dag_id: of the hourly check, the report or the clean-up
    :param result: what task ``result`` returned, or None while there is none
    :return: sentences; none without a result, or when a step failed before there was something to say
    """
    if not result:
        return []
    known = {VALIDATE.dag_id: _check, COMPLETENESS.dag_id: _report, CLEANUP.dag_id: _clean_up}
    return known[dag_id](result) if dag_id in known else []


def errors_of(result: Mapping[str, Any] | None, remarks: Mapping[str, Any]) -> list[str]:
    """Return what went wrong in a run, a sentence each.

    :param result: what task ``result`` returned, or None while there is none
    :param remarks: what the ledger has of the run
    """
    found = (result or {}).get("errors") or remarks.get("errors") or []
    return [str(one) for one in found]


def _check(result: Mapping[str, Any]) -> list[str]:
    if "checked_at" not in result:
        return []
    late, stale = result["assets_missing_data"], result.get("series_stale", [])
    what = f"at {interval_name(result['interval_minutes'])}"
    checked = f"It checked {counted(result['assets_checked'], 'series')} {what}"
    if not late:
        said = [f"{checked}, and none is without data that should be here."]
    else:
        said = [f"{checked}, and {len(late)} of them {_are(late)} without data that should be here."]
        said += [f"{one['ticker']}: {_behind(one['hours_behind'])}." for one in late[:MOST_NAMED]]
        said += [f"And {len(late) - MOST_NAMED} more."] if len(late) > MOST_NAMED else []
    if stale:
        said.append(f"Of the other intervals, {counted(len(stale), 'series')} {_are(stale)} late.")
    said += [
        f"{one['by']} {_DECIDED.get(one['decision'], one['decision'])} {one['ticker']}"
        f" {interval_name(one['interval'])}, {one['start']} to {one['end']}: {one['reason']}."
        for one in result.get("decisions", [])
    ]
    return said


_DECIDED: Final = {"accepted": "accepted the gap of", "taken_back": "took back the decision on"}


def _are(those: list[Any]) -> str:
    return "is" if len(those) == 1 else "are"


def _behind(hours: int | None) -> str:
    return "no candle yet" if hours is None else f"{counted(hours, 'hour')} behind"


def _report(result: Mapping[str, Any]) -> list[str]:
    share = result.get("completeness_pct")
    of = f"Of {counted(result['total_assets'], 'asset')} of {tier_name(str(result['tier']))}"
    what = "nothing is expected" if share is None else f"{share} % have no open gap"
    n_open = sum(one.get("total_gaps") or 0 for one in result["intervals"].values())
    left = (
        f"{counted(n_open, 'gap')} {'was' if n_open == 1 else 'were'} open" if n_open else "No gap was open"
    )
    without = result.get("assets_without_data") or []
    return [
        f"{of}, {what}.",
        f"{left} when it counted.",
        *([f"Without data: {', '.join(without[:MOST_NAMED])}."] if without else []),
    ]


def _clean_up(result: Mapping[str, Any]) -> list[str]:
    verb = "It would have deleted" if result.get("dry_run") else "It deleted"
    return [
        f"{verb} {counted(result['filled_deleted'], 'filled gap record')} and"
        f" {counted(result['failed_deleted'], 'failed one')},"
        f" {counted(result.get('incidents_deleted', 0), 'incident')} that were over"
        f" and {counted(result.get('reports_deleted', 0), 'old report')}.",
        "A gap that is still missing is found again by the next backfill.",
    ]
