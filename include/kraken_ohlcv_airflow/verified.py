"""Tasks that publish which days of a tier and interval are verified, and what their consumers need."""

from __future__ import annotations

import logging
from typing import Any, Final

from airflow.sdk import Asset, chain, get_current_context, task
from airflow.sdk.configuration import conf

from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.verified_day import DayKey
from kraken_ohlcv.core.wording import counted, named
from kraken_ohlcv_airflow.connections import patiently, questdb

log = logging.getLogger(__name__)

VERIFIED: Final = Asset(
    name="kraken_ohlcv_verified",
    uri="x-ohlcv://ohlcv_postgres/verified_days",
    extra={"description": "Days of a tier and interval whose candles are all there; an event per revision."},
)
"""Updated once per revision of a verified day, with its partition key (docs/COMPLETENESS.md)."""


@task
def verify_days(asked: Any) -> list[dict[str, Any]]:
    """Look at the days that have changed, and choose those whose revision is to be published.

    :param asked: what task ``ask_exchange`` returned: the exchange's time, epoch seconds UTC, or a mapping
        that has it as ``now_s``
    """
    # Arrays are slow to import, and every task instance imports this file.
    from kraken_ohlcv.completeness.verified_days import MAX_EVENTS, look_at_days  # noqa: PLC0415

    now_s = asked["now_s"] if isinstance(asked, dict) else asked
    params = get_current_context()["params"]
    back = ReportRequest.from_params(params) if "verified_since" in params else None
    at_most = min(MAX_EVENTS, conf.getint("core", "max_map_length"))
    found = patiently(
        lambda connection: look_at_days(connection, questdb(), now_s=now_s, at_most=at_most, asked=back)
    )
    if found:
        days = named([f"{one.key} #{one.revision} ({one.reason})" for one in found])
        log.info("%s to publish: %s", counted(len(found), "verified day"), days)
    else:
        log.info("no day to publish: none has become complete, or changed, since the last run")
    return [one.as_event() for one in found]


@task(map_index_template="{{ day['key'] }} #{{ day['revision'] }}", outlets=[VERIFIED])
def publish_day(day: dict[str, Any], *, outlet_events: Any = None) -> None:
    """Publish a revision of a day as an event of its partition.

    A task instance per day: Airflow gives all partitions of one instance the same ``extra``.
    """
    outlet_events[VERIFIED].add_partitions(day["key"])
    outlet_events[VERIFIED].extra = day


@task
def confirm_days(days: list[dict[str, Any]]) -> None:
    """Note that the days are published, so that no later run publishes these revisions again."""
    from kraken_ohlcv.stores.ledger.verified_days import confirm  # noqa: PLC0415

    published = {DayKey.parse(day["key"]): day["revision"] for day in days}
    patiently(lambda connection: confirm(connection, published))


def publish_verified_days(asked: Any, after: Any) -> None:
    """Add to a DAG the tasks that publish the days which are verified.

    :param asked: what its task ``ask_exchange`` returns
    :param after: task behind which all candles of the run are stored
    """
    days: Any = verify_days(asked)
    published = publish_day.expand(day=days)
    chain(after, days, published, confirm_days(days))


def verified_day(key: str) -> dict[str, Any] | None:
    """Return a day of a tier and interval that is complete at this moment, counted in the stores.

    For your own tasks: an event may wait for hours, and a candle may have vanished meanwhile.

    :param key: partition key, for example ``TIER1|60|2026-11-27``
    :return: what the event of its newest revision says (docs/COMPLETENESS.md); None when the day is not
        complete: as soon as it is, an event says so
    :raises BadRequestError: if it is no such key
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    from kraken_ohlcv.completeness.verified_days import still_complete  # noqa: PLC0415

    asked = DayKey.parse(key)
    found = patiently(lambda connection: still_complete(connection, questdb(), asked))
    return None if found is None else found.as_event()
