"""Names shared by DAGs, domain, sandbox and tests: connections, pool, tables, settings."""

import os
from typing import Final

KRAKEN_CONN_ID: Final = "kraken_default"
QUESTDB_CONN_ID: Final = "questdb_default"
LEDGER_CONN_ID: Final = "ohlcv_postgres"
SLACK_WEBHOOK_CONN_ID: Final = "slack_alerts"
SLACK_API_CONN_ID: Final = "slack_api"
SEAL_KEY_CONN_ID: Final = "ohlcv_seal_key"
METRICS_CONN_ID: Final = "ohlcv_metrics"
HEARTBEAT_CONN_ID: Final = "heartbeat"

POOL_ENV: Final = "OHLCV_POOL"
"""Environment variable with the name of the pool, the same in all processes of an Airflow."""
KRAKEN_POOL: Final = os.environ.get(POOL_ENV) or "kraken_api"
KRAKEN_POOL_DESCRIPTION: Final = (
    "Tasks that call Kraken, one at a time; the rate itself is kept by the limiter in PostgreSQL"
)

CANDLE_TABLE: Final = "ohlcv"

ASSETS_FILE_ENV: Final = "OHLCV_ASSETS_FILE"
"""Environment variable with the path of the catalogue; without it ``include/assets.yaml`` is read."""

APPROVAL_HOURS_ENV: Final = "OHLCV_APPROVAL_HOURS"
"""How long a run waits for the approval of calls beyond its threshold."""

DAG_PREFIX_ENV: Final = "OHLCV_DAG_PREFIX"
"""Environment variable with what all DAG ids begin with; without it they begin with nothing more."""

CANDLES_URL_ENV: Final = "OHLCV_CANDLES_URL"
"""Environment variable with the URL of QuestDB for those who read without Airflow."""
LEDGER_URL_ENV: Final = "OHLCV_LEDGER_URL"
"""Environment variable with the URL of the ledger's database for those who read without Airflow."""

KRAKEN_ARCHIVE_CONN_ID: Final = "kraken_archive"

ARCHIVE_FOLDER_ENV: Final = "OHLCV_ARCHIVE_FOLDER"
"""Environment variable with the folder of the user's archive files, which are only ever read."""
ARCHIVE_WORK_FOLDER_ENV: Final = "OHLCV_ARCHIVE_WORK_FOLDER"
"""Environment variable with a folder of our own for reject files, downloads and files under way; without it
``ohlcv-archive`` below the system's temporary folder."""
