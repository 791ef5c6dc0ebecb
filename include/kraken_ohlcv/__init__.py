"""Keeps Kraken candles in QuestDB complete, fresh and provably so; free of Airflow."""

__version__ = "0.1.0"
