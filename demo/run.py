"""The demo from start to end: ``python -m local demo``."""

from __future__ import annotations

import json
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from demo import checks
from demo.audit import audit
from demo.candles import Series, fetch_truth, read_stored, transactions
from demo.census import SeriesFacts, count_gaps
from demo.dag_ids import (
    ALL_DAGS,
    ARCHIVE_DAG,
    TIER1_DAG,
    TIER2_DAG,
    VALIDATE_DAG,
)
from demo.film import Film
from demo.preload import DAY_S, Preloaded, history_start_s, keep_for_long, preload
from demo.report import Report, RunReport, show
from demo.scenes import ARCHIVED
from demo.screenshots import take
from demo.truth import LedgerView, compare, ledger_digest, read_ledger
from demo.watch import Watch
from kraken_ohlcv.core.assets import read_catalogue
from kraken_ohlcv.core.quarters import quarter_of
from kraken_ohlcv.core.wording import counted
from local.addresses import print_addresses
from local.airflow_api import AirflowApi
from local.installed_postgres import choose_postgres
from local.settings import ModeHome, sandbox_directory, write_atomically
from local.stack import Exchange, Stack
from simulators.exchange_client import ExchangeAdmin
from simulators.slack_client import SlackAdmin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from demo.candles import Candles
    from local.airflow_api import DagRun

INTERVALS = {"TIER1": (60, 1440), "TIER2": (1440,)}
TIERS = {TIER1_DAG: "TIER1", TIER2_DAG: "TIER2"}
LOOKBACK_S = 7 * DAY_S
PROGRESS_S = 5.0
MIN_INTERVAL_S = 0.25
"""Four times the pace kept with Kraken: its simulator, as Kraken, allows a burst for each pair. At this pace
one task fetches several assets, which spares a small machine the start of many."""
PARTS = frozenset({"fill_ohlc", "rebuild_trades", "ingest"})
"""Mapped tasks of a run, which take most of its time."""
AUDITED = Series("XBTUSD", 60)
"""Whose candle somebody changes in the last scene."""
FILMED = "tier=TIER1&interval=60&range=30d"
"""What the animated picture shows of page Coverage."""
OHLC_ONLY = {"repair_from": ["ohlc"]}
BEYOND_THE_EDGE = {"repair_from": ["trades"], "trades_call_budget": 60, "max_gaps_per_asset": 0}
"""So many calls rebuild a part of what is missing; a later run goes on where this one stopped."""


