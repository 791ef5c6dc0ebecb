{#- QuestDB. Which candles of a series in a range are of a source, many in a row of the result, by the moment of the
    write that stored them. Blocks and bits as in stored_buckets.sql.
    Template: is_without_vwap (only those without one). In: ticker, interval (minutes as text), former (the source),
    step_us and block_us (length of a bucket and of a block, microseconds), from_us, until_us (epoch microseconds,
    half-open). Out: stored_us (epoch microseconds, or null), block (number since the epoch), bits. -#}
SELECT
    stored_at::long stored_us,
    ts::long / %(block_us)s block,
    sum(power(2, (ts::long %% %(block_us)s) / %(step_us)s))::long bits
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND source = %(former)s
    {%- if is_without_vwap %}
    AND vwap IS NULL
    {%- endif %}
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    AND ts::long %% %(step_us)s = 0
