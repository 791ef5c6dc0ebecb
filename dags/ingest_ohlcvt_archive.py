"""Ingest Kraken's OHLCVT archive, by hand; name what you want by `quarter` or `path`, not with *Backfill*.

Reads CSVs of Kraken's archive (loose, in folders, in the full or a quarterly zip), checks every row, stores
the candles that are missing or corrected, and closes the gaps they fill, also those past the API's edge that
wait for a `required_csv_file`. Successor of the command `ingest_sequential --tier TIER1 --intervals 60`.

* **Run it by hand** with `airflow dags trigger ingest_ohlcvt_archive --conf '{"path": "XBTUSD_60.csv"}'`, or
  `'{"path": ".", "tier": "TIER1", "intervals": [60]}'`, or `'{"quarter": "2026Q2", "tickers": ["XBTUSD"]}'`,
  which fetches only what it needs; `"quarter": "full"` is the newest full release. Paths are below
  `OHLCV_ARCHIVE_FOLDER`; its files are never moved, changed or deleted.
* **Reads** the archive folder, with the checksums in it, or, by HTTP Range, the connection
  `kraken_archive`; QuestDB `ohlcv`; the ledger; one answer of the exchange per file, where nothing else tells
  whose candles it holds.
* **Writes** `ohlcv`; in PostgreSQL `archive_files`, `archive_findings`, `archive_results`, `gap_records`,
  `gap_outcomes`, `coverage_months`, `candle_restatements`; reject files into `OHLCV_ARCHIVE_WORK_FOLDER`.
  **Emits** events of assets `kraken_ohlcv` and `kraken_ohlcv_verified`, as backfills do.
* **Rerun it** whenever you like: a file of the same content is not read again, stored rows are not
  written again. After a crash the next run does what is left.
* **When it fails**: task `verdict` says which file was refused and why; bad rows are named, line by line, in
  the reject file. Try first with `"dry_run": true`.
* **Result**: the return value of task `result`; `files_unverified` names files that nothing could be compared
  with, which prove nothing. A release that is not published yet is no failure.
"""

from airflow.sdk import chain

from kraken_ohlcv.core.schedules import INGEST_ARCHIVE
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv_airflow.archive import ask_exchange, find_files, ingest, publish, result, watch
from kraken_ohlcv_airflow.defaults import candle_dag
from kraken_ohlcv_airflow.tasks import notify, prepare, verdict
from kraken_ohlcv_airflow.verified import publish_verified_days


@candle_dag(
    INGEST_ARCHIVE,
    title="Ingest Kraken's archive",
    description="Stores candles of Kraken's OHLCVT archive, and closes the gaps that they fill.",
    kind="archive",
    priority=5,
    schemas=ArchiveRequest.schemas(),
    doc=__doc__,
)
def ingest_ohlcvt_archive() -> None:
    """Find the files, ingest each, and report."""
    clock, work = ask_exchange(), find_files()
    summary = result()
    chain(prepare(is_storing=True), clock, work, ingest.expand(work=work), summary)

    chain(summary, [publish(), verdict(summary)])
    publish_verified_days(clock, summary)
    chain(summary, watch(), notify().as_teardown())


dag = ingest_ohlcvt_archive()