class Demo:
    """One demo; its parts share the running services and what was preloaded."""

    def __init__(self, stack: Stack, console: Console, pictures: Path | None = None) -> None:
        """Store where to run and to tell.

        :param stack: the services of mode demo
        :param console: for a person
        :param pictures: folder for the pictures of the documents; None leaves the pages' in the sandbox
        """
        self.pictures = pictures
        self.stack = stack
        self.console = console
        self.report = Report()
        self.catalogue = {
            entry.ticker: entry.tier
            for entry in read_catalogue().entries
            if entry.tier in INTERVALS and entry.listed
        }
        self.scope = tuple(
            Series(ticker, interval)
            for ticker, tier in self.catalogue.items()
            for interval in INTERVALS[tier]
        )
        self.preloaded: Preloaded | None = None
        self.expected_skipped: set[Series] = set()

    @property
    def exchange(self) -> ExchangeAdmin:
        """The simulator's admin client."""
        return ExchangeAdmin(self.stack.exchange_url)

    @property
    def api(self) -> AirflowApi:
        """The client of Airflow's REST API."""
        return AirflowApi(self.stack.airflow_url, "admin", self.stack.home.secrets().passwords["admin"])

    def play(self) -> None:
        """Show everything; note what happened and what was not as it should be."""
        self.start()
        api = self.api
        api.wait_for_dags(ALL_DAGS)
        watch = Watch(api, self.exchange, SlackAdmin(str(self.stack.slack_url)), self.console)
        # At a full hour the check would see the damage, and have it repaired, before the scenes do; one may
        # have begun while everything started.
        with api.paused(VALIDATE_DAG):
            api.forget_runs(VALIDATE_DAG)
            self._head("Both tiers are repaired by OHLC calls; repeated, a run changes nothing")
            self.repair(api)
            self.judge()
            self._head("What the API no longer serves is rebuilt from trades")
            self.go_beyond(api)
            self._head("A quarter of Kraken's archive is taken in, twice; an operator repairs a series")
            self.take_the_archive_in(api, watch)
            self.judge_history()
        watch.show(self._head)
        watch.look_back(meanwhile=self.photograph)
        self._head("An auditor gets a statement, and notices a changed candle")
        self.audit()
        self._head("Report")
        self.report.watch_runs = watch.runs
        self.report.slack = [message.as_json() for message in watch.messages()]
        self.report.problems += watch.problems

    def start(self) -> None:
        """Start everything with damaged history, and count the damage.

        :raises SandboxError: if a service does not start
        """
        started = time.monotonic()
        self._head("Everything starts, with a history that is broken in every way")
        with self.stack.home.locked():
            self.stack.down()
            self.stack.up(is_fresh=True, preload=self._preload)
            keep_for_long(self.stack.ledger_uri)
        self.console.print(
            f"Everything runs after {time.monotonic() - started:.0f} s; look around meanwhile:"
        )
        print_addresses(self.stack)

    def repair(self, api: AirflowApi) -> None:
        """Run both backfills at once, then TIER1 again; note what happened and what was not as it should be.

        :param api: Airflow
        """
        with self._film("repair.gif", FILMED):
            first = self._run_together(api, [TIER1_DAG, TIER2_DAG], OHLC_ONLY)
        before = self._digests()
        repeated = self._run(api, TIER1_DAG, OHLC_ONLY)
        after = self._digests()
        self.report.runs += [*first, repeated]
        problems = self.report.problems
        for run in self.report.runs:
            problems += checks.run_problems(run)
        problems += checks.call_problems(first[0])
        self.report.remarks += checks.slowness(first, min_interval_s=self.stack.min_interval_s)
        problems += checks.repeat_problems(repeated, before, after)
        problems += checks.naming_problems(first, self.expected_skipped)
        problems += checks.rate_problems(self.exchange.calls(), min_interval_s=self.stack.min_interval_s)

    def judge(self) -> None:
        """Compare what is in the API window with the exchange's own candles."""
        ledger, facts = self._look()
        truth = compare((facts[series] for series in ledger.processed), ledger.unfillable)
        self.report.truth = truth.figures()
        self.report.problems += checks.truth_problems(truth)

    def go_beyond(self, api: AirflowApi) -> None:
        """Rebuild from trades what the API no longer serves.

        :param api: Airflow
        """
        run = self._run(api, TIER1_DAG, BEYOND_THE_EDGE)
        self.report.runs.append(run)
        self.report.problems += [*checks.run_problems(run), *checks.rebuild_problems(run)]

    def take_the_archive_in(self, api: AirflowApi, watch: Watch) -> None:
        """Fetch a quarter of Kraken's archive that closes a gap which the API no longer can; once more.

        :param api: Airflow
        :param watch: repairs another series by hand at the same time
        """
        hole_s = self._preload_s - ARCHIVED.missing[0].ago * DAY_S
        conf = {
            "quarter": quarter_of(hole_s).name,
            "tickers": [ARCHIVED.ticker],
            "intervals": [ARCHIVED.interval],
        }
        self.exchange.archive(tickers=list(self.catalogue), intervals=list(INTERVALS["TIER1"]))
        with watch.repairing_by_hand():
            first = self._run(api, ARCHIVE_DAG, conf)
        before = self._digests()
        again = self._run(api, ARCHIVE_DAG, conf)
        self.report.archive_runs = [first, again]
        self.report.problems += checks.archive_problems(first, again, before, self._digests())

    def judge_history(self) -> None:
        """Compare the whole history with the exchange's own candles, and count the gaps that are left."""
        ledger, facts = self._look()
        self.report.gaps_after = count_gaps(facts.values())
        truth = compare(
            (facts[series] for series in ledger.processed), ledger.unfillable, starts=ledger.starts
        )
        self.report.truth_of_history = truth.figures()
        self.report.problems += checks.truth_problems(truth)

    def photograph(self) -> None:
        """Keep pictures of the pages, where a browser is installed."""
        folder = self.pictures or sandbox_directory()
        files = {name: folder / f"{name}.png" for name in ("coverage", "gaps", "slack")}
        password = self.stack.home.secrets().passwords["admin"]
        if reason := take(
            self.stack.airflow_url, "admin", password, files, elsewhere={"slack": str(self.stack.slack_url)}
        ):
            self.report.remarks.append(reason)
        else:
            self.console.print(f"Screenshots: {', '.join(map(str, files.values()))}", soft_wrap=True)

    def _film(self, name: str, query: str) -> AbstractContextManager[object]:
        """Film page Coverage, where somebody asked for pictures."""
        if self.pictures is None:
            return nullcontext()
        password = self.stack.home.secrets().passwords["admin"]
        return Film(self.stack.airflow_url, "admin", password, query, self.pictures / name)

    def audit(self) -> None:
        """Show what an auditor gets, and that a changed candle is noticed."""
        paper = sandbox_directory() / "demo-statement.html"
        found = audit(self.stack, AUDITED, self._preload_s, paper, columns=self.console.width)
        self.report.audit = found
        self.report.problems += found.problems()

    def _look(self) -> tuple[LedgerView, dict[Series, SeriesFacts]]:
        """Return what the ledger says, and all that is known of each series."""
        ledger = read_ledger(self.stack.ledger_uri)
        end_s = max([self._preload_s, *ledger.processed.values()])
        wanted = {series: (start_s, end_s) for series, start_s in self._history_starts(ledger).items()}
        with self.stack.questdb.connect() as connection:
            stored = read_stored(connection, self.scope)
        return ledger, self._facts(ledger, fetch_truth(self.exchange, wanted), stored)

    def _preload(self) -> None:
        questdb = self.stack.questdb
        done = preload(self.exchange, questdb, list(self.catalogue))
        self.preloaded = done
        facts = self._facts(LedgerView(), done.truth, done.stored)
        self.report.gaps_before = count_gaps(facts.values())
        self.expected_skipped = {
            series
            for series, known in facts.items()
            if known.stored and known.end_s - max(known.stored) - series.step_s > LOOKBACK_S
        }
        self.console.print(
            f"QuestDB holds {done.rows:,} candles of {len(self.catalogue)} tickers, with "
            f"{sum(self.report.gaps_before.values()):,} gaps; {done.outdated} candles were restated since."
        )

    def _facts(
        self, ledger: LedgerView, truth: Mapping[Series, Candles], stored: Mapping[Series, Candles]
    ) -> dict[Series, SeriesFacts]:
        """Return what is known of each series in scope, at the time of its newest run or the preload."""
        listed = {pair["ticker"]: int(pair["listed_s"]) for pair in self.exchange.pairs()}
        start = self._history_starts(ledger)
        return {
            series: SeriesFacts(
                series=series,
                now_s=ledger.processed.get(series, self._preload_s),
                # A pair's first bucket is that of its first trade, which may come after the listing.
                first_s=min(truth[series]) if listed[series.ticker] > start[series] else start[series],
                truth=truth[series],
                stored=stored[series],
                proven=ledger.proven.get(series, []),
            )
            for series in self.scope
        }

    @property
    def _preload_s(self) -> int:
        """The exchange's clock at the preload, epoch seconds."""
        assert self.preloaded is not None  # noqa: S101 (every use comes after the preload)
        return self.preloaded.now_s

    def _history_starts(self, ledger: LedgerView) -> dict[Series, int]:
        """Return where the history of each series begins: as preloaded, or with what the archive brought."""
        tickers = list(self.catalogue)
        preloaded = {series: history_start_s(series, self._preload_s, tickers) for series in self.scope}
        return {
            series: min(start_s, ledger.starts.get(series, start_s)) for series, start_s in preloaded.items()
        }

    def _head(self, title: str) -> None:
        """Begin a scene."""
        self.console.print()
        self.console.rule(title, align="left")

    def _run(self, api: AirflowApi, dag_id: str, conf: Mapping[str, Any]) -> RunReport:
        """Run a DAG, tell how it goes on, and return what it did."""
        (run,) = self._run_together(api, [dag_id], conf)
        return run

    def _run_together(
        self, api: AirflowApi, dag_ids: Sequence[str], conf: Mapping[str, Any]
    ) -> list[RunReport]:
        """Run DAGs at the same time, tell how they go on, and return what each did."""
        seen = max((call["n"] for call in self.exchange.calls()), default=0)
        self.console.print(f"Triggered {' and '.join(dag_ids)}.")
        run_ids = {dag_id: api.trigger(dag_id, conf) for dag_id in dag_ids}
        runs = [
            api.wait_for_run(dag_id, run_id, watch=self._telling(api, seen))
            for dag_id, run_id in run_ids.items()
        ]
        calls = self.exchange.calls(after=seen)
        done = []
        for run in runs:
            result = api.xcom(run.dag_id, run.run_id, "result")
            is_alone = len(runs) == 1
            ohlc_calls = [
                call
                for call in calls
                if call["endpoint"] == "OHLC"
                and (is_alone or self.catalogue[call["ticker"]] == TIERS[run.dag_id])
            ]
            done.append(
                RunReport(
                    dag_id=run.dag_id,
                    run_id=run.run_id,
                    state=run.state,
                    seconds=run.seconds,
                    # Some calls name no pair: of runs at the same time, only their sum can be compared.
                    api_calls=len(calls) if is_alone else result["api_calls"],
                    ohlc_calls=len(ohlc_calls),
                    result=result,
                )
            )
        self.report.problems += checks.together_problems(done, len(calls))
        return done

    def _telling(self, api: AirflowApi, seen: int) -> Callable[[DagRun], None]:
        """Return what tells now and then how a run goes on.

        :param seen: number of the newest call before it
        """
        last_told = time.monotonic()

        def tell(run: DagRun) -> None:
            nonlocal last_told
            if time.monotonic() - last_told > PROGRESS_S:
                last_told = time.monotonic()
                tasks = api.task_instances(run.dag_id, run.run_id)
                parts = [task for task in tasks if task["task_id"] in PARTS and task["map_index"] >= 0]
                done = sum(task["state"] == "success" for task in parts)
                of_all = f", {done} of {counted(len(parts), 'task')} done" if parts else ""
                calls = counted(len(self.exchange.calls(after=seen)), "call")
                self.console.print(f"  {run.dag_id}: {run.state}{of_all}, {calls}")

        return tell

    def _digests(self) -> Mapping[str, Any]:
        with self.stack.questdb.connect() as connection:
            return {"ohlcv": transactions(connection), **ledger_digest(self.stack.ledger_uri)}


def main() -> int:
    """Run the demo, print and write its report; ``DEMO_EXIT=1`` stops everything afterwards.

    ``DEMO_PICTURES=FOLDER`` writes the pictures of the documents there.

    :return: exit code, 0 if everything was as it should be
    """
    console = Console(width=None if os.isatty(1) else 120, soft_wrap=False)
    home = ModeHome("demo")
    choose_postgres(home, os.environ)
    stack = Stack(home, Exchange(), min_interval_s=MIN_INTERVAL_S)
    pictures = os.environ.get("DEMO_PICTURES")
    demo = Demo(stack, console, Path(pictures) if pictures else None)
    try:
        demo.play()
    finally:
        is_exit = os.environ.get("DEMO_EXIT") == "1"
        if is_exit:
            stack.down()
    show(demo.report, console, min_interval_s=stack.min_interval_s)
    file = sandbox_directory() / "demo-report.json"
    write_atomically(file, json.dumps(demo.report.as_json(), indent=2) + "\n")
    console.print(f"The same as JSON: {file}", soft_wrap=True)
    return 1 if demo.report.problems else 0
