-- PostgreSQL. Holes that somebody decided to leave as they are, and the history of these decisions.

-- name: record_decision
-- Add a decision to the history.
-- In: ticker, interval_minutes, decision (accepted | taken_back), starts_s, ends_s (bigint[], epoch seconds: the
-- stretches it is about), decided_by, now_s (epoch seconds), reason, dag_id, run_id (or null).
INSERT INTO gap_decisions (
    ticker, interval_minutes, decision, buckets, candles, decided_by, decided_at, reason, dag_id, run_id
)
SELECT
    %(ticker)s,
    %(interval_minutes)s,
    %(decision)s,
    range_agg(tstzrange(to_timestamp(start_s), to_timestamp(end_s))),
    sum(end_s - start_s) / (60 * %(interval_minutes)s),
    %(decided_by)s,
    to_timestamp(%(now_s)s),
    %(reason)s,
    %(dag_id)s,
    %(run_id)s
FROM unnest(%(starts_s)s::bigint[], %(ends_s)s::bigint[]) AS stretch (start_s, end_s)

-- name: count_decisions_of_run
-- What a run has decided of a series. In: dag_id, run_id, ticker, interval_minutes, decision. Out: decisions.
SELECT count(*) AS decisions
FROM gap_decisions
WHERE dag_id = %(dag_id)s
    AND run_id = %(run_id)s
    AND ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND decision = %(decision)s

-- name: read_accepted
-- What stays missing of some series because somebody decided so: a row per series and decision, newest first.
-- In: tickers (text[]), intervals (int[]). Out: fields of AcceptedHole; times in epoch seconds.
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM min(gap_start))::bigint AS start_s,
    extract(epoch FROM max(gap_end))::bigint AS end_s,
    sum(missing_candles)::bigint AS missing_candles,
    accepted_by,
    extract(epoch FROM accepted_at)::bigint AS accepted_s,
    accepted_reason
FROM gap_records
WHERE accepted_by IS NOT NULL AND ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)
GROUP BY ticker, interval_minutes, accepted_by, accepted_at, accepted_reason
ORDER BY accepted_at DESC, ticker, interval_minutes, start_s

-- name: read_accepted_behind
-- The stretches that stay missing at the newest end of series.
-- In: interval_minutes, tickers (text[]), since_s (bigint[], epoch seconds, a place a ticker).
-- Out: ticker, start_s, end_s (epoch seconds), ascending.
SELECT
    g.ticker,
    extract(epoch FROM g.gap_start)::bigint AS start_s,
    extract(epoch FROM g.gap_end)::bigint AS end_s
FROM unnest(%(tickers)s::text[], %(since_s)s::bigint[]) AS wanted (ticker, since_s)
JOIN gap_records AS g
    ON g.ticker = wanted.ticker
    AND g.interval_minutes = %(interval_minutes)s
    AND g.gap_end > to_timestamp(wanted.since_s)
WHERE g.accepted_by IS NOT NULL
ORDER BY g.ticker, g.gap_start
