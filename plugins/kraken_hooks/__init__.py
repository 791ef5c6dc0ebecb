"""Hooks: Airflow connections become clients of Kraken, its archive and QuestDB."""
