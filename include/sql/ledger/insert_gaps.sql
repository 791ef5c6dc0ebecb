-- PostgreSQL. Record gaps, and what each means for the run that has found it.
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
        parent
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
        parent
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
