-- PostgreSQL. Runs of proven-empty ranges of a series that touch and have the same evidence.
-- In: ticker, interval_minutes. Out: range_id (of the first), start_s, end_s, seen_s (the latest), epoch seconds.
WITH neighbours AS (
    SELECT
        range_id,
        range_start,
        range_end,
        evidence,
        seen_at,
        lag(range_end) OVER (PARTITION BY evidence ORDER BY range_start) AS last_end
    FROM proven_empty
    WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
),
numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE last_end IS DISTINCT FROM range_start) OVER (
            PARTITION BY evidence ORDER BY range_start
        ) AS number
    FROM neighbours
)
SELECT
    (array_agg(range_id ORDER BY range_start))[1] AS range_id,
    extract(epoch FROM min(range_start))::bigint AS start_s,
    extract(epoch FROM max(range_end))::bigint AS end_s,
    extract(epoch FROM max(seen_at))::bigint AS seen_s
FROM numbered
GROUP BY evidence, number
HAVING count(*) > 1
ORDER BY 2
