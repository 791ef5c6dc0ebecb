-- PostgreSQL. Keep a completeness report; a run that is cleared and starts again replaces its own.
-- In: dag_id, run_id, reported_s (epoch seconds), tier, intervals (int[]), total_assets, assets_with_gaps,
-- completeness_pct, body (jsonb). Out: report_id.
INSERT INTO completeness_reports (
    dag_id, run_id, reported_at, tier, intervals, total_assets, assets_with_gaps, completeness_pct, body
)
VALUES (
    %(dag_id)s,
    %(run_id)s,
    to_timestamp(%(reported_s)s),
    %(tier)s,
    %(intervals)s,
    %(total_assets)s,
    %(assets_with_gaps)s,
    %(completeness_pct)s,
    %(body)s
)
ON CONFLICT (dag_id, run_id) DO UPDATE SET
    reported_at = excluded.reported_at,
    tier = excluded.tier,
    intervals = excluded.intervals,
    total_assets = excluded.total_assets,
    assets_with_gaps = excluded.assets_with_gaps,
    completeness_pct = excluded.completeness_pct,
    body = excluded.body
RETURNING report_id
