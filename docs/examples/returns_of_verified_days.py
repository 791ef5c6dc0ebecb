"""Example: compute the returns of each day once it is verified, and again when a candle of it has changed.

Runs once per tier, interval and day, with the partition key `TIER1|60|2026-11-27`: an event of asset
`kraken_ohlcv_verified` says that every hourly candle of TIER1 on that day is stored or proven empty. A newer
revision of the day starts another run, which replaces the file of the older one; a revision that comes twice
changes nothing. Other tiers and intervals are skipped. Copy it into your Airflow `dags` folder to try it.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from airflow.sdk import PartitionedAssetTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv_airflow.verified import VERIFIED, verified_day

FOLDER = Path(os.environ.get("RETURNS_FOLDER", tempfile.gettempdir()))

RETURNS = """
SELECT ticker, first(open) opened, last(close) closed, count() candles
FROM ohlcv
WHERE interval = %(interval)s AND ts >= %(start)s AND ts < %(end)s
"""


@task(multiple_outputs=False)
def compute_returns(*, dag_run: Any = None) -> dict[str, float]:
    """Write the return of each ticker on the day into a file of its own, with the day's revision."""
    key = dag_run.partition_key
    if not key.startswith("TIER1|60|"):
        raise AirflowSkipException(f"{key}: only the hours of TIER1 are wanted")
    day = verified_day(key)
    if day is None:
        raise AirflowSkipException(f"{key} is no longer complete: its next revision starts another run")
    file = FOLDER / f"returns-{day['day']}.json"
    if file.exists() and json.loads(file.read_text())["revision"] >= day["revision"]:
        raise AirflowSkipException(f"{key} revision {day['revision']} is computed already")
    span = {"interval": str(day["interval"]), "start": day["start"], "end": day["end"]}
    rows = [row for row in QuestDBHook().client().query(RETURNS, span) if row[0] in day["tickers"]]
    if sum(candles for *_, candles in rows) != day["candles"]:
        raise RuntimeError(f"{key} has changed while it was read; the next try reads it again")
    returns = {ticker: closed / opened - 1 for ticker, opened, closed, _ in rows}
    # Both at once, so that no crash leaves a file with another revision than its returns.
    written = file.with_suffix(".part")
    written.write_text(json.dumps({"revision": day["revision"], "returns": returns}))
    written.replace(file)
    return returns


@dag(
    schedule=PartitionedAssetTimetable(assets=VERIFIED),
    catchup=False,
    max_active_runs=1,  # two revisions of a day one after the other
    is_paused_upon_creation=False,  # a paused DAG misses events
    default_args={"retries": 2},
    tags=["example"],
    doc_md=__doc__,
)
def returns_of_verified_days() -> None:
    """One task per day and revision."""
    compute_returns()


returns_of_verified_days()
