-- QuestDB. Give the provisional candles of a series in a range the source archive. The write is readable later.
-- In: ticker, interval (minutes as text), provisional, archive (the sources), from_us, until_us (epoch
-- microseconds, half-open).
UPDATE ohlcv
SET source = %(archive)s
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND source = %(provisional)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
