-- PostgreSQL. Forget walks through trades that nobody goes on with: those to the end of a gap when no gap ends
-- there that trades could still close, and those through a range asked for when it was not asked for again.
-- In: before_s (epoch seconds; for ranges asked for: saved before). Out: passes (number deleted).
WITH deleted AS (
    DELETE FROM trade_passes AS p
    WHERE CASE
        WHEN p.is_recheck THEN p.saved_at < to_timestamp(%(before_s)s)
        ELSE NOT EXISTS (
            SELECT FROM gap_records AS g
            WHERE g.ticker = p.ticker
                AND g.gap_end = p.range_end
                AND g.status <> 'FILLED'
                AND coalesce(g.unfillable_reason, '') NOT IN ('pair_delisted', 'nobody_has_it')
        )
    END
    RETURNING p.ticker
)
SELECT count(*) AS passes
FROM deleted
