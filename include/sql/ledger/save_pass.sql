-- PostgreSQL. Save where a walk through a range stands.
-- In: ticker, end_s, now_s (epoch seconds), is_recheck, state (jsonb).
INSERT INTO trade_passes (ticker, range_end, is_recheck, state, saved_at)
VALUES (
    %(ticker)s,
    to_timestamp(%(end_s)s),
    %(is_recheck)s,
    %(state)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (ticker, range_end, is_recheck) DO UPDATE
SET state = excluded.state,
    saved_at = excluded.saved_at
