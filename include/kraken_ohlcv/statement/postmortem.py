"""The post-mortem of an incident, from the facts of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv import __version__
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.incident import IncidentClass
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.statement.document import gap_as_json
from kraken_ohlcv.statement.facts import OUTCOMES, GapFacts
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import Connection, first, rows

POSTMORTEM_VERSION: Final = 1
"""Raised when a key changes its meaning or goes; new keys do not raise it."""

MAX_GAPS: Final = 200
MAX_RUNS: Final = 100

LOST: Final = "lost"
FILLED: Final = ("ohlc", "trades", "archive", "observed", "empty")


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as the ledger has it; moments are epoch seconds UTC.

    :ivar subjects: what it concerned when a check last saw it, with facts
    :ivar named: all that it ever named or concerned last
    """

    incident_id: int
    key: str
    headline: str
    since_s: int
    opened_s: int
    recovered_s: int | None
    growths: int
    tried: str | None
    snoozed_by: str | None
    subjects: Mapping[str, Mapping[str, Any]]
    named: Sequence[str]

    @property
    def kind(self) -> str:
        """Return its class: the part of the key before the colon."""
        return self.key.partition(":")[0]

    @property
    def name(self) -> str:
        """Return the DAG, ticker or tier that it is about; empty for the other classes."""
        return self.key.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Try:
    """What a run did with gaps of an incident.

    :ivar asked_s: the exchange's time when it began, epoch seconds UTC; None when that is not kept
    :ivar gaps: gaps that it claimed
    :ivar tries: attempts at them
    :ivar candles: candles that it stored for them
    """

    dag_id: str
    run_id: str
    asked_s: int | None
    gaps: int
    tries: int
    candles: int
    outcomes: Sequence[str]
    errors: Sequence[str]


def make_postmortem(connection: Connection, incident_id: int, *, now_s: int) -> dict[str, Any]:
    """Return the post-mortem of an incident as JSON; nothing is written.

    :param connection: the ledger; a login that may only read suffices
    :param incident_id: its number, as pages and commands show it
    :return: keys as in docs/STATEMENT.md; of an incident that goes on, what is known so far
    :raises BadRequestError: if there is no such incident
    """
    incident = first(connection, "read_incident", IncidentRow, incident_id=incident_id)
    if incident is None:
        raise BadRequestError(
            f"there is no incident {incident_id}: kraken-ohlcv status lists the open ones, the page "
            "Incidents all; those that ended 90 days ago are deleted"
        )
    gaps = _gaps_of(connection, incident, now_s=now_s)
    ids = [gap.gap_id for gap in gaps]
    tries = rows(connection, "list_tries", Try, gap_ids=ids) if ids else []
    return as_document(incident, gaps, tries, now_s=now_s)


def _gaps_of(connection: Connection, incident: IncidentRow, *, now_s: int) -> list[GapFacts]:
    """Return the gap records that belong to an incident."""
    if incident.kind in {IncidentClass.RUN, IncidentClass.APPROVAL}:
        asked = {"dag_id": incident.name, "run_ids": list(incident.named)}
        return rows(connection, "list_gaps_of_runs", GapFacts, asked)
    tickers, intervals = _concerned(connection, incident)
    if not tickers:
        return []
    return rows(
        connection,
        "list_gaps_of_incident",
        GapFacts,
        tickers=tickers,
        intervals=intervals,
        since_s=incident.since_s,
        until_s=now_s if incident.recovered_s is None else incident.recovered_s,
    )


def _concerned(connection: Connection, incident: IncidentRow) -> tuple[list[str], list[int] | None]:
    """Return the tickers that an incident is about, and its intervals; None = all."""
    match incident.kind:
        case IncidentClass.PAIR:
            return [incident.name], None
        case IncidentClass.SEAL:
            # About days that were altered; what is missing has incidents of its own.
            return [], None
        case IncidentClass.STALE:
            facts = incident.subjects.values()
            intervals = {one["interval_minutes"] for one in facts if "interval_minutes" in one}
            return list(incident.named), sorted(intervals) or None
        case IncidentClass.AT_RISK:
            # Subjects are series such as "XBTUSD 60".
            parted = [one.split(" ") for one in incident.named]
            lengths = {int(part[1]) for part in parted if len(part) > 1 and part[1].isdigit()}
            return sorted({part[0] for part in parted}), sorted(lengths) or None
    tiers = [incident.name] if incident.name else [one for one in incident.named if one.startswith("TIER")]
    found = [
        asset.ticker
        for tier in tiers or ["ALL"]
        for asset in read_assets(connection, tickers=None, tier=tier)
    ]
    return found, None


