{#- QuestDB. The stored candles of the series of one interval in a range, for a frame.
    Template: params.columns (as they are wanted, the open time first), params.is_one (whether it is one ticker),
    params.tickers (list or none: then all). In: interval (minutes as text), from_us, until_us (epoch microseconds,
    half-open), ticker_N = N-th ticker. Out: the columns, then ticker unless it is one; ascending. -#}
SELECT
    {{ params.columns | join(",\n    ") }}
    {%- if not params.is_one %},
    ticker
    {%- endif %}
FROM ohlcv
WHERE interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    {%- if params.is_one %}
    AND ticker = %(ticker_0)s
    {%- elif params.tickers %}
    AND ticker IN ({% for _ in params.tickers %}%(ticker_{{ loop.index0 }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
