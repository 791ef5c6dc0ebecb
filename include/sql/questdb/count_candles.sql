{#- QuestDB. Candles of every series by UTC month: the first of the two gap queries.
    Template: params.intervals (minutes), params.tickers (list or none: then all),
    params.is_one_month, params.is_brief (both optional).
    In: from_us, until_us (epoch microseconds, half-open, whole months), ticker_N = N-th ticker.
    Out: ticker, interval, month_us (epoch microseconds), n, last_s (epoch seconds); and, unless it is brief, which
    takes half the time: first_s, off_grid_us (how far the worst candle lies off the grid, microseconds, 0 = all
    on the grid).
    One branch an interval: grouping by fewer keys is so much faster that it pays for the last column. One ticker is
    compared with =: IN with a single parameter takes five times as long. -#}
{%- for minutes in params.intervals %}
SELECT
    ticker,
    '{{ minutes | int }}' interval,
    {{ "%(from_us)s::long" if params.is_one_month is defined and params.is_one_month else "timestamp_floor('M', ts)::long" }} month_us,
    count() n,
    max(ts)::long / 1000000L last_s
    {%- if params.is_brief is not defined or not params.is_brief %},
    min(ts)::long / 1000000L first_s,
    max(ts::long %% {{ minutes | int * 60 }}000000L) off_grid_us
    {%- endif %}
FROM ohlcv
WHERE interval = '{{ minutes | int }}'
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    {%- if params.tickers and params.tickers | length == 1 %}
    AND ticker = %(ticker_0)s
    {%- elif params.tickers %}
    AND ticker IN ({% for _ in params.tickers %}%(ticker_{{ loop.index0 }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
{{- "\nUNION ALL" if not loop.last }}
{%- endfor %}
