{#- QuestDB. First, last and number of candles of every series, and how far the worst one lies off the grid.
    Template: params.intervals (minutes), params.tickers (list or none: then all).
    Driver parameters: %(until)s = end of the scan, exclusive, epoch microseconds; %(ticker_N)s = N-th ticker.
    Columns: ticker, interval, first_s, last_s (epoch seconds), n, off_grid_us (microseconds, 0 = all on the grid).
    One branch an interval: grouping by one key is so much faster than by two that it pays for the last column. -#}
{%- for minutes in params.intervals %}
SELECT
    ticker,
    '{{ minutes | int }}' interval,
    min(ts)::long / 1000000L first_s,
    max(ts)::long / 1000000L last_s,
    count() n,
    max(ts::long %% {{ minutes | int * 60 }}000000L) off_grid_us
FROM ohlcv
WHERE interval = '{{ minutes | int }}'
    AND ts < %(until)s
    {%- if params.tickers %}
    AND ticker IN ({% for _ in params.tickers %}%(ticker_{{ loop.index0 }})s{{ ", " if not loop.last }}{% endfor %})
    {%- endif %}
{{- "\nUNION ALL" if not loop.last }}
{%- endfor %}
