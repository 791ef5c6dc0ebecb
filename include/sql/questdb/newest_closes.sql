-- QuestDB. Closes of the newest stored candles of one series in a range.
-- In: ticker, interval (minutes as text), from_us, until_us (epoch microseconds, half-open), n (how many).
-- Out: ts_s (epoch seconds), close.
SELECT
    ts::long / 1000000L ts_s,
    close
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
ORDER BY ts DESC
LIMIT %(n)s
