-- PostgreSQL. Archive files: what was ingested, what a run made of each, which quarters are published.

-- name: read_archive_identities
-- The archive files of a series ingested before, by their content; one that is not identified is read again.
-- In: ticker, interval_minutes. Out: identity.
SELECT DISTINCT identity
FROM archive_files
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND identified_by IS NOT NULL

-- name: record_archive_file
-- Remember an ingested archive file; another content under the same name is its next version.
-- In: the columns below, times in epoch seconds. Out: version.
INSERT INTO archive_files AS f (
    name,
    identity,
    ticker,
    interval_minutes,
    release,
    version,
    verified,
    first_ts,
    end_ts,
    rows_good,
    rows_bad,
    rows_written,
    rows_equal,
    reject_file,
    identified_by,
    dag_id,
    run_id,
    ingested_at
)
VALUES (
    %(name)s,
    %(identity)s,
    %(ticker)s,
    %(interval_minutes)s,
    %(release)s,
    1 + (SELECT count(*) FROM archive_files AS a WHERE a.name = %(name)s AND a.identity <> %(identity)s),
    split_part(%(identity)s, ':', 1),
    to_timestamp(%(first_s)s),
    to_timestamp(%(end_s)s),
    %(rows_good)s,
    %(rows_bad)s,
    %(rows_written)s,
    %(rows_equal)s,
    %(reject_file)s,
    %(identified_by)s,
    %(dag_id)s,
    %(run_id)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (ticker, interval_minutes, identity) DO UPDATE
SET rows_written = f.rows_written + excluded.rows_written,
    rows_equal = excluded.rows_equal,
    reject_file = excluded.reject_file,
    identified_by = coalesce(excluded.identified_by, f.identified_by),
    dag_id = excluded.dag_id,
    run_id = excluded.run_id,
    ingested_at = excluded.ingested_at
RETURNING version

-- name: read_archive_ingests
-- When files of a series were last ingested from a container.
-- In: ticker, interval_minutes, prefix (of their names). Out: ingested_s (epoch seconds), or null.
SELECT extract(epoch FROM max(ingested_at))::bigint AS ingested_s
FROM archive_files
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND starts_with(name, %(prefix)s)

-- name: read_archive_spans
-- What the archive files that were ingested for a series span.
-- In: ticker, interval_minutes. Out: first_s, end_s (epoch seconds).
SELECT
    extract(epoch FROM first_ts)::bigint AS first_s,
    extract(epoch FROM end_ts)::bigint AS end_s
FROM archive_files
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
ORDER BY first_ts

-- name: read_unverified_files
-- Archive files that nothing has identified so far.
-- In: tickers (text[]).
-- Out: file_id, name, identity, ticker, interval_minutes, release, first_s, end_s (epoch seconds).
SELECT
    file_id,
    name,
    identity,
    ticker,
    interval_minutes,
    release,
    extract(epoch FROM first_ts)::bigint AS first_s,
    extract(epoch FROM end_ts)::bigint AS end_s
FROM archive_files
WHERE identified_by IS NULL AND ticker = ANY(%(tickers)s)
ORDER BY file_id

-- name: identify_archive_file
-- Say by what an archive file is known to be that of its series, which ends the finding that nothing tells.
-- In: file_id, identified_by.
WITH identified AS (
    UPDATE archive_files
    SET identified_by = %(identified_by)s
    WHERE file_id = %(file_id)s
    RETURNING ticker, interval_minutes, identity
)
DELETE FROM archive_findings
USING identified
WHERE archive_findings.ticker = identified.ticker
    AND archive_findings.interval_minutes = identified.interval_minutes
    AND archive_findings.identity = identified.identity
    AND archive_findings.kind = 'unidentified'

-- name: record_archive_result
-- What a run made of an archive file; the last try overwrites. In: dag_id, run_id, name, result (jsonb).
INSERT INTO archive_results (dag_id, run_id, name, result)
VALUES (%(dag_id)s, %(run_id)s, %(name)s, %(result)s)
ON CONFLICT (dag_id, run_id, name) DO UPDATE
SET result = excluded.result

-- name: read_archive_results
-- What a run made of its archive files. In: dag_id, run_id. Out: name, result (jsonb).
SELECT
    name,
    result
FROM archive_results
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
ORDER BY name

-- name: read_archive_quarters
-- The published quarters asked for so far.
-- Out: quarter, name (null: not published when asked), ask_again_s (epoch seconds).
SELECT
    quarter,
    name,
    extract(epoch FROM ask_again_at)::bigint AS ask_again_s
FROM archive_quarters

-- name: record_archive_quarter
-- Remember whether a quarter is published.
-- In: quarter, name (or null), now_s, ask_again_s (epoch seconds).
INSERT INTO archive_quarters (quarter, name, asked_at, ask_again_at)
VALUES (%(quarter)s, %(name)s, to_timestamp(%(now_s)s), to_timestamp(%(ask_again_s)s))
ON CONFLICT (quarter) DO UPDATE
SET name = excluded.name,
    asked_at = excluded.asked_at,
    ask_again_at = excluded.ask_again_at
