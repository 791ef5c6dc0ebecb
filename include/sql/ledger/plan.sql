-- PostgreSQL. The plan of what is kept, as the tasks read it from its file.

-- name: read_plan
-- The plan, and how many series of each tier are expected.
-- Out: tiers (object by tier), rules (array), passed_over (text[]), pace_s, each null when no task has read the file;
-- kept (object by tier: plain = active assets that are kept at their tier's intervals, own = number of the others'
-- own intervals); always one row.
SELECT
    kept_plan.tiers,
    kept_plan.rules,
    kept_plan.passed_over,
    kept_plan.pace_s,
    counted.kept
FROM (
    SELECT coalesce(jsonb_object_agg(tier, jsonb_build_object('plain', plain, 'own', own)), '{}') AS kept
    FROM (
        SELECT
            tier,
            count(*) FILTER (WHERE intervals IS NULL) AS plain,
            coalesce(sum(cardinality(intervals)), 0) AS own
        FROM assets
        WHERE active AND listed AND delisted_at IS NULL
        GROUP BY tier
    ) AS by_tier
) AS counted
LEFT JOIN kept_plan ON TRUE

-- name: write_plan
-- Record the plan; an unchanged one is not written. The assets of a tier with another schedule, or with other intervals,
-- are kept as they are from now on. In: tiers (object), rules (array), passed_over (text[], tickers of lines that cannot
-- be used), pace_s (seconds between two calls).
WITH changed AS (
    SELECT said.tier
    FROM kept_plan, jsonb_each(%(tiers)s::jsonb) AS said (tier, plan)
    WHERE (kept_plan.tiers -> said.tier -> 'schedule', kept_plan.tiers -> said.tier -> 'intervals')
        IS DISTINCT FROM (said.plan -> 'schedule', said.plan -> 'intervals')
),
moved AS (
    UPDATE assets
    SET kept_since = now()
    FROM changed
    WHERE assets.tier = changed.tier
)
INSERT INTO kept_plan AS p (tiers, rules, passed_over, pace_s)
VALUES (%(tiers)s, %(rules)s, %(passed_over)s::text[], %(pace_s)s)
ON CONFLICT (is_only) DO UPDATE
SET tiers = excluded.tiers,
    rules = excluded.rules,
    passed_over = excluded.passed_over,
    pace_s = excluded.pace_s,
    recorded_at = now()
WHERE (p.tiers, p.rules, p.passed_over, p.pace_s)
    IS DISTINCT FROM (excluded.tiers, excluded.rules, excluded.passed_over, excluded.pace_s)

-- name: list_kept
-- Assets that lines or rules of the plan keep. Out: ticker, base, quote, tier, active, kept_by.
SELECT
    ticker,
    base,
    quote,
    tier,
    active,
    kept_by
FROM assets
WHERE kept_by IS NOT NULL
ORDER BY ticker

-- name: take_pair
-- Bring a pair that a rule takes into its tier; unchanged rows are not written, and one with a line of its own is left
-- alone. In: ticker, base, quote, tier, note.
INSERT INTO assets AS a (ticker, base, quote, tier, active, listed, position, note, kept_by)
VALUES (%(ticker)s, %(base)s, %(quote)s, %(tier)s, TRUE, TRUE, 1000000, %(note)s, 'rule')
ON CONFLICT (ticker) DO UPDATE
SET base = excluded.base,
    quote = excluded.quote,
    tier = excluded.tier,
    active = TRUE,
    listed = TRUE,
    position = excluded.position,
    note = excluded.note,
    history_from = NULL,
    intervals = NULL,
    kept_by = 'rule',
    kept_since = CASE WHEN a.active AND a.listed AND a.tier = excluded.tier THEN a.kept_since ELSE now() END
WHERE a.kept_by IS DISTINCT FROM 'line'
    AND (a.base, a.quote, a.tier, a.active, a.note, a.kept_by)
    IS DISTINCT FROM (excluded.base, excluded.quote, excluded.tier, TRUE, excluded.note, 'rule')

-- name: let_go
-- Switch off pairs that no rule takes any more; their candles and gaps stay. In: tickers (text[]).
UPDATE assets
SET active = FALSE, kept_by = NULL
WHERE kept_by = 'rule' AND ticker = ANY(%(tickers)s)
