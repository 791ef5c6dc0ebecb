
SELECT
    ticker,
    '60' interval,
    min(ts)::long / 1000000L first_s,
    max(ts)::long / 1000000L last_s,
    count() n,
    max(ts::long %% 3600000000L) off_grid_us
FROM ohlcv
WHERE interval = '60'
    AND ts < %(until)s
    AND ticker IN (%(ticker_0)s, %(ticker_1)s)
