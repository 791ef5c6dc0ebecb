"""The form of papers: self-contained, printable, in words."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from kraken_ohlcv.statement.paper import differences, percent, postmortem_html, style_hash, time
from kraken_ohlcv.statement.postmortem import IncidentRow, as_document
from tests.unit.builders import HOUR, NOW


@pytest.mark.parametrize(
    ("share", "said"),
    [(100.0, "100\u2009%"), (99.9999, "99.9999\u2009%"), (99.9, "99.9\u2009%"), (0.0, "0\u2009%")],
)
def test_a_share_reads_100_only_where_nothing_is_short(share: float, said: str) -> None:
    assert percent(share) == said


def test_a_moment_shows_seconds_only_where_they_count_and_is_escaped() -> None:
    assert "2026-10-01 04:00<" in time("2026-10-01T04:00:00")
    assert "2026-10-01 04:00:07<" in time("2026-10-01T04:00:07.123456")
    assert "<b>" not in time("<b>:00")


def test_only_figures_that_differ_are_told() -> None:
    versions = {
        "old": {"close": 1.5, "vwap": None, "trades": 3},
        "new": {"close": 1.5, "vwap": 2.0, "trades": 3},
    }
    assert list(differences(versions)) == [("vwap", "none", 2.0)]


def incident(**changes: object) -> IncidentRow:
    """Return an incident that is over."""
    values = {
        "incident_id": 7,
        "key": "source",
        "headline": "Kraken <b>gave</b> no answer",
        "since_s": NOW - 3 * HOUR,
        "opened_s": NOW - 2 * HOUR,
        "recovered_s": NOW - HOUR,
        "growths": 0,
        "tried": None,
        "snoozed_by": None,
        "subjects": {},
        "named": [],
        **changes,
    }
    return IncidentRow(**values)  # type: ignore[arg-type]


def test_a_paper_is_one_file_whose_style_a_policy_lets_through() -> None:
    html = postmortem_html(as_document(incident(), [], [], now_s=NOW))
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert style_hash() == f"sha256-{digest}"
    assert "@page" in style
    assert "table-header-group" in style
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import", html)
    assert "Kraken &lt;b&gt;gave&lt;/b&gt; no answer." in html


def test_an_incident_without_gaps_says_so_and_one_that_goes_on_is_not_over() -> None:
    over = as_document(incident(), [], [], now_s=NOW)
    assert (over["seconds"], over["time_to_detect_s"], over["time_to_resolve_s"]) == (2 * HOUR, HOUR, HOUR)
    assert (over["first_bucket"], over["gaps"]["mttr_s"], over["lost_for_ever"]) == (None, None, 0)
    assert any("No gap record belongs" in said for said in over["unknown"])
    goes_on = as_document(incident(recovered_s=None), [], [], now_s=NOW)
    assert (goes_on["is_over"], goes_on["ended_at"], goes_on["seconds"]) == (False, None, 3 * HOUR)
    assert "Not over" in postmortem_html(goes_on)
