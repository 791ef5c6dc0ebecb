-- PostgreSQL. The published quarters asked for so far.
-- Out: quarter, name (null: not published when asked), ask_again_s (epoch seconds).
SELECT
    quarter,
    name,
    extract(epoch FROM ask_again_at)::bigint AS ask_again_s
FROM archive_quarters
