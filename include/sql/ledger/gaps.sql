-- PostgreSQL. Gap records: how they are found, tried, trimmed and closed.

-- name: read_open_gaps
-- Open gaps of the given tickers and intervals, oldest first.
-- In: tickers (text[]), intervals (int[]). Out: columns of the Gap dataclass; times in epoch seconds.
SELECT
    gap_id,
    ticker,
    interval_minutes,
    extract(epoch FROM gap_start)::bigint AS start_s,
    extract(epoch FROM gap_end)::bigint AS end_s,
    missing_candles,
    status,
    extract(epoch FROM detected_at)::bigint AS detected_s,
    attempts,
    extract(epoch FROM next_attempt_at)::bigint AS next_attempt_s,
    unfillable_reason,
    error_message,
    accepted_by,
    extract(epoch FROM accepted_at)::bigint AS accepted_s,
    accepted_reason
FROM gap_records
WHERE status <> 'FILLED' AND ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)
ORDER BY ticker, interval_minutes, gap_start

-- name: count_open_gaps
-- Open gap records of each series among tickers and intervals.
-- In: tickers (text[]), intervals (int[]). Out: ticker, interval_minutes, fillable, unfillable.
SELECT
    ticker,
    interval_minutes,
    count(*) FILTER (WHERE status <> 'UNFILLABLE') AS fillable,
    count(*) FILTER (WHERE status = 'UNFILLABLE') AS unfillable
FROM gap_records
WHERE status <> 'FILLED' AND ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)
GROUP BY ticker, interval_minutes

-- name: insert_gaps
-- Record gaps, and what each means for the run that has found it; an outcome of null means nothing for it.
-- In: gaps (jsonb, a list of objects with the keys of "given"; times in epoch seconds), dag_id, run_id.
WITH given AS (
    SELECT *
    FROM jsonb_to_recordset(%(gaps)s) AS gap (
        ticker text,
        interval_minutes integer,
        start_s bigint,
        end_s bigint,
        missing_candles integer,
        is_api_fillable boolean,
        overflow_candles integer,
        candles_from_today integer,
        status text,
        detected_s bigint,
        required_csv_file text,
        error_message text,
        attempts integer,
        next_attempt_s bigint,
        expires_s bigint,
        unfillable_reason text,
        parent bigint,
        accepted_by text,
        accepted_s bigint,
        accepted_reason text,
        outcome text
    )
),
new AS (
    INSERT INTO gap_records (
        ticker,
        interval_minutes,
        gap_start,
        gap_end,
        missing_candles,
        is_api_fillable,
        overflow_candles,
        candles_from_today,
        status,
        detected_at,
        required_csv_file,
        error_message,
        attempts,
        next_attempt_at,
        expires_at,
        unfillable_reason,
        parent,
        accepted_by,
        accepted_at,
        accepted_reason
    )
    SELECT
        ticker,
        interval_minutes,
        to_timestamp(start_s),
        to_timestamp(end_s),
        missing_candles,
        is_api_fillable,
        overflow_candles,
        candles_from_today,
        status,
        to_timestamp(detected_s),
        required_csv_file,
        error_message,
        attempts,
        to_timestamp(next_attempt_s),
        to_timestamp(expires_s),
        unfillable_reason,
        parent,
        accepted_by,
        to_timestamp(accepted_s),
        accepted_reason
    FROM given
    RETURNING gap_id, ticker, interval_minutes, gap_start
)
INSERT INTO gap_outcomes (dag_id, run_id, gap_id, outcome, error)
SELECT
    %(dag_id)s,
    %(run_id)s,
    new.gap_id,
    given.outcome,
    given.error_message
FROM new
JOIN given
    ON given.ticker = new.ticker
    AND given.interval_minutes = new.interval_minutes
    AND to_timestamp(given.start_s) = new.gap_start
WHERE given.outcome IS NOT NULL

-- name: insert_imported_gap
-- Record a gap of another system with its own stamps, unless it was recorded before.
-- In: ticker, interval_minutes, start_s, end_s, missing_candles, overflow_candles, candles_from_today, status
-- (FILLED | DETECTED), detected_s, attempted_s (or null), filled_s (or null), error_message (or null), attempts,
-- expires_s; times in epoch seconds. No row is written when it stands already.
INSERT INTO gap_records (
    ticker,
    interval_minutes,
    gap_start,
    gap_end,
    missing_candles,
    is_api_fillable,
    overflow_candles,
    candles_from_today,
    status,
    detected_at,
    backfill_attempted_at,
    filled_at,
    filled_from,
    error_message,
    attempts,
    expires_at
)
SELECT
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(missing_candles)s,
    TRUE,
    %(overflow_candles)s,
    %(candles_from_today)s,
    %(status)s,
    to_timestamp(%(detected_s)s),
    to_timestamp(%(attempted_s)s),
    to_timestamp(%(filled_s)s),
    CASE WHEN %(status)s = 'FILLED' THEN 'observed' END,
    %(error_message)s,
    %(attempts)s,
    to_timestamp(%(expires_s)s)
