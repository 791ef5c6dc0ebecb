-- PostgreSQL. Record a range that a run may walk through.
-- In: dag_id, run_id, ticker, start_s, end_s, now_s (epoch seconds), calls (estimated), is_recheck.
INSERT INTO trade_errands (
    dag_id,
    run_id,
    ticker,
    range_start,
    range_end,
    calls,
    is_recheck,
    reached_at,
    planned_at
)
VALUES (
    %(dag_id)s,
    %(run_id)s,
    %(ticker)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(calls)s,
    %(is_recheck)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(now_s)s)
)
