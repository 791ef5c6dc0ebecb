-- QuestDB. Candle table: one row a traded candle; ts = open time, UTC; interval = minutes as text.
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
    source SYMBOL
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, ticker, interval)
