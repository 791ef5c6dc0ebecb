-- PostgreSQL. Record what AssetPairs says of the assets a run is about; unchanged rows are not written.
-- In: asked (text[]), tickers and statuses (parallel text[] of the pairs found), now_s (epoch seconds).
UPDATE assets AS a
SET pair_status = seen.status,
    gone_since = CASE
        WHEN seen.status IS NULL THEN coalesce(a.gone_since, to_timestamp(%(now_s)s))
    END
FROM (
    SELECT asked.ticker, found.status
    FROM unnest(%(asked)s::text[]) AS asked (ticker)
    LEFT JOIN unnest(%(tickers)s::text[], %(statuses)s::text[]) AS found (ticker, status) USING (ticker)
) AS seen
WHERE a.ticker = seen.ticker
    AND (
        a.pair_status IS DISTINCT FROM seen.status
        OR (a.gone_since IS NULL) = (seen.status IS NULL)
    )
