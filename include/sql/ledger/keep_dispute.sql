-- PostgreSQL. Keep a proof from trades that candles contradict; trades are asked again when the candles change.
-- In: ticker, interval_minutes, start_s, end_s (epoch seconds), candles (what stands there, as text), now_s.
INSERT INTO disputes AS d (ticker, interval_minutes, range_start, range_end, candles, found_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(candles)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (ticker, interval_minutes, range_start) DO UPDATE
SET range_end = excluded.range_end,
    candles = excluded.candles,
    rechecked_at = CASE
        WHEN d.candles = excluded.candles AND d.range_end = excluded.range_end THEN d.rechecked_at
    END
