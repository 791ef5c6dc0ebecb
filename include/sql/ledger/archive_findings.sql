-- PostgreSQL. What is wrong with files of Kraken's archive, as their ingests found it.

-- part: chosen_findings
FROM archive_findings
LEFT JOIN assets USING (ticker)
WHERE (%(tier)s::text IS NULL OR assets.tier = %(tier)s)
    AND (%(tickers)s::text[] IS NULL OR archive_findings.ticker LIKE ANY(%(tickers)s))
    AND (%(intervals)s::int[] IS NULL OR archive_findings.interval_minutes = ANY(%(intervals)s))
    AND (%(kinds)s::text[] IS NULL OR archive_findings.kind = ANY(%(kinds)s))
    AND (%(release)s::text IS NULL OR coalesce(archive_findings.release, '') = %(release)s)

-- name: drop_archive_findings
-- Forget what an earlier ingest found about a file and this one did not. What was replaced was replaced: it stays.
-- In: ticker, interval_minutes (both null = a whole zip), identity; kinds (text[]) that were found again.
DELETE FROM archive_findings
WHERE identity = %(identity)s
    AND ticker IS NOT DISTINCT FROM %(ticker)s
    AND interval_minutes IS NOT DISTINCT FROM %(interval_minutes)s
    AND kind <> 'replaced'
    AND NOT kind = ANY(%(kinds)s)

-- name: record_archive_finding
-- Keep a finding about a file; one that says the same as before keeps its run and time.
-- In: ticker, interval_minutes (both null = a whole zip), identity, kind, name, release, first_s and last_s
-- (epoch seconds or null), n, detail (jsonb), dag_id, run_id, now_s (epoch seconds).
INSERT INTO archive_findings AS f (
    ticker,
    interval_minutes,
    identity,
    kind,
    name,
    release,
    first_ts,
    last_ts,
    n,
    detail,
    dag_id,
    run_id,
    found_at
)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    %(identity)s,
    %(kind)s,
    %(name)s,
    %(release)s,
    to_timestamp(%(first_s)s),
    to_timestamp(%(last_s)s),
    %(n)s,
    %(detail)s,
    %(dag_id)s,
    %(run_id)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (identity, kind, ticker, interval_minutes) DO UPDATE
SET name = excluded.name,
    release = excluded.release,
    first_ts = CASE f.kind WHEN 'replaced' THEN least(f.first_ts, excluded.first_ts) ELSE excluded.first_ts END,
    last_ts = CASE f.kind WHEN 'replaced' THEN greatest(f.last_ts, excluded.last_ts) ELSE excluded.last_ts END,
    n = CASE f.kind WHEN 'replaced' THEN f.n + excluded.n ELSE excluded.n END,
    detail = excluded.detail,
    dag_id = excluded.dag_id,
    run_id = excluded.run_id,
    found_at = excluded.found_at
WHERE f.kind = 'replaced'
    OR (f.name, f.release, f.first_ts, f.last_ts, f.n, f.detail)
    IS DISTINCT FROM (excluded.name, excluded.release, excluded.first_ts, excluded.last_ts, excluded.n, excluded.detail)

-- name: list_archive_findings
-- One page of the findings that a filter leaves: by release, the newest first, then by file.
-- In: tier, tickers (LIKE patterns, text[]), intervals (int[]), kinds (text[]), release ('' = files of none), each
-- null = any; page_size, page_offset.
-- Out: fields of ListedFinding.
SELECT
    archive_findings.release,
    archive_findings.name,
    archive_findings.identity,
    archive_findings.ticker,
    archive_findings.interval_minutes,
    archive_findings.kind,
    archive_findings.first_ts,
    archive_findings.last_ts,
    archive_findings.n,
    archive_findings.detail,
    archive_findings.dag_id,
    archive_findings.run_id,
    archive_findings.found_at
-- include: chosen_findings
ORDER BY
    right(archive_findings.release, 6) DESC NULLS LAST,
    archive_findings.release,
    archive_findings.name,
    archive_findings.identity,
    archive_findings.kind
LIMIT %(page_size)s OFFSET %(page_offset)s

-- name: count_archive_findings
-- How many findings a filter leaves. In: as list_archive_findings, without the page. Out: n.
SELECT count(*) AS n
-- include: chosen_findings

-- name: list_archive_releases
-- The findings that a filter leaves, by release and kind, the newest release first.
-- In: as list_archive_findings, without the page.
-- Out: release (null = files of none), kind, files, n (rows, buckets, or files that were refused).
SELECT
    archive_findings.release,
    archive_findings.kind,
    count(DISTINCT (archive_findings.name, archive_findings.identity)) AS files,
    sum(archive_findings.n)::bigint AS n
-- include: chosen_findings
GROUP BY archive_findings.release, archive_findings.kind
ORDER BY right(archive_findings.release, 6) DESC NULLS LAST, archive_findings.release, archive_findings.kind

-- name: list_ingested_releases
-- How many files of each release were ingested. Out: release (null = files of none), files.
SELECT
    release,
    count(DISTINCT (ticker, interval_minutes, identity)) AS files
FROM archive_files
GROUP BY release
ORDER BY release
