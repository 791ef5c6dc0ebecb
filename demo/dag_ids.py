"""Ids of the DAGs that the demo runs."""

from __future__ import annotations

TIER1_DAG = "backfill_tier1_daily"
TIER2_DAG = "backfill_tier2_daily"
VALIDATE_DAG = "validate_data_hourly"
REPORT_DAG = "completeness_report_daily"
CLEANUP_DAG = "cleanup_gap_records_weekly"
ARCHIVE_DAG = "ingest_ohlcvt_archive"
SLOW_DAG = "demo_slow_backfill"
"""A backfill that only the demo has, with seconds to finish in."""
ALL_DAGS = (TIER1_DAG, TIER2_DAG, VALIDATE_DAG, REPORT_DAG, CLEANUP_DAG, ARCHIVE_DAG, SLOW_DAG)
