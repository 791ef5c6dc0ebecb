-- PostgreSQL. Forget a walk that has come to its end. In: ticker, end_s (epoch seconds), is_recheck.
DELETE FROM trade_passes
WHERE ticker = %(ticker)s AND range_end = to_timestamp(%(end_s)s) AND is_recheck = %(is_recheck)s
