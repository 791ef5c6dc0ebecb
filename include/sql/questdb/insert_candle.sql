-- QuestDB. Store one candle; DEDUP makes it an upsert by (ts, ticker, interval).
-- In: ts_us (open time, epoch microseconds), ticker, interval (minutes as text), the candle's columns, stored_us (epoch
-- microseconds, or null).
INSERT INTO ohlcv (ts, ticker, interval, open, high, low, close, vwap, volume, trades, source, stored_at)
VALUES (
    %(ts_us)s,
    %(ticker)s,
    %(interval)s,
    %(open)s,
    %(high)s,
    %(low)s,
    %(close)s,
    %(vwap)s,
    %(volume)s,
    %(trades)s,
    %(source)s,
    %(stored_us)s
)