def as_document(
    incident: IncidentRow, gaps: Sequence[GapFacts], tries: Sequence[Try], *, now_s: int
) -> dict[str, Any]:
    """Return a post-mortem as JSON.

    :param gaps: the gap records that belong to it, oldest first
    :param tries: what runs did with them, oldest first
    """
    end_s = incident.recovered_s
    by_outcome = {
        outcome: {
            "gaps": sum(gap.outcome == outcome for gap in gaps),
            "candles": sum(gap.missing_candles for gap in gaps if gap.outcome == outcome),
        }
        for outcome in OUTCOMES
        if any(gap.outcome == outcome for gap in gaps)
    }
    return {
        "postmortem_version": POSTMORTEM_VERSION,
        "product": {"name": "kraken-ohlcv-airflow", "version": __version__},
        "made_at": iso(now_s),
        "incident_id": incident.incident_id,
        "key": incident.key,
        "class": incident.kind,
        "headline": incident.headline,
        "is_over": end_s is not None,
        "since": iso(incident.since_s),
        "detected_at": iso(incident.opened_s),
        "ended_at": None if end_s is None else iso(end_s),
        "seconds": (now_s if end_s is None else end_s) - incident.since_s,
        "time_to_detect_s": max(0, incident.opened_s - incident.since_s),
        "time_to_resolve_s": None if end_s is None else max(0, end_s - incident.opened_s),
        "growths": incident.growths,
        "tried": incident.tried,
        "acknowledged_by": incident.snoozed_by,
        "subjects": {name: incident.subjects.get(name, {}) for name in incident.named},
        "first_bucket": iso(min(gap.start_s for gap in gaps)) if gaps else None,
        "last_bucket": iso(max(gap.end_s - step_s(gap.interval_minutes) for gap in gaps)) if gaps else None,
        "candles": sum(gap.missing_candles for gap in gaps),
        "lost_for_ever": sum(gap.missing_candles for gap in gaps if gap.outcome == LOST),
        "gaps": {
            "total": len(gaps),
            "by_outcome": by_outcome,
            "mttd_s": _mean([max(0, gap.detected_s - gap.visible_s) for gap in gaps if not gap.is_part]),
            "mttr_s": _mean([
                max(0, gap.filled_s - gap.detected_s) for gap in gaps if gap.filled_s is not None
            ]),
            "listed": [gap_as_json(gap) for gap in gaps[:MAX_GAPS]],
            "not_listed": max(0, len(gaps) - MAX_GAPS),
        },
        "series": [_series(series, gaps) for series in _series_of(gaps)],
        "runs": {
            "total": len(tries),
            "tries": sum(one.tries for one in tries),
            "candles": sum(one.candles for one in tries),
            "listed": [_run(one) for one in tries[:MAX_RUNS]],
            "not_listed": max(0, len(tries) - MAX_RUNS),
        },
        "unknown": _unknown(incident, gaps),
    }


def _mean(seconds: Sequence[int]) -> int | None:
    return round(sum(seconds) / len(seconds)) if seconds else None


def _series_of(gaps: Sequence[GapFacts]) -> list[Series]:
    return list(dict.fromkeys(Series(gap.ticker, gap.interval_minutes) for gap in gaps))


def _series(series: Series, gaps: Sequence[GapFacts]) -> dict[str, Any]:
    own = [gap for gap in gaps if (gap.ticker, gap.interval_minutes) == series]
    step = step_s(series.interval_minutes)
    return {
        "ticker": series.ticker,
        "interval": series.interval_minutes,
        "gaps": len(own),
        "candles": sum(gap.missing_candles for gap in own),
        "first_bucket": iso(min(gap.start_s for gap in own)),
        "last_bucket": iso(max(gap.end_s for gap in own) - step),
        "closed": sum(gap.missing_candles for gap in own if gap.outcome in FILLED),
        "sources": sorted({gap.outcome for gap in own if gap.outcome in FILLED}),
        "open": sum(gap.missing_candles for gap in own if gap.outcome == "open"),
        "accepted": sum(gap.missing_candles for gap in own if gap.outcome == "accepted"),
        "lost_for_ever": sum(gap.missing_candles for gap in own if gap.outcome == LOST),
    }


def _run(one: Try) -> dict[str, Any]:
    return {
        "dag_id": one.dag_id,
        "run_id": one.run_id,
        "asked_at": None if one.asked_s is None else iso(one.asked_s),
        "gaps": one.gaps,
        "tries": one.tries,
        "candles": one.candles,
        "outcomes": sorted(one.outcomes),
        "errors": sorted(one.errors),
    }


def _unknown(incident: IncidentRow, gaps: Sequence[GapFacts]) -> list[str]:
    """Return what the post-mortem cannot know, a sentence each."""
    found = [
        "A gap belongs to the incident when one of its series was missing it meanwhile; that the incident is "
        "its cause is not proven."
    ]
    if incident.kind in {IncidentClass.RUN, IncidentClass.APPROVAL}:
        found = ["The gaps are those that the runs claimed; what a run never came to is not among them."]
    if not gaps:
        found.append(
            "No gap record belongs to this incident: no candle was missing, no backfill ran meanwhile, "
            "or the clean-up has deleted the records."
        )
    if incident.recovered_s is None:
        found.append("The incident is not over: this is what is known so far.")
    return found
