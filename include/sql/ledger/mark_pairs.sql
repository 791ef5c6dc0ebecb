-- PostgreSQL. Record what a look at some pairs found; unchanged rows are not written.
-- In: ticker, status (or null), is_gone, is_listed, meant (or null): parallel arrays; now_s (epoch seconds).
UPDATE assets AS a
SET pair_status = seen.status,
    gone_since = CASE WHEN seen.is_gone THEN coalesce(a.gone_since, to_timestamp(%(now_s)s)) END,
    seen_at = CASE WHEN seen.is_listed THEN coalesce(a.seen_at, to_timestamp(%(now_s)s)) ELSE a.seen_at END,
    meant = seen.meant
FROM unnest(
    %(ticker)s::text[], %(status)s::text[], %(is_gone)s::boolean[], %(is_listed)s::boolean[], %(meant)s::text[]
) AS seen (ticker, status, is_gone, is_listed, meant)
WHERE a.ticker = seen.ticker
    AND (
        a.pair_status IS DISTINCT FROM seen.status
        OR (a.gone_since IS NOT NULL) <> seen.is_gone
        OR (a.seen_at IS NULL AND seen.is_listed)
        OR a.meant IS DISTINCT FROM seen.meant
    )
