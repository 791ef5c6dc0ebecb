-- QuestDB. Days on which the daily candle is not what the stored hourly ones add up to.
-- In: until_us (epoch microseconds, exclusive, on the grid of days); volumes may differ by volume_least and the
-- share volume_share of the daily one. Out: ticker, day_s (epoch seconds), then of open, high, low, close, volume
-- and trades the hourly and the daily value.
SELECT
    d.ticker ticker,
    d.ts::long / 1000000L day_s,
    h.open hourly_open,
    d.open daily_open,
    h.high hourly_high,
    d.high daily_high,
    h.low hourly_low,
    d.low daily_low,
    h.close hourly_close,
    d.close daily_close,
    h.volume hourly_volume,
    d.volume daily_volume,
    h.trades hourly_trades,
    d.trades daily_trades
FROM (
    SELECT ts, ticker, open, high, low, close, volume, trades
    FROM ohlcv
    WHERE interval = '1440' AND ts < %(until_us)s
) d
JOIN (
    SELECT
        timestamp_floor('1d', ts) day,
        ticker,
        first(open) open,
        max(high) high,
        min(low) low,
        last(close) close,
        sum(volume) volume,
        sum(trades) trades
    FROM ohlcv
    WHERE interval = '60' AND ts < %(until_us)s
) h ON h.ticker = d.ticker AND h.day = d.ts
WHERE h.open <> d.open
    OR h.high <> d.high
    OR h.low <> d.low
    OR h.close <> d.close
    OR h.trades <> d.trades
    OR abs(h.volume - d.volume) > %(volume_least)s + %(volume_share)s * d.volume
