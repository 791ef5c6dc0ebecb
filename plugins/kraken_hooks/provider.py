"""Provider info: Airflow's connection form offers our types, and OpenLineage learns what our assets are."""

from __future__ import annotations

from typing import Any

from kraken_hooks.connection_fields import ArchiveExtra, KrakenExtra, QuestDBExtra
from kraken_ohlcv import __version__


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow's provider discovery asks for (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "kraken-ohlcv-airflow",
        "name": "Kraken OHLCV",
        "description": "Kraken's public REST API and QuestDB as a store of candles.",
        "versions": [__version__],
        "connection-types": [
            {
                "connection-type": "kraken",
                "hook-class-name": "kraken_hooks.kraken.KrakenHook",
                "hook-name": "Kraken",
                "ui-field-behaviour": _address("Base URL", "https://api.kraken.com"),
                "conn-fields": KrakenExtra.form_fields(),
            },
            {
                "connection-type": "kraken_archive",
                "hook-class-name": "kraken_hooks.archive.ArchiveHook",
                "hook-name": "Kraken archive",
                "ui-field-behaviour": _address(
                    "Address of the files", "https://assets.kraken.com/marketing/institutions"
                ),
                "conn-fields": ArchiveExtra.form_fields(),
            },
            {
                "connection-type": "questdb",
                "hook-class-name": "kraken_hooks.questdb.QuestDBHook",
                "hook-name": "QuestDB",
                "ui-field-behaviour": {
                    "relabeling": {"port": "PGWire port", "schema": "Database"},
                    "placeholders": {"port": "8812", "schema": "qdb", "login": "admin"},
                },
                "conn-fields": QuestDBExtra.form_fields(),
            },
        ],
        "asset-uris": [
            {
                "schemes": ["x-questdb", "x-ohlcv"],
                "handler": None,
                "to_openlineage_converter": "kraken_ohlcv_airflow.lineage.asset_as_dataset",
            },
        ],
    }


def _address(label: str, example: str) -> dict[str, Any]:
    """Return the form of a connection whose host is an address, and which has no login."""
    return {
        "hidden-fields": ["login", "password", "port", "schema"],
        "relabeling": {"host": label},
        "placeholders": {"host": example},
    }
