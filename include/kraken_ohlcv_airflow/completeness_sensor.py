"""For your own DAGs: wait until candles are complete, or insist that they are (docs/COMPLETENESS.md)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout

from kraken_ohlcv.clients.errors import QuestDBUnavailableError
from kraken_ohlcv.core.intervals import check_served
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.detection.clock import ask_clock
from kraken_ohlcv_airflow.connections import kraken, ledger, questdb

if TYPE_CHECKING:
    from airflow.sdk import Context

POKE_INTERVAL: Final = timedelta(minutes=5)
TIMEOUT: Final = timedelta(hours=2)


class NotCompleteError(AirflowSensorTimeout):
    """Candles were not complete in time; the message names the series with missing ones."""


class CompletenessSensor(BaseSensorOperator):
    """Wait until every candle of a tier that is due is stored or proven empty.

    It counts in the stores at each look, whatever reports have said, and holds no worker in between. Stores
    that do not answer are waited for, too.

    :param tier: active assets of this tier, or ``ALL``; a template
    :param interval: candle length, minutes
    :param since: from when on, ISO text or time, UTC without an offset; a template
    :param tickers: these assets instead of the tier's
    :param kwargs: of :class:`airflow.sdk.BaseSensorOperator`; ``timeout=0`` looks once
    :raises ValueError: if there is no such interval
    """

    template_fields: Sequence[str] = ("tier", "since", "tickers")
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        tier: str,
        interval: int,
        since: str | datetime,
        tickers: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_served(interval)
        self.tier = tier
        self.interval = interval
        self.since = since
        self.tickers = tickers
        self._lacking = ""

    def execute(self, context: Context) -> Any:
        """Look until candles are complete.

        :param context: Airflow's task context
        :return: figures of the series together
        :raises NotCompleteError: if they are not in time; names what is missing
        :raises BadRequestError: if there is no such asset, or ``since`` is no time in the past
        """
        try:
            return super().execute(context)
        except AirflowSensorTimeout:
            raise NotCompleteError(self._lacking) from None

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once."""
        # Arrays are slow to import, and DAG files import this one.
        from kraken_ohlcv.completeness.require import ask, parse_since  # noqa: PLC0415

        del context
        since_s = parse_since(self.since)
        try:
            with ledger() as connection:
                clock = ask_clock(connection, kraken(), time.time)
                answer = ask(
                    connection,
                    questdb(),
                    tier=self.tier,
                    interval_minutes=self.interval,
                    since_s=since_s,
                    tickers=self.tickers,
                    now_s=clock.now_s,
                )
        except (psycopg.OperationalError, QuestDBUnavailableError) as error:
            self._lacking = f"cannot determine whether candles are complete: {' '.join(str(error).split())}"
            self.log.warning("%s", self._lacking)
            return False
        self.log.info("%s", answer.sentence)
        if answer.is_complete:
            return PokeReturnValue(is_done=True, xcom_value=answer.figures)
        self._lacking = answer.sentence
        return False


def require_complete(
    tier: str,
    interval: int,
    since: str | datetime,
    *,
    tickers: Sequence[str] | None = None,
    timeout: timedelta = TIMEOUT,
    task_id: str = "require_complete",
    **kwargs: Any,
) -> CompletenessSensor:
    """Return a task that succeeds when candles are complete, for the tasks that need them to follow.

    :param tier: active assets of this tier, or ``ALL``
    :param interval: candle length, minutes
    :param since: from when on, ISO text, time or template, UTC without an offset
    :param tickers: these assets instead of the tier's
    :param timeout: how long to wait; ``timedelta(0)`` insists that they are complete now
    :param task_id: of the task
    :param kwargs: other arguments of the sensor, for example ``poke_interval``
    :return: the task; its return value has the figures
    :raises ValueError: if there is no such tier or interval
    """
    if "{{" not in tier and tier not in {*TIERS, "ALL"}:
        raise ValueError(f"tier {tier!r} is not one of {', '.join(TIERS)}, ALL")
    return CompletenessSensor(
        task_id=task_id,
        tier=tier,
        interval=interval,
        since=since,
        tickers=tickers,
        timeout=timeout,
        **{"mode": "reschedule", "poke_interval": POKE_INTERVAL, **kwargs},
    )
