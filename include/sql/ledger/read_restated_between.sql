-- PostgreSQL. Open times of the candles for which the exchange gave other values, applied or seen once.
-- In: tickers (text[]), interval_minutes, from_s, until_s (epoch seconds, half-open). Out: ticker, ts_s.
SELECT DISTINCT
    ticker,
    extract(epoch FROM ts)::bigint AS ts_s
FROM candle_restatements
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = %(interval_minutes)s
    AND ts >= to_timestamp(%(from_s)s)
    AND ts < to_timestamp(%(until_s)s)
