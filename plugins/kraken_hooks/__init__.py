"""Hooks for Kraken's public REST API and for QuestDB, with the rate limit all processes share."""

__version__ = "0.1.0"
