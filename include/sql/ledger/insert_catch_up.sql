-- PostgreSQL. Remember a run started out of turn.
-- In: dag_id, run_id, now_s (epoch seconds), tickers (text[]), intervals (int[]), reason.
INSERT INTO catch_ups (dag_id, run_id, triggered_at, tickers, intervals, reason)
VALUES (%(dag_id)s, %(run_id)s, to_timestamp(%(now_s)s), %(tickers)s, %(intervals)s, %(reason)s)
ON CONFLICT (dag_id, run_id) DO NOTHING
