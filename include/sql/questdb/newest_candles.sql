{#- QuestDB. The newest candle of every series of one interval.
    Template: params.interval_minutes. Columns: ticker, last_s (open time, epoch seconds). -#}
SELECT
    ticker,
    ts::long / 1000000L last_s
FROM ohlcv
WHERE interval = '{{ params.interval_minutes | int }}'
LATEST ON ts PARTITION BY ticker
