"""Operator whose rendered detection statement shows in the UI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv_airflow.connections import ledger, questdb, run_key
from kraken_ohlcv_airflow.step_errors import recording_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class DetectGapsOperator(BaseOperator):
    """Find what each series of the run is missing, and bring the ledger up to date.

    The rendered statements show in the UI: ``counts_sql`` counts the months that have changed, ``sql`` reads
    which buckets are stored where the ledger does not know it.
    """

    template_fields: Sequence[str] = ("counts_sql", "sql")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"counts_sql": "sql", "sql": "sql"}  # noqa: RUF012 (no ClassVar in Airflow)
    ui_color = "#d9ead3"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.counts_sql, self.sql = "count_candles.sql", "stored_buckets.sql"

    @recording_errors()
    def execute(self, context: Context) -> dict[str, int]:
        """Run the statements and reconcile every series.

        :param context: Airflow's task context
        :return: how many series were processed, skipped, and could not be judged
        :raises RunFailedError: if the run was never opened
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        """
        # Arrays are slow to import, and every task instance imports this file.
        from kraken_ohlcv.backfill import opened  # noqa: PLC0415
        from kraken_ohlcv.detection.detect import detect  # noqa: PLC0415

        run = run_key(context)
        request = BackfillRequest.from_params(context["params"])
        with ledger() as connection:
            now_s = opened(connection, run).now_s
            assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
            selection = detect(connection, questdb(), run, request, assets, now_s=now_s)
        for skipped in selection.skipped:
            self.log.warning("skipped, newest candle older than the lookback: %s", skipped)
        for ticker in selection.unknown:
            self.log.warning("never listed by Kraken: %s", ticker)
        for ticker in selection.delisted:
            self.log.warning("was delisted by Kraken: %s", ticker)
        for error in selection.errors:
            self.log.error("%s", error)
        return {
            "series_processed": len(selection.starts),
            "series_skipped": len(selection.skipped),
            "series_in_error": len(selection.errors),
        }
