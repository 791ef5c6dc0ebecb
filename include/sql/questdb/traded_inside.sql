{#- QuestDB. In which buckets of one length shorter candles of a ticker are stored, many in a row of the result.
    Blocks and bits as in stored_buckets.sql.
    Template: n_intervals. In: ticker, interval_N = N-th shorter interval (minutes as text), step_us and block_us
    (length of a bucket and of a block, microseconds), from_us, until_us (epoch microseconds, half-open).
    Out: block (number since the epoch), bits (bit k = k-th bucket of the block). -#}
SELECT
    block,
    sum(power(2, bucket))::long bits
FROM (
    SELECT DISTINCT
        ts::long / %(block_us)s block,
        (ts::long %% %(block_us)s) / %(step_us)s bucket
    FROM ohlcv
    WHERE ticker = %(ticker)s
        AND interval IN ({% for n in range(n_intervals) %}%(interval_{{ n }})s{{ ", " if not loop.last }}{% endfor %})
        AND ts >= %(from_us)s
        AND ts < %(until_us)s
)
