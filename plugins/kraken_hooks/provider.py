"""Provider info: makes Airflow's connection form know the types ``kraken`` and ``questdb``."""

from __future__ import annotations

from typing import Any

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
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "password", "port", "schema"],
                    "relabeling": {"host": "Base URL"},
                    "placeholders": {"host": "https://api.kraken.com"},
                },
                "conn-fields": {
                    "min_interval_s": {
                        "label": "Seconds between two calls",
                        "description": "Enforced across all processes; Kraken allows one call per second.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": 1.0},
                    },
                    "timeout_s": {
                        "label": "Timeout of a call (s)",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": 30},
                    },
                    "max_clock_skew_s": {
                        "label": "Allowed clock difference (s)",
                        "description": "Largest difference at which Kraken's clock is accepted.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": 300},
                    },
                },
            },
            {
                "connection-type": "kraken_archive",
                "hook-class-name": "kraken_hooks.archive.ArchiveHook",
                "hook-name": "Kraken archive",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "password", "port", "schema"],
                    "relabeling": {"host": "Address of the files"},
                    "placeholders": {"host": "https://assets.kraken.com/marketing/institutions"},
                },
                "conn-fields": {
                    "timeout_s": {
                        "label": "Read timeout of the server (s)",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": 30},
                    },
                },
            },
            {
                "connection-type": "questdb",
                "hook-class-name": "kraken_hooks.questdb.QuestDBHook",
                "hook-name": "QuestDB",
                "ui-field-behaviour": {
                    "relabeling": {"port": "PGWire port", "schema": "Database"},
                    "placeholders": {"port": "8812", "schema": "qdb", "login": "admin"},
                },
                "conn-fields": {
                    "http_port": {
                        "label": "HTTP port",
                        "description": "For bulk loads over ILP.",
                        "schema": {
                            "type": ["integer", "null"],
                            "minimum": 1,
                            "maximum": 65535,
                            "default": 9000,
                        },
                    },
                    "http_login": {
                        "label": "HTTP login",
                        "description": "If HTTP has another login than PGWire.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "http_password": {
                        "label": "HTTP password",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "apply_timeout_s": {
                        "label": "Write apply timeout (s)",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": 30},
                    },
                    "statement_timeout_s": {
                        "label": "Statement timeout (s)",
                        "description": "Applies even when the server hangs.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": 120},
                    },
                },
            },
        ],
    }
