"""The one table of DAGs: what Celery Beat ran, when, and with which arguments, and what people start."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from croniter import croniter

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.settings import DAG_PREFIX_ENV


def checked_prefix(prefix: str) -> str:
    """Return what DAG ids may begin with.

    :param prefix: for example ``acme_``
    :raises SetUpError: if Airflow takes no such ids
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{0,100}", prefix):
        raise SetUpError(
            f"{DAG_PREFIX_ENV} is {prefix!r}: use at most 100 letters, digits, dots, dashes and underscores"
        )
    return prefix


DAG_PREFIX: Final = checked_prefix(os.environ.get(DAG_PREFIX_ENV, ""))
"""The same in all processes of an Airflow: pages, deadlines and links find the DAGs by their ids."""


@dataclass(frozen=True, slots=True)
class BackfillScope:
    """What a scheduled backfill covers.

    :ivar tier: tier of the assets
    :ivar intervals: candle lengths, minutes
    :ivar lookback_days: series whose newest candle is older are skipped, days
    :ivar max_gaps_per_asset: gaps of one asset that may cause calls in a run
    """

    tier: str
    intervals: tuple[int, ...]
    lookback_days: int
    max_gaps_per_asset: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """One scheduled DAG.

    :ivar dag_id: DAG id: the prefix and the file name
    :ivar beat_entry: the Celery Beat entry it replaces
    :ivar cron: five-field cron, UTC
    :ivar deadline: a run not finished this long after it could begin is late; shorter than ``timeout``
    :ivar timeout: a run longer than this is stopped
    :ivar backfill: what it covers, for backfills
    """

    dag_id: str
    beat_entry: str
    cron: str
    deadline: timedelta
    timeout: timedelta
    backfill: BackfillScope | None = None


BACKFILL_TIER1: Final = Schedule(
    dag_id=f"{DAG_PREFIX}backfill_tier1_daily",
    beat_entry="backfill-tier1-daily",
    cron="0 2 * * *",
    deadline=timedelta(hours=2),
    timeout=timedelta(hours=6),
    backfill=BackfillScope(tier="TIER1", intervals=(60, 1440), lookback_days=7, max_gaps_per_asset=10),
)
BACKFILL_TIER2: Final = Schedule(
    dag_id=f"{DAG_PREFIX}backfill_tier2_daily",
    beat_entry="backfill-tier2-daily",
    cron="0 3 * * *",
    deadline=timedelta(hours=2),
    timeout=timedelta(hours=6),
    backfill=BackfillScope(tier="TIER2", intervals=(1440,), lookback_days=7, max_gaps_per_asset=10),
)

VALIDATE: Final = Schedule(
    dag_id=f"{DAG_PREFIX}validate_data_hourly",
    beat_entry="validate-data-hourly",
    cron="0 * * * *",
    deadline=timedelta(minutes=15),
    timeout=timedelta(minutes=45),
)
CLEANUP: Final = Schedule(
    dag_id=f"{DAG_PREFIX}cleanup_gap_records_weekly",
    beat_entry="cleanup-gap-records-weekly",
    cron="0 4 * * 0",
    deadline=timedelta(hours=1),
    timeout=timedelta(hours=3),
)
COMPLETENESS: Final = Schedule(
    dag_id=f"{DAG_PREFIX}completeness_report_daily",
    beat_entry="completeness-report-daily",
    cron="0 8 * * *",
    deadline=timedelta(minutes=30),
    timeout=timedelta(hours=2),
)


@dataclass(frozen=True, slots=True)
class Manual:
    """One DAG that only people start.

    :ivar dag_id: DAG id: the prefix and the file name
    :ivar deadline: a run not finished this long after it could begin is late; shorter than ``timeout``
    :ivar timeout: a run longer than this is stopped
    """

    dag_id: str
    deadline: timedelta
    timeout: timedelta


INGEST_ARCHIVE: Final = Manual(
    # A full release of all pairs takes hours.
    dag_id=f"{DAG_PREFIX}ingest_ohlcvt_archive",
    deadline=timedelta(hours=12),
    timeout=timedelta(hours=24),
)

MANUALS: Final = {entry.dag_id: entry for entry in (INGEST_ARCHIVE,)}
"""DAGs without a schedule; they are watched like the others."""

SCHEDULES: Final = {
    entry.dag_id: entry for entry in (BACKFILL_TIER1, BACKFILL_TIER2, CLEANUP, COMPLETENESS, VALIDATE)
}


@lru_cache(maxsize=4096)
def last_tick_before(cron: str, moment_s: int) -> int:
    """Return the newest tick of a schedule that is not after a moment.

    :param cron: five-field cron, UTC
    :param moment_s: epoch seconds UTC
    :return: epoch seconds UTC, <= ``moment_s``
    """
    # croniter's get_prev is exclusive; one second later makes a tick at the moment itself count.
    start = datetime.fromtimestamp(moment_s + 1, UTC)
    return int(croniter(cron, start).get_prev(float))


@lru_cache(maxsize=4096)
def next_tick_after(cron: str, moment_s: int) -> int:
    """Return the first tick of a schedule later than a moment.

    :param cron: five-field cron, UTC
    :param moment_s: epoch seconds UTC
    :return: epoch seconds UTC, > ``moment_s``
    """
    return int(croniter(cron, datetime.fromtimestamp(moment_s, UTC)).get_next(float))


def backfill_cron(tier: str, interval_minutes: int) -> str | None:
    """Return the schedule that repairs a series, if there is one.

    :param tier: the asset's tier
    :return: five-field cron, or None when no scheduled DAG covers tier and interval
    """
    for entry in SCHEDULES.values():
        scope = entry.backfill
        if scope is not None and scope.tier == tier and interval_minutes in scope.intervals:
            return entry.cron
    return None
