{#- QuestDB. How many candles of the series of one interval are stored in a range, by source; only those on the grid.
    Template: n_tickers (0 = all). In: interval (minutes as text), step_us (length of a bucket, microseconds),
    from_us, until_us (epoch microseconds, half-open), ticker_N = N-th ticker. Out: ticker, source, n. -#}
SELECT
    ticker,
    source,
    count() n
FROM ohlcv
WHERE interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    AND ts::long %% %(step_us)s = 0
    {%- if n_tickers == 1 %}
    AND ticker = %(ticker_0)s
    {%- elif n_tickers %}
    AND ticker IN ({% for n in range(n_tickers) %}%(ticker_{{ n }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
