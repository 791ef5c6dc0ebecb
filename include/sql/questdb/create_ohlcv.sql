-- QuestDB. Candle table: one row a traded candle; ts = open time, UTC; interval = minutes as text.
-- stored_at = moment of the write that made the row what it is, by the ledger's clock, UTC; empty = before records began.
-- DEDUP makes a repeated write of the same candle a no-op; the source is a column, never part of the key.
CREATE TABLE IF NOT EXISTS ohlcv (
    ts TIMESTAMP,
    ticker SYMBOL,
    interval SYMBOL,
    open DOUBLE,
    high DOUBLE,
    low DOUBLE,
    close DOUBLE,
    vwap DOUBLE,
    volume DOUBLE,
    trades LONG,
    source SYMBOL,
    stored_at TIMESTAMP
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, ticker, interval)
