"""Drivers of the exchange, its archive, QuestDB and PostgreSQL, made from plain URLs and logins."""
