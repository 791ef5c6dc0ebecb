-- PostgreSQL. What a statement says of a tier and a range, and the statements that were kept.

-- part: restated_of_range
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = ANY(%(intervals)s)
    AND ts < to_timestamp(%(end_s)s::bigint / (60 * interval_minutes) * 60 * interval_minutes)
    AND (
        ts >= to_timestamp(%(start_s)s::bigint / (60 * interval_minutes) * 60 * interval_minutes)
        OR (applied_at >= to_timestamp(%(start_s)s) AND applied_at < to_timestamp(%(end_s)s))
    )

-- part: gap_facts
SELECT
    g.gap_id,
    g.ticker,
    g.interval_minutes,
    extract(epoch FROM g.gap_start)::bigint AS start_s,
    extract(epoch FROM g.gap_end)::bigint AS end_s,
    g.missing_candles,
    g.status,
    extract(epoch FROM g.detected_at)::bigint AS detected_s,
    -- As in read_gap_times: when the oldest bucket that was missing at detection had closed, or the asset was added.
    extract(
        epoch FROM greatest(
            to_timestamp(
                (floor(extract(epoch FROM g.detected_at) / (60 * g.interval_minutes)) - g.candles_from_today + 1)
                * 60 * g.interval_minutes
            ),
            a.added_at
        )
    )::bigint AS visible_s,
    g.parent IS NOT NULL AS is_part,
    extract(epoch FROM g.filled_at)::bigint AS filled_s,
    g.filled_from,
    g.attempts,
    g.unfillable_reason,
    g.accepted_by,
    extract(epoch FROM g.accepted_at)::bigint AS accepted_s,
    g.accepted_reason
FROM gap_records AS g
LEFT JOIN assets AS a USING (ticker)

-- name: list_gaps_of_range
-- Gap records of some series that overlap a range of UTC days, or were detected in it; oldest first.
-- In: tickers (text[]), intervals (int[]), start_s, end_s (bigint, epoch seconds). Out: fields of GapFacts; times in
-- epoch seconds.
-- include: gap_facts
WHERE g.ticker = ANY(%(tickers)s)
    AND g.interval_minutes = ANY(%(intervals)s)
    AND (
        (
            -- The buckets that belong to days of the range: those whose last second lies in one.
            g.gap_end > to_timestamp(%(start_s)s::bigint / (60 * g.interval_minutes) * 60 * g.interval_minutes)
            AND g.gap_start < to_timestamp(%(end_s)s::bigint / (60 * g.interval_minutes) * 60 * g.interval_minutes)
        )
        OR (g.detected_at >= to_timestamp(%(start_s)s) AND g.detected_at < to_timestamp(%(end_s)s))
    )
ORDER BY g.gap_start, g.ticker, g.interval_minutes, g.gap_id

-- name: list_rolled_up
-- Gap records of some series that a clean-up has deleted and that were closed in or after a month, by month.
-- In: tickers (text[]), intervals (int[]), since_s (epoch seconds).
-- Out: month (ISO text), status, filled_from (or null), gaps, candles.
SELECT
    to_char(month, 'YYYY-MM') AS month,
    status,
    nullif(filled_from, '') AS filled_from,
    sum(gaps)::bigint AS gaps,
    sum(candles)::bigint AS candles
FROM gap_history
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = ANY(%(intervals)s)
    AND month >= date_trunc('month', to_timestamp(%(since_s)s) AT TIME ZONE 'UTC')::date
GROUP BY gap_history.month, status, filled_from
ORDER BY gap_history.month, status, filled_from

-- name: list_restatements_of_range
-- Other versions of candles: of candles whose bucket belongs to a day of a range, and those that replaced older candles
-- in its days. In: tickers (text[]), intervals (int[]), start_s, end_s (bigint, epoch seconds), most.
-- Out: fields of RestatementFacts, the newest first, at most so many; times in epoch seconds.
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM ts)::bigint AS open_s,
    source,
    old,
    new,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s,
    extract(epoch FROM applied_at)::bigint AS applied_s
FROM candle_restatements
-- include: restated_of_range
ORDER BY coalesce(applied_at, first_seen_at) DESC, restatement_id DESC
LIMIT %(most)s

-- name: count_restatements_of_range
-- The same, counted. In: as list_restatements_of_range, without most.
-- Out: replaced, pending (of candles of the range), of_earlier_days (replaced in the range).
SELECT
    count(*) FILTER (WHERE is_in AND applied_at IS NOT NULL) AS replaced,
    count(*) FILTER (WHERE is_in AND applied_at IS NULL) AS pending,
    count(*) FILTER (WHERE NOT is_in) AS of_earlier_days
FROM (
    SELECT
        applied_at,
        ts >= to_timestamp(%(start_s)s::bigint / (60 * interval_minutes) * 60 * interval_minutes) AS is_in
    FROM candle_restatements
-- include: restated_of_range
) AS those

-- name: list_incidents_of_range
-- Incidents that were open at any moment of a range, oldest first. In: start_s, end_s (epoch seconds).
-- Out: incident_id, key, headline, since_s, opened_s, recovered_s (epoch seconds, the last one or null), subjects
-- (text[]: all that it ever named or concerned last).
SELECT
    incident_id,
    key,
    headline,
    extract(epoch FROM since)::bigint AS since_s,
    extract(epoch FROM opened_at)::bigint AS opened_s,
    extract(epoch FROM recovered_at)::bigint AS recovered_s,
    ARRAY(
        SELECT subject FROM unnest(named) AS subject
        UNION
        SELECT jsonb_object_keys(subjects)
        ORDER BY 1
    ) AS subjects
