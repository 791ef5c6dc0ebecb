-- PostgreSQL. Trades of a pair by week. In: ticker. Out: week_s (open time, epoch seconds), trades.
SELECT
    extract(epoch FROM week_start)::bigint AS week_s,
    trades
FROM weekly_trades
WHERE ticker = %(ticker)s
