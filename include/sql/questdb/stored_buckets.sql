{#- QuestDB. Which buckets of the series of one interval are stored, many in a row of the result.
    A block is a run of consecutive buckets, aligned to the epoch and at most 52 long, so that the sum of powers
    of two below, exact up to 2^53, holds one bit a bucket: DEDUP lets no bucket count twice. All in one SELECT:
    QuestDB groups a subquery by a single worker.
    Template: params.tickers (list or none: then all). In: interval (minutes as text), step_us and block_us
    (length of a bucket and of a block, microseconds), from_us, until_us (epoch microseconds, half-open),
    ticker_N = N-th ticker. One ticker is compared with =: IN with a single parameter takes five times as long.
    Out: ticker, block (number since the epoch), bits (bit k = k-th bucket of the block), off_grid (candles that do
    not open on the grid). -#}
SELECT
    ticker,
    ts::long / %(block_us)s block,
    sum(
        CASE WHEN ts::long %% %(step_us)s = 0 THEN power(2, (ts::long %% %(block_us)s) / %(step_us)s) ELSE 0.0 END
    )::long bits,
    sum(CASE WHEN ts::long %% %(step_us)s = 0 THEN 0 ELSE 1 END) off_grid
FROM ohlcv
WHERE interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    {%- if params.tickers and params.tickers | length == 1 %}
    AND ticker = %(ticker_0)s
    {%- elif params.tickers %}
    AND ticker IN ({% for _ in params.tickers %}%(ticker_{{ loop.index0 }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
