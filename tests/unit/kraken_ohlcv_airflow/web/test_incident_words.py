"""Incidents are told in sentences: the headline has the cause, no subject is a raw key, nothing is cut."""

from __future__ import annotations

from typing import Any

import pytest

from kraken_ohlcv.core.incident import IncidentClass
from kraken_ohlcv_airflow.web.incident_words import full_headline, subject_lines, worst_first

LONG = "Kraken answered EGeneral:Internal error " * 30
DUE = "2026-11-23T02:30:00Z"

HEADLINES: list[tuple[IncidentClass, str, dict[str, dict[str, Any]], str]] = [
    (
        IncidentClass.SOURCE,
        "Kraken says that its status is offline",
        {},
        "Kraken says that its status is offline.",
    ),
    (
        IncidentClass.STALE,
        "Daily candles are late",
        {"ETHUSD": {"hours_behind": 3}, "XBTUSD 60": {"hours_behind": 26, "tier": "TIER1"}},
        "Daily candles are late: of 2 tickers, XBTUSD 1 h is the worst and is 26 hours behind.",
    ),
    (
        IncidentClass.RUN,
        "backfill_tier1_daily failed",
        {
            "scheduled__2026-11-22T02:00:00": {"state": "failed", "errors": ["old"], "n_errors": 1},
            "manual__2026-11-23T02:00:00": {"state": "failed", "errors": [LONG, "b"], "n_errors": 7},
        },
        f"backfill_tier1_daily failed: {LONG}, and 6 more errors.",
    ),
    (
        IncidentClass.RUN,
        "validate_data_hourly is late",
        {"manual__1": {"state": "queued", "due": DUE}},
        "validate_data_hourly is late: it was due by Mon 23 Nov 2026, 02:30 UTC and is queued.",
    ),
    (
        IncidentClass.PAIR,
        "XBTUSDT has left Kraken",
        {"left": {"said": "It was renamed."}},
        "XBTUSDT has left Kraken: It was renamed.",
    ),
    (
        IncidentClass.APPROVAL,
        "backfill_tier2 waits for an approval",
        {"manual__1": {"calls": 1, "until": DUE}},
        "backfill_tier2 waits for an approval: 1 call to Kraken waits until Mon 23 Nov 2026, 02:30 UTC.",
    ),
]


@pytest.mark.parametrize(("kind", "headline", "subjects", "told"), HEADLINES)
def test_the_headline_has_the_cause(
    kind: IncidentClass, headline: str, subjects: dict[str, dict[str, Any]], told: str
) -> None:
    assert full_headline(headline, kind, subjects) == told


@pytest.mark.parametrize("kind", IncidentClass)
def test_of_any_class_a_subject_is_told_in_sentences_even_without_facts(kind: IncidentClass) -> None:
    lines = subject_lines(kind, "XBTUSD 60", {})
    assert lines
    assert all(line.endswith(".") for line in lines)
    assert full_headline("Something is wrong", kind, {"XBTUSD 60": {}}).startswith("Something is wrong")


def test_errors_of_a_run_are_whole_and_those_that_were_not_kept_are_counted() -> None:
    lines = subject_lines(
        IncidentClass.RUN, "manual__1", {"state": "failed", "errors": [LONG], "n_errors": 3}
    )
    assert lines == ["Run manual__1 failed.", f"{LONG.strip()}.", "And 2 more, on the run's page."]


def test_whoever_is_furthest_behind_stands_first() -> None:
    subjects: dict[str, dict[str, Any]] = {
        "A": {"hours_behind": None},
        "B": {"hours_behind": 4},
        "C": {"hours_behind": 9},
    }
    assert [name for name, _ in worst_first(subjects)] == ["C", "B", "A"]
