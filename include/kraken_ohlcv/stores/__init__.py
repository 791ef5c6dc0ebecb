"""Candles in QuestDB and the ledger in PostgreSQL: read, written, proven, kept in shape."""
