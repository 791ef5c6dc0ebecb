"""The table per series that ends the result of a run, as far as the ledger answers."""

from __future__ import annotations

import psycopg

from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.repair.summary_text import series_table
from kraken_ohlcv_airflow.connections import patiently


def table_of(run: RunKey) -> list[str]:
    """Return what a run did to each series, a line each; nothing while the ledger does not answer.

    The result of the run names that error.

    :param run: the run
    """
    try:
        return patiently(lambda connection: series_table(connection, run))
    except psycopg.Error:
        return []