WHERE NOT EXISTS (
    SELECT 1
    FROM gap_records
    WHERE ticker = %(ticker)s
        AND interval_minutes = %(interval_minutes)s
        AND gap_start = to_timestamp(%(start_s)s)
        AND gap_end = to_timestamp(%(end_s)s)
        AND detected_at = to_timestamp(%(detected_s)s)
        AND (status = 'FILLED') = (%(status)s = 'FILLED')
)

-- name: update_gap
-- Trim an open gap and set its state. In: gap_id and the columns below, times in epoch seconds.
UPDATE gap_records
SET gap_start = to_timestamp(%(start_s)s),
    gap_end = to_timestamp(%(end_s)s),
    missing_candles = %(missing_candles)s,
    is_api_fillable = %(is_api_fillable)s,
    status = %(status)s,
    required_csv_file = %(required_csv_file)s,
    error_message = %(error_message)s,
    next_attempt_at = to_timestamp(%(next_attempt_s)s),
    expires_at = to_timestamp(%(expires_s)s),
    unfillable_reason = %(unfillable_reason)s,
    accepted_by = %(accepted_by)s,
    accepted_at = to_timestamp(%(accepted_s)s),
    accepted_reason = %(accepted_reason)s
WHERE gap_id = %(gap_id)s

-- name: move_outcomes
-- Give a gap the outcomes of another one that becomes part of it, of runs that have not claimed it.
-- In: gap_id (that becomes part), into_id.
UPDATE gap_outcomes AS o
SET gap_id = %(into_id)s
WHERE o.gap_id = %(gap_id)s
    AND NOT EXISTS (
        SELECT 1
        FROM gap_outcomes AS x
        WHERE x.gap_id = %(into_id)s AND x.dag_id = o.dag_id AND x.run_id = o.run_id
    )

-- name: delete_gap
-- Delete a gap that has become part of another one. In: gap_id.
DELETE FROM gap_records
WHERE gap_id = %(gap_id)s

-- name: start_attempt
-- Mark a gap as being filled. In: gap_id, now_s (epoch seconds), is_first_try (in this run).
UPDATE gap_records
SET status = 'BACKFILLING',
    backfill_attempted_at = to_timestamp(%(now_s)s),
    attempts = attempts + %(is_first_try)s::boolean::integer,
    next_attempt_at = NULL,
    unfillable_reason = NULL,
    error_message = NULL
WHERE gap_id = %(gap_id)s

-- name: close_gap
-- Close a gap: every bucket of it is stored or proven empty.
-- In: gap_id, start_s, end_s (epoch seconds), missing_candles (what it held), filled_from, now_s (epoch seconds).
UPDATE gap_records
SET status = 'FILLED',
    gap_start = to_timestamp(%(start_s)s),
    gap_end = to_timestamp(%(end_s)s),
    missing_candles = %(missing_candles)s,
    filled_at = to_timestamp(%(now_s)s),
    filled_from = %(filled_from)s,
    next_attempt_at = NULL,
    error_message = NULL,
    unfillable_reason = NULL,
    accepted_by = NULL,
    accepted_at = NULL,
    accepted_reason = NULL
WHERE gap_id = %(gap_id)s

-- name: record_outcome
-- What a run did with a gap; the last try overwrites, candles and tries add up. A gap that a clean-up
-- has deleted meanwhile has no outcome.
-- In: dag_id, run_id, gap_id, outcome, tries, candles, error.
INSERT INTO gap_outcomes AS o (dag_id, run_id, gap_id, outcome, tries, candles, error)
SELECT %(dag_id)s, %(run_id)s, gap_id, %(outcome)s, %(tries)s, %(candles)s, %(error)s
FROM gap_records
WHERE gap_id = %(gap_id)s
FOR KEY SHARE
ON CONFLICT (dag_id, run_id, gap_id) DO UPDATE
SET outcome = excluded.outcome,
    tries = o.tries + excluded.tries,
    candles = o.candles + excluded.candles,
    error = excluded.error

-- name: read_claims
-- The gaps of a series that a run has claimed.
-- In: dag_id, run_id, ticker, interval_minutes. Out: gap_id, outcome, tries, candles (in this run).
SELECT o.gap_id, o.outcome, o.tries, o.candles
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s
    AND o.run_id = %(run_id)s
    AND g.ticker = %(ticker)s
    AND g.interval_minutes = %(interval_minutes)s

-- name: read_stranded
-- Series with gaps that a run began to fill and never settled: its task died.
-- In: dag_id, run_id. Out: ticker, interval_minutes.
SELECT DISTINCT g.ticker, g.interval_minutes
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s AND g.status = 'BACKFILLING'

-- name: count_missing
-- What some series are missing, those that miss most first. In: series_ids (int[]), now_s (epoch seconds, of a run).
-- Out: ticker, interval_minutes, candles, gaps, new (gaps that the run detected).
SELECT
    g.ticker,
    g.interval_minutes,
    sum(g.missing_candles)::bigint AS candles,
    count(*) AS gaps,
    count(*) FILTER (WHERE g.detected_at = to_timestamp(%(now_s)s)) AS new
FROM gap_records AS g
JOIN series AS s USING (ticker, interval_minutes)
WHERE g.status <> 'FILLED' AND s.series_id = ANY(%(series_ids)s)
GROUP BY g.ticker, g.interval_minutes
ORDER BY candles DESC, g.ticker, g.interval_minutes
