-- QuestDB. Give the candle table of an earlier version the moments of its writes; those it holds have none.
ALTER TABLE ohlcv ADD COLUMN IF NOT EXISTS stored_at TIMESTAMP
