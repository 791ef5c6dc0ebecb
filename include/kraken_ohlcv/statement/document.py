"""A statement as JSON: stable keys, times as ISO text in UTC; the HTML is made from it and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.statement.facts import (
    OUTCOMES,
    Facts,
    GapFacts,
    IncidentFacts,
    RestatementFacts,
    Seals,
    SeriesFacts,
)
from kraken_ohlcv.statement.limits import how_to_verify, unknown, unproven
from kraken_ohlcv.stores.queries import MICROSECONDS

STATEMENT_VERSION: Final = 1
"""Raised when a key changes its meaning or goes; new keys do not raise it."""

MAX_GAPS: Final = 500
"""Gap records that are listed one by one; the open ones come first."""
MAX_INCIDENTS: Final = 200


def as_document(facts: Facts) -> dict[str, Any]:
    """Return a statement as JSON.

    :param facts: of a tier and a range
    :return: keys as in docs/STATEMENT.md; what is null was not to be known or does not apply
    """
    period = facts.period
    return {
        "statement_version": STATEMENT_VERSION,
        "exchange": facts.exchange,
        "tier": facts.tier,
        "range": {
            "name": str(period),
            "start": iso(period.start_s),
            "end": iso(period.end_s),
            "days": len(period.days),
            "is_over": facts.made_s >= period.end_s,
        },
        "made_at": iso(facts.made_s),
        "as_of": _micro(facts.as_of_us),
        "records_began": _micro(facts.records_began_us),
        "product": {
            "name": "kraken-ohlcv-airflow",
            "version": facts.version,
            "ledger_revision": facts.ledger_revision,
        },
        "tickers": list(dict.fromkeys(one.series.ticker for one in facts.series)),
        "intervals": sorted({one.series.interval_minutes for one in facts.series}),
        "schedule": facts.plan.schedule,
        "totals": _totals(facts),
        "targets": [one.as_json() for one in facts.targets],
        "series": [_series(one) for one in facts.series],
        "unproven": unproven(facts.series),
        "accepted": [
            {
                **_of(one.series),
                "buckets": one.buckets,
                "by": one.by,
                "at": iso(one.at_s),
                "reason": one.reason,
            }
            for one in facts.acceptances
        ],
        "gaps": _gaps(facts),
        "incidents": _incidents(facts),
        "restatements": {
            "replaced": facts.restatements.replaced,
            "seen_once": facts.restatements.pending,
            "of_earlier_days": facts.restatements.of_earlier_days,
            "listed": [_restatement(one) for one in facts.restatements.listed],
            "not_listed": facts.restatements.n_left,
        },
        "seals": _seals(facts.seals),
        "unknown": unknown(facts),
        "verify": how_to_verify(facts),
    }


def text_of(document: Mapping[str, Any]) -> str:
    """Return the text of a statement, whose bytes in UTF-8 are what its hash is over."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_good(document: Mapping[str, Any]) -> bool:
    """Return whether no target is missed, no seal is broken, and there is data: nothing due is never good."""
    met = [one["is_met"] for one in document["targets"] if one["target_pct"] is not None]
    is_broken = document["seals"]["unreadable_entries"] or document["seals"]["changed_without_record"]
    return bool(document["totals"]["due"]) and not is_broken and all(one is not False for one in met)


def document_of(text: str) -> dict[str, Any]:
    """Return the statement that a text of :func:`text_of` is."""
    found: dict[str, Any] = json.loads(text)
    return found


def file_name(document: Mapping[str, Any]) -> str:
    """Return what files of a statement are called, without the ending, for example ``TIER1_2026-10``."""
    return f"{document['tier']}_{document['range']['name']}"


def _of(series: Series) -> dict[str, Any]:
    return {"ticker": series.ticker, "interval": series.interval_minutes}


def _moment(moment_s: int | None) -> str | None:
    return None if moment_s is None else iso(moment_s)


def _day(day_s: int) -> str:
    return utc(day_s).date().isoformat()


def _micro(moment_us: int) -> str:
    return iso(moment_us / MICROSECONDS)


def _counts(one: SeriesFacts) -> dict[str, Any]:
    return {
        "due": one.due,
        "stored": one.n_stored,
        "proven_empty": one.n_proven,
        "missing": one.missing,
        "accepted": one.accepted,
        "open": one.missing - one.accepted,
        "provisional": one.provisional,
        "disputed": one.disputed,
        "unproven": one.unproven,
        "pending": one.pending,
        "before_start": one.before_start,
        "restated": one.restated,
        "off_grid": one.off_grid,
    }


def _totals(facts: Facts) -> dict[str, Any]:
    each = [_counts(one) for one in facts.series]
    stored: Counter[str] = Counter()
    proven: Counter[str] = Counter()
    for one in facts.series:
        stored.update(one.stored)
        proven.update(one.proven)
    return {
        "series": len(each),
        **{name: sum(one[name] for one in each) for name in (each[0] if each else ())},
        "stored_by_source": dict(sorted(stored.items())),
        "proven_by": dict(sorted(proven.items())),
        "verified_pct": facts.verified_pct,
    }


