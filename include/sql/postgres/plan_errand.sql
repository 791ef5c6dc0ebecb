-- PostgreSQL. Record a range that a run may walk through; the calls it has made for it before stay, and the new
-- ones are allotted beside them.
-- In: dag_id, run_id, ticker, start_s, end_s, now_s (epoch seconds), calls, allotted, is_recheck.
INSERT INTO trade_errands (
    dag_id,
    run_id,
    ticker,
    range_start,
    range_end,
    calls,
    allotted,
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
    %(allotted)s,
    %(is_recheck)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(now_s)s)
)
ON CONFLICT (dag_id, run_id, ticker, range_start) DO UPDATE
SET range_end = excluded.range_end,
    calls = excluded.calls,
    allotted = CASE WHEN excluded.allotted > 0 THEN trade_errands.made + excluded.allotted ELSE 0 END
