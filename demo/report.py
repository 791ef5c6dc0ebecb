"""What the demo tells: ``demo-report.json`` and a table for a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from demo.census import CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from demo.audit import Audit

COUNTERS = (
    "gaps_detected",
    "gaps_filled",
    "gaps_unfillable",
    "gaps_failed",
    "gaps_deferred",
    "gaps_standing",
)


ARCHIVE_COUNTERS = (
    "files_ingested",
    "files_known",
    "rows_good",
    "rows_written",
    "rows_equal",
    "candles_corrected",
    "gaps_filled",
)


@dataclass(frozen=True)
class RunReport:
    """One run of a DAG.

    :ivar dag_id: which DAG
    :ivar run_id: which run
    :ivar state: ``success`` or ``failed``
    :ivar seconds: from start_date to end_date of the run
    :ivar api_calls: calls that the exchange received during the run
    :ivar ohlc_calls: the OHLC calls among them
    :ivar result: what task ``result`` returned
    """

    dag_id: str
    run_id: str
    state: str
    seconds: float
    api_calls: int
    ohlc_calls: int
    result: Mapping[str, Any]


@dataclass(frozen=True)
class WatchRun:
    """One run of the scenes about alerts.

    :ivar scene: what it was to show
    :ivar dag_id: which DAG
    :ivar run_id: which run
    :ivar state: ``success`` or ``failed``
    :ivar seconds: from start_date to end_date of the run
    :ivar n_messages: messages that Slack had got when it was over
    :ivar result: what task ``result`` returned
    """

    scene: str
    dag_id: str
    run_id: str
    state: str
    seconds: float
    n_messages: int
    result: Mapping[str, Any]


@dataclass
class Report:
    """Everything the demo has to tell.

    :ivar runs: in the order in which they ran
    :ivar archive_runs: the same quarter of Kraken's archive, taken in twice
    :ivar gaps_before: number of gaps by class, before
    :ivar gaps_after: number of gaps by class, after
    :ivar truth: figures of the comparison with the exchange inside the API window
    :ivar truth_of_history: the same over the whole history, after trades and archive
    :ivar watch_runs: runs after that, in the order in which they ended
    :ivar slack: what the Slack stand-in got: at, kind, text
    :ivar audit: the statement of the month, and a changed candle noticed
    :ivar remarks: what a reader should know, but is no fault
    :ivar problems: what was not as it should be, a sentence each
    """

    runs: list[RunReport] = field(default_factory=list)
    archive_runs: list[RunReport] = field(default_factory=list)
    gaps_before: dict[str, int] = field(default_factory=dict)
    gaps_after: dict[str, int] = field(default_factory=dict)
    truth: dict[str, int] = field(default_factory=dict)
    truth_of_history: dict[str, int] = field(default_factory=dict)
    watch_runs: list[WatchRun] = field(default_factory=list)
    slack: list[dict[str, Any]] = field(default_factory=list)
    audit: Audit | None = None
    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is written to a file."""
        return asdict(self)


def show(report: Report, console: Console, *, min_interval_s: float) -> None:
    """Print the report as tables.

    :param report: what to tell
    :param console: where to
    :param min_interval_s: seconds between two calls, to show how near a run came to the floor
    """
    gaps = Table(title="Gaps by class", title_justify="left")
    gaps.add_column("class")
    gaps.add_column("before", justify="right")
    gaps.add_column("after", justify="right")
    for name, title in CLASSES.items():
        gaps.add_row(title, str(report.gaps_before.get(name, 0)), str(report.gaps_after.get(name, 0)))
    console.print(gaps)

    runs = Table(title=f"Runs, at one call per {min_interval_s:g} s (Kraken: 1 s)", title_justify="left")
    runs.add_column("")
    for number, run in enumerate(report.runs, start=1):
        runs.add_column(f"{number}. {run.dag_id}", justify="right")
    runs.add_row("state", *(run.state for run in report.runs))
    runs.add_row("OHLC calls", *(str(run.ohlc_calls) for run in report.runs))
    runs.add_row("all calls", *(str(run.api_calls) for run in report.runs))
    runs.add_row("floor by rate, s", *(f"{run.api_calls * min_interval_s:.0f}" for run in report.runs))
    runs.add_row("seconds", *(f"{run.seconds:.1f}" for run in report.runs))
    for name in (*COUNTERS, "total_candles_filled", "candles_restated", "assets_processed"):
        runs.add_row(name, *(str(run.result.get(name, "-")) for run in report.runs))
    console.print(runs)

    _show_archive(report.archive_runs, console)

    truth = Table(title="Every closed bucket against the exchange's own candles", title_justify="left")
    truth.add_column("")
    for name in report.truth:
        truth.add_column(name.replace("_", " "), justify="right")
    truth.add_row("in the API window", *map(str, report.truth.values()))
    truth.add_row("in the whole history", *map(str, report.truth_of_history.values()))
    console.print(truth)
    _show_watch(report, console)
    if report.audit is not None:
        _show_audit(report.audit, console)
    for remark in report.remarks:
        console.print(f"Remark: {remark}", style="yellow", markup=False)
    for problem in report.problems:
        console.print(f"NOT AS IT SHOULD BE: {problem}", style="bold red", markup=False)
    if not report.problems:
        console.print("Everything is as it should be.", style="bold green")


def _show_archive(runs: Sequence[RunReport], console: Console) -> None:
    quarters = ", ".join(sorted({str(run.result["quarter"]) for run in runs}))
    archive = Table(title=f"Kraken's archive, quarter {quarters}, taken in twice", title_justify="left")
    archive.add_column("")
    for number, run in enumerate(runs, start=1):
        archive.add_column(f"{number}. {run.dag_id}", justify="right")
    archive.add_row("state", *(run.state for run in runs))
    archive.add_row("seconds", *(f"{run.seconds:.1f}" for run in runs))
    for name in ARCHIVE_COUNTERS:
        archive.add_row(name, *(str(run.result.get(name, "-")) for run in runs))
    console.print(archive)


def _show_watch(report: Report, console: Console) -> None:
    watch = Table(title="Alerts in Slack", title_justify="left")
    for title in ("run", "scene", "state"):
        watch.add_column(title)
    for title in ("seconds", "messages so far"):
        watch.add_column(title, justify="right")
    for run in report.watch_runs:
        watch.add_row(run.dag_id, run.scene, run.state, f"{run.seconds:.1f}", str(run.n_messages))
    console.print(watch)
    for message in report.slack:
        at = datetime.fromtimestamp(message["at"], UTC)
        console.print(f"Slack {at:%H:%M:%S} UTC, {message['kind']}: {message['text']}\n", markup=False)


def _show_audit(audit: Audit, console: Console) -> None:
    console.rule("What an auditor gets", align="left")
    for heading, said in (
        ("The statement of the month:", audit.statement),
        ("Everything against its seals:", audit.before),
        (f"After somebody changed a candle of {audit.changed} in QuestDB:", audit.tampered),
        ("After it was put back:", audit.after),
    ):
        console.print(heading, style="bold", markup=False)
        console.print(f"$ {said.command}\n{said.text}\n[exit code {said.code}]\n", markup=False)
