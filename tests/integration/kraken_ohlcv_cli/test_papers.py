"""``statement`` and ``incident`` print papers, write them as files, and end with what they found."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.core.times import iso
from tests.integration.command_line import CommandLine, name_stores
from tests.integration.scripted_month import (
    ACCEPTED,
    CLOSED_FROM,
    HOURLY,
    LOST,
    NOW,
    OPEN,
    hours,
    script_month,
)
from tests.unit.builders import HOUR

if TYPE_CHECKING:
    from pathlib import Path

    from local.questdb import QuestDBServer


@pytest.fixture
def cli(
    ledger_uri: str,
    candle_table: str,
    questdb_server: QuestDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> CommandLine:
    """Give the command line on October 2026, as if a run had asked the exchange's time on 1 November."""
    del candle_table
    month = script_month(ledger_uri, QuestDBHook(questdb_conn_id="questdb_default").client())
    with month.ledger() as connection:
        connection.execute(
            "INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals)"
            " VALUES ('backfill_tier1_daily', 'run', to_timestamp(%s), 'TIER1', '{60}')",
            (NOW,),
        )
        connection.execute(
            "INSERT INTO gap_outcomes (dag_id, run_id, gap_id, outcome, tries, candles)"
            " SELECT 'backfill_tier1_daily', 'run', gap_id, 'filled', 1, missing_candles FROM gap_records"
            " WHERE filled_from = 'archive'"
        )
    name_stores(monkeypatch, questdb_server, ledger_uri)
    return CommandLine(monkeypatch, capsys)


def test_a_statement_is_printed_written_and_judged(cli: CommandLine, tmp_path: Path) -> None:
    files = [tmp_path / "october.html", tmp_path / "october.json"]
    done = cli("statement", "TIER1", "2026-10", "--out", str(files[0]), "--out", str(files[1]))
    assert done.code == 1  # a target is missed
    text = files[1].read_bytes()
    sha256 = hashlib.sha256(text).hexdigest()
    said = json.loads(text)
    assert said["totals"]["missing"] == OPEN[1] + ACCEPTED[1] + LOST[1]
    for words in ("AAAUSD 60", "missed", "8 gaps: ", "3 incidents", "1 candle replaced", sha256):
        assert words in done.out, words
    html = files[0].read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert sha256 in html

    again = cli("statement", "TIER1", "--from", "2026-10-01", "--to", "2026-11-01", "--json")
    assert (again.code, again.json["totals"]) == (1, said["totals"])
    assert cli("statement", "TIER1", "--json").json["range"] == said["range"]
    # The other tier is whole.
    good = cli("statement", "TIER2", "2026-10", "--json")
    assert (good.code, good.json["totals"]["verified_pct"]) == (0, 100.0)


def test_the_post_mortem_of_an_incident_is_told_from_its_gaps(cli: CommandLine, tmp_path: Path) -> None:
    incidents = {
        one["key"]: one["incident_id"]
        for one in cli("statement", "TIER1", "2026-10", "--json").json["incidents"]["listed"]
    }
    number, file = str(incidents["stale"]), tmp_path / "incident.html"
    done = cli("incident", number, "--json", "--out", str(file))
    paper = done.json
    assert (done.code, paper["key"], paper["is_over"], paper["seconds"]) == (0, "stale", True, 7 * HOUR)
    assert (paper["time_to_detect_s"], paper["time_to_resolve_s"]) == (1800, 7 * HOUR - 1800)
    first_s, end_s = hours(*CLOSED_FROM["archive"])
    assert (paper["first_bucket"], paper["last_bucket"]) == (iso(first_s), iso(end_s - HOUR))
    assert (paper["candles"], paper["lost_for_ever"], paper["gaps"]["total"]) == (4, 0, 1)
    # Detected a day after its last bucket had closed, filled three hours later.
    assert (paper["gaps"]["mttd_s"], paper["gaps"]["mttr_s"]) == (27 * HOUR, 3 * HOUR)
    (series,) = paper["series"]
    assert (series["ticker"], series["interval"], series["sources"]) == (*HOURLY, ["archive"])
    (run,) = paper["runs"]["listed"]
    assert (run["run_id"], run["tries"], run["candles"], run["outcomes"]) == ("run", 1, 4, ["filled"])
    assert "Post-mortem of incident" in file.read_text(encoding="utf-8")
    table = cli("incident", number)
    assert (table.code, "Lost for ever: 0 candles" in table.out) == (0, True)
    # status shows the numbers of those that go on, which are not good.
    goes_on = [one["incident_id"] for one in cli("status", "--json").json["incidents"]]
    assert goes_on == [incidents["run:backfill_tier1_daily"]]
    assert cli("incident", str(incidents["run:backfill_tier1_daily"])).code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("statement", "TIER1", "October"), "'October' is no month", id="no month"),
        pytest.param(
            ("statement", "TIER1", "2026-10", "--from", "2026-10-01"), "two ranges", id="two ranges"
        ),
        pytest.param(("statement", "TIER1", "--to", "2026-10-01"), "has no beginning", id="only an end"),
        pytest.param(("statement", "TIER1", "--from", "2026-10-01"), "has no end", id="only a start"),
        pytest.param(("statement", "TIER7", "2026-10"), "tier 'TIER7'", id="no such tier"),
        pytest.param(
            ("statement", "TIER1", "2026-10", "--out", "x.pdf"), "ends with .html or .json", id="PDF"
        ),
        pytest.param(("incident", "99"), "there is no incident 99", id="no such incident"),
    ],
)
def test_wrong_usage_ends_with_2_and_the_cure(
    cli: CommandLine, arguments: tuple[str, ...], says: str
) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert says in done.err
