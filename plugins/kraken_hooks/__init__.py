"""Hooks for Kraken's public REST API and for QuestDB, with the rate limit all processes share."""
