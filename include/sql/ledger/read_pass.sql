-- PostgreSQL. Where a walk through a range stands. In: ticker, end_s (epoch seconds), is_recheck. Out: state.
SELECT state
FROM trade_passes
WHERE ticker = %(ticker)s AND range_end = to_timestamp(%(end_s)s) AND is_recheck = %(is_recheck)s
