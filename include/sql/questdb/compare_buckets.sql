{#- QuestDB. Buckets whose candle is not what the stored candles of a shorter interval inside add up to.
    Template: n_tickers (0 = all). In: shorter, longer (minutes as text), longer_us (length of the longer one,
    microseconds), from_us, until_us (epoch microseconds, half-open, on the longer grid), ticker_N = N-th ticker;
    volumes may differ by volume_least and the share volume_share of the longer one; n_rows (most rows).
    Out: ticker, bucket_s (epoch seconds), then of open, high, low, close, volume and trades the sum of the
    shorter and the value of the longer; ascending. -#}
SELECT
    l.ticker ticker,
    l.ts::long / 1000000L bucket_s,
    s.open shorter_open,
    l.open longer_open,
    s.high shorter_high,
    l.high longer_high,
    s.low shorter_low,
    l.low longer_low,
    s.close shorter_close,
    l.close longer_close,
    s.volume shorter_volume,
    l.volume longer_volume,
    s.trades shorter_trades,
    l.trades longer_trades
FROM (
    SELECT ts, ts::long / %(longer_us)s bucket, ticker, open, high, low, close, volume, trades
    FROM ohlcv
    WHERE interval = %(longer)s AND ts >= %(from_us)s AND ts < %(until_us)s
) l
JOIN (
    SELECT
        ts::long / %(longer_us)s bucket,
        ticker,
        first(open) open,
        max(high) high,
        min(low) low,
        last(close) close,
        sum(volume) volume,
        sum(trades) trades
    FROM ohlcv
    WHERE interval = %(shorter)s
        AND ts >= %(from_us)s
        AND ts < %(until_us)s
        {%- if n_tickers %}
        AND ticker IN ({% for n in range(n_tickers) %}%(ticker_{{ n }})s{{ ", " if not loop.last }}{% endfor %})
        {%- endif %}
) s ON s.ticker = l.ticker AND s.bucket = l.bucket
WHERE s.open <> l.open
    OR s.high <> l.high
    OR s.low <> l.low
    OR s.close <> l.close
    OR s.trades <> l.trades
    OR abs(s.volume - l.volume) > %(volume_least)s + %(volume_share)s * l.volume
ORDER BY bucket_s
LIMIT %(n_rows)s