FROM incidents
WHERE since < to_timestamp(%(end_s)s)
    AND (recovered_at IS NULL OR recovered_at > to_timestamp(%(start_s)s))
ORDER BY since, incident_id

-- name: list_once_reported
-- Series that completeness reports of a time counted in a tier. In: tier, start_s, end_s (epoch seconds).
-- Out: ticker, interval_minutes.
SELECT DISTINCT
    line.ticker,
    line.interval_minutes
FROM completeness_lines AS line
JOIN completeness_reports AS report USING (report_id)
WHERE line.tier = %(tier)s
    AND report.reported_at >= to_timestamp(%(start_s)s)
    AND report.reported_at < to_timestamp(%(end_s)s)
ORDER BY line.ticker, line.interval_minutes

-- name: keep_statement
-- Keep a statement; of the same tier and range it is the next version, and none is overwritten.
-- In: tier, start_s, end_s, made_s (epoch seconds), body (JSON as text), sha256 (of its bytes in UTF-8).
-- Out: statement_id, version.
INSERT INTO statements (tier, range_start, range_end, version, made_at, body, sha256)
SELECT
    %(tier)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    1 + coalesce(max(version), 0),
    to_timestamp(%(made_s)s),
    %(body)s,
    %(sha256)s
FROM statements
WHERE tier = %(tier)s
    AND range_start = to_timestamp(%(start_s)s)
    AND range_end = to_timestamp(%(end_s)s)
RETURNING statement_id, version

-- name: list_statements
-- The statements that were kept, the newest range first. In: page_size, page_offset.
-- Out: fields of KeptStatement.
SELECT
    statement_id,
    tier,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    version,
    extract(epoch FROM made_at)::bigint AS made_s,
    sha256
FROM statements
ORDER BY range_start DESC, tier, range_end DESC, version DESC
LIMIT %(page_size)s OFFSET %(page_offset)s

-- name: count_statements
-- How many statements were kept, of a tier and range or at all. In: tier, start_s, end_s (epoch seconds), each or null.
-- Out: n.
SELECT count(*) AS n
FROM statements
WHERE (%(tier)s::text IS NULL OR tier = %(tier)s)
    AND (%(start_s)s::bigint IS NULL OR range_start = to_timestamp(%(start_s)s))
    AND (%(end_s)s::bigint IS NULL OR range_end = to_timestamp(%(end_s)s))

-- name: read_statement
-- A statement that was kept. In: statement_id. Out: version, body, sha256.
SELECT
    version,
    body,
    sha256
FROM statements
WHERE statement_id = %(statement_id)s

-- name: read_incident
-- An incident with all that is known of it. In: incident_id.
-- Out: fields of IncidentRow; times in epoch seconds; no row when there is none of this number.
SELECT
    incident_id,
    key,
    headline,
    extract(epoch FROM since)::bigint AS since_s,
    extract(epoch FROM opened_at)::bigint AS opened_s,
    extract(epoch FROM recovered_at)::bigint AS recovered_s,
    growths,
    tried,
    snoozed_by,
    subjects,
    ARRAY(
        SELECT subject FROM unnest(named) AS subject
        UNION
        SELECT jsonb_object_keys(subjects)
        ORDER BY 1
    ) AS named
FROM incidents
WHERE incident_id = %(incident_id)s

-- name: list_gaps_of_incident
-- Gap records of some series that were open during an incident: detected in it, or still inside the API window when it
-- began. In: tickers (text[]), intervals (int[], null = any), since_s, until_s (epoch seconds).
-- Out: fields of GapFacts, oldest first.
-- include: gap_facts
WHERE g.ticker = ANY(%(tickers)s)
    AND (%(intervals)s::int[] IS NULL OR g.interval_minutes = ANY(%(intervals)s))
    AND g.detected_at <= to_timestamp(%(until_s)s)
    AND (g.filled_at IS NULL OR g.filled_at >= to_timestamp(%(since_s)s))
    AND (g.detected_at >= to_timestamp(%(since_s)s) OR g.expires_at > to_timestamp(%(since_s)s))
ORDER BY g.gap_start, g.ticker, g.interval_minutes, g.gap_id

-- name: list_gaps_of_runs
-- Gap records that some runs of a DAG have claimed. In: dag_id, run_ids (text[]). Out: fields of GapFacts, oldest first.
-- include: gap_facts
WHERE EXISTS (
    SELECT
    FROM gap_outcomes AS o
    WHERE o.gap_id = g.gap_id AND o.dag_id = %(dag_id)s AND o.run_id = ANY(%(run_ids)s)
)
ORDER BY g.gap_start, g.ticker, g.interval_minutes, g.gap_id

-- name: list_tries
-- What runs did with some gaps, oldest run first. In: gap_ids (bigint[]).
-- Out: dag_id, run_id, asked_s (the exchange's time, epoch seconds, or null), gaps, tries, candles, outcomes (text[]),
-- errors (text[]).
SELECT
    o.dag_id,
    o.run_id,
    extract(epoch FROM r.exchange_now)::bigint AS asked_s,
    count(*) AS gaps,
    sum(o.tries)::bigint AS tries,
    sum(o.candles)::bigint AS candles,
    array_agg(DISTINCT o.outcome) AS outcomes,
    coalesce(array_agg(DISTINCT o.error) FILTER (WHERE o.error IS NOT NULL), '{}') AS errors
FROM gap_outcomes AS o
LEFT JOIN backfill_runs AS r USING (dag_id, run_id)
WHERE o.gap_id = ANY(%(gap_ids)s)
GROUP BY o.dag_id, o.run_id, r.exchange_now
ORDER BY r.exchange_now, o.dag_id, o.run_id
