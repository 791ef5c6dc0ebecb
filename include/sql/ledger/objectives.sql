-- PostgreSQL. What each UTC day of a tier and interval had, for targets and error budgets.

-- name: read_objective_days
-- Days of a tier as they were judged last. In: tier, from_s, until_s (epoch seconds, half-open).
-- Out: fields of ObjectiveDay, and judged_s (epoch seconds); by day and interval.
SELECT
    tier,
    interval_minutes,
    extract(epoch FROM day)::bigint AS day_s,
    due,
    missing,
    fresh_due,
    late,
    is_final,
    extract(epoch FROM judged_at)::bigint AS judged_s
FROM objective_days
WHERE tier = %(tier)s
    AND day >= (to_timestamp(%(from_s)s) AT TIME ZONE 'UTC')::date
    AND day < (to_timestamp(%(until_s)s) AT TIME ZONE 'UTC')::date
ORDER BY day, interval_minutes

-- name: list_objective_months
-- Months with days on which something was due. Out: month_s (epoch seconds), the newest first.
SELECT DISTINCT extract(epoch FROM date_trunc('month', day::timestamp))::bigint AS month_s
FROM objective_days
WHERE due > 0 OR fresh_due > 0
ORDER BY month_s DESC

-- name: write_objective_day
-- Write what is known of a day. In: fields of ObjectiveDay, missing and late as jsonb; now_s (epoch seconds).
INSERT INTO objective_days (tier, interval_minutes, day, due, missing, fresh_due, late, is_final, judged_at)
VALUES (
    %(tier)s,
    %(interval_minutes)s,
    (to_timestamp(%(day_s)s) AT TIME ZONE 'UTC')::date,
    %(due)s,
    %(missing)s,
    %(fresh_due)s,
    %(late)s,
    %(is_final)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (tier, interval_minutes, day) DO UPDATE
SET due = excluded.due,
    missing = excluded.missing,
    fresh_due = excluded.fresh_due,
    late = excluded.late,
    is_final = excluded.is_final,
    judged_at = excluded.judged_at
