{#- QuestDB. The stored candles of the series of one interval in a range, for a frame.
    Template: params.columns (names), params.tickers (list or none: then all), params.time (how the open time is
    wanted). In: interval (minutes as text), from_us, until_us (epoch microseconds, half-open), ticker_N = N-th ticker.
    Out: ts, ticker unless there is one only, then the columns; ascending. -#}
SELECT
    {{ params.time }} ts,
    {%- if not (params.tickers and params.tickers | length == 1) %}
    ticker,
    {%- endif %}
    {{ params.columns | join(",\n    ") }}
FROM ohlcv
WHERE interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    {%- if params.tickers and params.tickers | length == 1 %}
    AND ticker = %(ticker_0)s
    {%- elif params.tickers %}
    AND ticker IN ({% for _ in params.tickers %}%(ticker_{{ loop.index0 }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
