{#- QuestDB. Candles that say the very same as the longer candle that opens with them, as when the answer for a longer
    interval was stored under a shorter one.
    Template: n_tickers (0 = all). In: shorter, longer (minutes as text), longer_us (length of the longer one,
    microseconds), least_trades (of the longer one), from_us, until_us (epoch microseconds, half-open), volumes
    may differ by volume_least and the share volume_share, ticker_N = N-th ticker.
    Out: ticker, ts_s (epoch seconds), ascending. -#}
SELECT
    s.ticker ticker,
    s.ts::long / 1000000L ts_s
FROM (
    SELECT ts, ticker, open, high, low, close, volume, trades
    FROM ohlcv
    WHERE interval = %(shorter)s
        AND ts >= %(from_us)s
        AND ts < %(until_us)s
        AND ts::long %% %(longer_us)s = 0
        {%- if n_tickers %}
        AND ticker IN ({% for n in range(n_tickers) %}%(ticker_{{ n }})s{{ ", " if not loop.last }}{% endfor %})
        {%- endif %}
) s
JOIN (
    SELECT ts, ticker, open, high, low, close, volume, trades
    FROM ohlcv
    WHERE interval = %(longer)s
        AND ts >= %(from_us)s
        AND ts < %(until_us)s
        AND trades >= %(least_trades)s
) l ON l.ticker = s.ticker AND l.ts = s.ts
WHERE s.open = l.open
    AND s.high = l.high
    AND s.low = l.low
    AND s.close = l.close
    AND s.trades = l.trades
    AND abs(s.volume - l.volume) <= %(volume_least)s + %(volume_share)s * l.volume
ORDER BY ts_s
