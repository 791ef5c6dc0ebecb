"""The plugin of a checkout whose installed distribution does not bring it by an entry point yet.

Airflow takes every plugin class of a file in this folder, and reports a second plugin of the same name.
"""

from __future__ import annotations

from importlib.metadata import entry_points

PLUGIN = "kraken_ohlcv_airflow.plugin:OhlcvPlugin"

if PLUGIN not in [entry.value for entry in entry_points(group="airflow.plugins")]:
    from kraken_ohlcv_airflow.plugin import OhlcvPlugin  # noqa: F401 (Airflow looks for it)
