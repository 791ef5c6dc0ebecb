"""Operator whose rendered freshness statement shows in the UI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from kraken_ohlcv.core.wording import counted
from kraken_ohlcv_airflow.connections import questdb
from kraken_ohlcv_airflow.step_errors import recording_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class NewestCandlesOperator(BaseOperator):
    """Find the newest candle of every series of an interval, in one statement.

    :param sql: the statement, or its file; a template rendered with the run's params
    """

    template_fields: Sequence[str] = ("sql",)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 (declared without ClassVar by Airflow)
    ui_color = "#d9ead3"

    def __init__(self, *, sql: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql = sql

    def execute(self, context: Context) -> dict[str, int]:
        """Run the statement.

        :param context: Airflow's task context
        :return: open time of the newest candle, epoch seconds UTC, by ticker
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        """
        del context
        with recording_errors():
            newest = dict(questdb().query(self.sql))
        self.log.info("found the newest candle of %s", counted(len(newest), "series"))
        return newest
