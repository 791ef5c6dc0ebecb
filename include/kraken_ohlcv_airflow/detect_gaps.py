"""Operator whose rendered detection statement shows in the UI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.scan import HOLES, SPANS, Scanner, worth_naming
from kraken_ohlcv_airflow.connections import ledger, questdb, run_key
from kraken_ohlcv_airflow.step_errors import recording_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class DetectGapsOperator(BaseOperator):
    """Find what each series of the run is missing, and bring the ledger up to date.

    The rendered statements show in the UI: ``spans_sql`` counts, ``sql`` finds the holes. After the task they
    are those that were sent: they name the tickers of the tier, and ``sql`` those with missing candles, where
    these are few.
    """

    template_fields: Sequence[str] = ("spans_sql", "sql")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"spans_sql": "sql", "sql": "sql"}  # noqa: RUF012 (no ClassVar in Airflow)
    overwrite_rtif_after_execution = True
    ui_color = "#d9ead3"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spans_sql, self.sql = f"{SPANS}.sql", f"{HOLES}.sql"

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
        store = questdb()
        with ledger() as connection:
            now_s = opened(connection, run).now_s
            assets = read_assets(connection, tickers=request.tickers, tier=request.tier)
            known = read_assets(connection, tickers=None, tier="ALL")
            named = worth_naming([asset.ticker for asset in assets], n_known=len(known))
            tickers = request.tickers or named
            scan = Scanner.of(store, intervals=request.intervals, tickers=tickers, until_s=now_s)
            selection = detect(connection, store, run, request, assets, scan, now_s=now_s)
        self.spans_sql, self.sql = scan.spans_sql, scan.holes_sql
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
