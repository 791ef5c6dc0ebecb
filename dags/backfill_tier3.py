"""Backfill TIER3, when the plan says; to repair past days use `repair_range`, not Airflow's *Backfill*.

This DAG is there while `tiers` in the file of the plan (`include/assets.yaml`) gives TIER3 a schedule.
Finds every missing candle of its assets at their intervals, fetches what Kraken's OHLC call still serves
(the newest 720 of each series), rebuilds older ones from trades within a budget of calls, proves what is
empty, and records the rest.

* **Reads** Kraken (Time, SystemStatus, AssetPairs, one OHLC call a series with gaps, Trades for older gaps),
  with `archive` in `repair_from` Kraken's archive too; QuestDB `ohlcv`; the ledger.
* **Writes** `ohlcv`; in PostgreSQL `gap_records`, `gap_outcomes`, `coverage_months`, `candle_restatements`,
  and where a walk through trades stands (docs/REPAIR.md). **Emits** an event of asset `kraken_ohlcv`, and of
  `kraken_ohlcv_verified` per day that is verified (docs/COMPLETENESS.md).
* **Run it by hand** with `airflow dags trigger backfill_tier3`, or with other params, which are those of the
  other backfills. A repeated run changes nothing.
* **When it fails**: task `verdict` says which gaps stayed open and why. Later runs try them again after
  1 hour, 1 day, 7 days; `--conf '{"retry_failed": true}'` tries them now.
* **Result**: the return value of task `result`.
"""

from functools import partial

from kraken_ohlcv_airflow.backfill import tier_dag

make = partial(tier_dag, "TIER3", priority=8, doc=__doc__)
dag = make()
