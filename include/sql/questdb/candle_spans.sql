{#- QuestDB. Oldest and newest stored candle of the series of one interval.
    Template: n_tickers (0 = all). In: interval (minutes as text), until_us (epoch microseconds, exclusive),
    ticker_N = N-th ticker. Out: ticker, first_s, last_s (open times, epoch seconds). -#}
SELECT
    ticker,
    min(ts)::long / 1000000L first_s,
    max(ts)::long / 1000000L last_s
FROM ohlcv
WHERE interval = %(interval)s
    AND ts < %(until_us)s
    {%- if n_tickers %}
    AND ticker IN ({% for n in range(n_tickers) %}%(ticker_{{ n }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