def _series(one: SeriesFacts) -> dict[str, Any]:
    return {
        **_of(one.series),
        "listing": one.listing,
        "begins": _moment(one.start_s),
        **_counts(one),
        "stored_by_source": dict(one.stored),
        "proven_by": dict(one.proven),
        "verified_pct": one.verified_pct,
    }


def _gaps(facts: Facts) -> dict[str, Any]:
    gaps = Counter(gap.outcome for gap in facts.gaps)
    candles: Counter[str] = Counter()
    for gap in facts.gaps:
        candles[gap.outcome] += gap.missing_candles
    first = sorted(facts.gaps, key=lambda gap: (gap.filled_s is not None, gap.start_s, gap.gap_id))
    return {
        "total": len(facts.gaps),
        "by_outcome": {
            outcome: {"gaps": gaps[outcome], "candles": candles[outcome]}
            for outcome in OUTCOMES
            if gaps[outcome]
        },
        "listed": [gap_as_json(gap) for gap in first[:MAX_GAPS]],
        "not_listed": max(0, len(facts.gaps) - MAX_GAPS),
        "deleted_by_clean_up": [
            {
                "closed_in": one.month,
                "outcome": one.filled_from or one.status.lower(),
                "gaps": one.gaps,
                "candles": one.candles,
            }
            for one in facts.rolled_up
        ],
    }


def gap_as_json(gap: GapFacts) -> dict[str, Any]:
    """Return a gap record as JSON."""
    return {
        "gap_id": gap.gap_id,
        "ticker": gap.ticker,
        "interval": gap.interval_minutes,
        "start": iso(gap.start_s),
        "end": iso(gap.end_s),
        "candles": gap.missing_candles,
        "detected_at": iso(gap.detected_s),
        "attempts": gap.attempts,
        "outcome": gap.outcome,
        "closed_at": _moment(gap.filled_s),
        "took_s": None if gap.filled_s is None else max(0, gap.filled_s - gap.detected_s),
        "why_open": gap.unfillable_reason,
        "accepted_by": gap.accepted_by,
        "accepted_at": _moment(gap.accepted_s),
        "accepted_reason": gap.accepted_reason,
    }


def _incidents(facts: Facts) -> dict[str, Any]:
    each = [_incident(one, facts.period, facts.made_s) for one in facts.incidents]
    return {
        "total": len(each),
        "seconds_in_range": sum(one["seconds_in_range"] for one in each),
        "listed": each[:MAX_INCIDENTS],
        "not_listed": max(0, len(each) - MAX_INCIDENTS),
        "of_other_tiers": facts.other_incidents,
    }


def _incident(one: IncidentFacts, period: Range, made_s: int) -> dict[str, Any]:
    end_s = max(one.since_s, made_s if one.recovered_s is None else one.recovered_s)
    return {
        "incident_id": one.incident_id,
        "key": one.key,
        "headline": one.headline,
        "since": iso(one.since_s),
        "detected_at": iso(one.opened_s),
        "ended_at": _moment(one.recovered_s),
        "seconds": end_s - one.since_s,
        "seconds_in_range": max(0, min(end_s, period[1]) - max(one.since_s, period[0])),
        "subjects": list(one.subjects),
    }


def _seals(seals: Seals) -> dict[str, Any]:
    return {
        "head": None
        if seals.head is None
        else {
            "number": seals.head.number,
            "hash": seals.head.hash,
            "as_of": _micro(seals.head.as_of_us),
        },
        "days": [
            {
                "day": _day(one.day_s),
                "root": one.root,
                "sealed": one.sealed,
                "unsealed": one.unsealed,
                "all_series": one.all_series,
            }
            for one in seals.days
        ],
        "revisions": {
            "total": seals.n_revisions,
            "listed": [
                {
                    **_of(one.series),
                    "day": _day(one.day_s),
                    "revision": one.revision,
                    "reasons": list(one.reasons),
                    "as_of": _micro(one.as_of_us),
                    "root": one.root,
                    "root_before": one.root_before,
                    "entry": one.number,
                    "note": one.note,
                }
                for one in seals.revisions
            ],
            "not_listed": seals.n_revisions - len(seals.revisions),
        },
        "unreadable_entries": list(seals.unreadable),
        "changed_without_record": [
            {
                **_of(one.series),
                "day": _day(one.day_s),
                "bucket": iso(one.ts_s),
                "what": one.said,
                "found_at": _moment(one.found_s),
            }
            for one in seals.disagreements
        ],
    }


def _restatement(one: RestatementFacts) -> dict[str, Any]:
    return {
        "ticker": one.ticker,
        "interval": one.interval_minutes,
        "candle": iso(one.open_s),
        "source": one.source,
        "first_seen_at": iso(one.first_seen_s),
        "replaced_at": _moment(one.applied_s),
        "old": one.old,
        "new": one.new,
    }
