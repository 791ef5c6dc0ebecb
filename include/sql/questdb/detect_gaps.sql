{#- QuestDB. Every hole between two stored candles of a series.
    Template: params.intervals (minutes), params.tickers (list or none: then all).
    Driver parameters: %(until)s = end of the scan, exclusive, epoch microseconds; %(ticker_N)s = N-th ticker.
    Columns: ticker, interval, from_s, to_s (epoch seconds, half-open range without a candle).
    One LAG branch an interval, because QuestDB plans a constant step about 1.4 times faster. -#}
{%- for minutes in params.intervals %}
SELECT
    ticker,
    '{{ minutes | int }}' interval,
    (previous::long / 1000000L) + {{ minutes | int * 60 }}L from_s,
    ts::long / 1000000L to_s
FROM (
    SELECT ts, ticker, lag(ts) OVER (PARTITION BY ticker ORDER BY ts) previous
    FROM ohlcv
    WHERE interval = '{{ minutes | int }}'
        AND ts < %(until)s
        {%- if params.tickers %}
        AND ticker IN ({% for _ in params.tickers %}%(ticker_{{ loop.index0 }})s{{ ", " if not loop.last }}{% endfor %})
        {%- endif %}
)
WHERE ts - previous > {{ minutes | int * 60 }}000000L
{{- "\nUNION ALL" if not loop.last }}
{%- endfor %}
