-- PostgreSQL. Record what a look at some pairs found; unchanged rows are not written.
-- In: ticker, status (or null), is_delisted, is_listed, meant (or null): parallel arrays; now_s (epoch seconds).
UPDATE assets AS a
SET pair_status = seen.status,
    delisted_at = CASE WHEN seen.is_delisted THEN coalesce(a.delisted_at, to_timestamp(%(now_s)s)) END,
    seen_at = CASE WHEN seen.is_listed THEN coalesce(a.seen_at, to_timestamp(%(now_s)s)) ELSE a.seen_at END,
    meant = seen.meant
FROM unnest(
    %(ticker)s::text[], %(status)s::text[], %(is_delisted)s::boolean[], %(is_listed)s::boolean[], %(meant)s::text[]
) AS seen (ticker, status, is_delisted, is_listed, meant)
WHERE a.ticker = seen.ticker
    AND (
        a.pair_status IS DISTINCT FROM seen.status
        OR (a.delisted_at IS NOT NULL) <> seen.is_delisted
        OR (a.seen_at IS NULL AND seen.is_listed)
        OR a.meant IS DISTINCT FROM seen.meant
    )
