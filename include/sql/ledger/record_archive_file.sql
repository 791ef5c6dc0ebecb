-- PostgreSQL. Remember an ingested archive file; another content under the same name is its next version.
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
    findings,
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
    %(verified)s,
    to_timestamp(%(first_s)s),
    to_timestamp(%(end_s)s),
    %(rows_good)s,
    %(rows_bad)s,
    %(rows_written)s,
    %(rows_equal)s,
    %(findings)s,
    %(reject_file)s,
    %(identified_by)s,
    %(dag_id)s,
    %(run_id)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (ticker, interval_minutes, identity) DO UPDATE
SET rows_written = f.rows_written + excluded.rows_written,
    rows_equal = excluded.rows_equal,
    findings = excluded.findings,
    reject_file = excluded.reject_file,
    identified_by = coalesce(excluded.identified_by, f.identified_by),
    dag_id = excluded.dag_id,
    run_id = excluded.run_id,
    ingested_at = excluded.ingested_at
RETURNING version
