"""Drivers of what lies outside: the exchange, QuestDB, the archive, PostgreSQL; built from plain URLs and logins."""
