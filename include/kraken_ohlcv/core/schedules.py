"""The one table of DAGs: what Celery Beat ran, when, and with which arguments, and what people start."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.settings import DAG_PREFIX_ENV
from kraken_ohlcv.core.tiers import GRACE_FACTOR, GRACE_S, SHIPPED, TierPlan


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
    """What a backfill covers when no param says otherwise.

    :ivar tier: tier of the assets
    :ivar plan: what the plan says of it
    """

    tier: str
    plan: TierPlan

    def params(self) -> dict[str, Any]:
        """Return the params of a run that names none."""
        return {
            "tier": self.tier,
            **self.plan.model_dump(mode="json", exclude={"schedule", "hours", "targets"}),
        }


@dataclass(frozen=True, slots=True)
class Schedule:
    """One DAG that has a schedule, or may have one.

    :ivar dag_id: DAG id: the prefix and the file name
    :ivar beat_entry: the Celery Beat entry it replaces, or None
    :ivar cron: five-field cron, UTC, or None = only people start it
    :ivar deadline: a run not finished this long after it could begin is late; shorter than ``timeout``
    :ivar timeout: a run longer than this is stopped
    :ivar backfill: what it covers, for backfills
    """

    dag_id: str
    beat_entry: str | None
    cron: str | None
    deadline: timedelta
    timeout: timedelta
    backfill: BackfillScope | None = None


BACKFILL_DAGS: Final[Mapping[str, str]] = {
    "TIER1": f"{DAG_PREFIX}backfill_tier1_daily",
    "TIER2": f"{DAG_PREFIX}backfill_tier2_daily",
    "TIER3": f"{DAG_PREFIX}backfill_tier3",
    "TIER4": f"{DAG_PREFIX}backfill_tier4",
}
"""Ids never change, whatever the schedule; the last two are there while the plan schedules their tier."""
ALWAYS_THERE: Final = ("TIER1", "TIER2")

BEAT_ENTRIES: Final = {"TIER1": "backfill-tier1-daily", "TIER2": "backfill-tier2-daily"}

DEADLINE: Final = timedelta(hours=2)
TIMEOUT_DEADLINES: Final = 3
"""A run is stopped after so many times its deadline."""


def backfill_of(tier: str, plan: TierPlan, *, n_calls: int = 0) -> Schedule:
    """Return the backfill DAG of a tier.

    :param tier: ``TIER1`` .. ``TIER4``
    :param n_calls: calls that a run may need; more than an hour of them move the deadline
    """
    deadline = max(DEADLINE, timedelta(seconds=round(GRACE_S + GRACE_FACTOR * n_calls)))
    return Schedule(
        dag_id=BACKFILL_DAGS[tier],
        beat_entry=BEAT_ENTRIES.get(tier),
        cron=plan.schedule,
        deadline=deadline,
        timeout=TIMEOUT_DEADLINES * deadline,
        backfill=BackfillScope(tier, plan),
    )


def has_dag(tier: str, plan: TierPlan) -> bool:
    """Return whether a tier has a backfill DAG of its own.

    :param tier: ``TIER1`` .. ``TIER4``
    """
    return tier in ALWAYS_THERE or plan.schedule is not None


BACKFILL_TIER1: Final = backfill_of("TIER1", SHIPPED["TIER1"])
BACKFILL_TIER2: Final = backfill_of("TIER2", SHIPPED["TIER2"])
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
"""The DAGs with a schedule as shipped: those of Celery Beat."""
