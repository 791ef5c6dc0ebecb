-- PostgreSQL. Open gaps of the processed series that a run did not take up.
-- In: dag_id, run_id, series_ids (int[]). Out: gaps.
SELECT count(*) AS gaps
FROM gap_records AS g
JOIN series AS s USING (ticker, interval_minutes)
WHERE g.status <> 'FILLED'
    AND s.series_id = ANY(%(series_ids)s)
    AND NOT EXISTS (
        SELECT
        FROM gap_outcomes AS o
        WHERE o.gap_id = g.gap_id AND o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s
    )
