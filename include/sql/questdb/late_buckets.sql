{#- QuestDB. Which buckets of the series of one interval were stored too late, many in a row of the result. Blocks and
    bits as in stored_buckets.sql. A bucket is due with the first tick later than its close, and the ticks lie at equal
    distances; a candle without stored_at was stored before records began, and is never late.
    Template: n_tickers (0 = all). In: interval (minutes as text), step_us and block_us (length of
    a bucket and of a block), from_us, until_us (open times, half-open), tick_us (a tick that is not after the first
    close), pause_us (from one tick to the next), allowed_us (how long after its tick a bucket is in time), all in
    microseconds; ticker_N = N-th ticker. Out: ticker, block (number since the epoch), bits. -#}
SELECT
    ticker,
    ts::long / %(block_us)s block,
    sum(power(2, (ts::long %% %(block_us)s) / %(step_us)s))::long bits
FROM ohlcv
WHERE interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    AND ts::long %% %(step_us)s = 0
    AND stored_at::long
    > %(tick_us)s + ((ts::long + %(step_us)s - %(tick_us)s) / %(pause_us)s + 1) * %(pause_us)s + %(allowed_us)s
    {%- if n_tickers %}
    AND ticker IN ({% for n in range(n_tickers) %}%(ticker_{{ n }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
