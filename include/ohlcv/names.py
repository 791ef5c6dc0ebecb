"""Names shared by DAGs, domain, sandbox and tests: connections, pool, tables, settings."""

from typing import Final

KRAKEN_CONN_ID: Final = "kraken_default"
QUESTDB_CONN_ID: Final = "questdb_default"
LEDGER_CONN_ID: Final = "ohlcv_postgres"
SLACK_WEBHOOK_CONN_ID: Final = "slack_alerts"
SLACK_API_CONN_ID: Final = "slack_api"

KRAKEN_POOL: Final = "kraken_api"

CANDLE_TABLE: Final = "ohlcv"

ASSETS_FILE_ENV: Final = "OHLCV_ASSETS_FILE"
"""Environment variable with the path of the catalogue; without it ``include/assets.yaml`` is read."""
