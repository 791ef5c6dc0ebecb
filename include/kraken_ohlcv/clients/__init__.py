"""Drivers of the exchange, its archive, QuestDB and PostgreSQL, made from plain URLs and logins."""

from typing import Final

from kraken_ohlcv import __version__

USER_AGENT: Final = f"kraken-ohlcv-airflow/{__version__}"
