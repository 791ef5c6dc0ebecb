-- PostgreSQL. Keep the figures of a series in a completeness report.
-- In: report_id, ticker, interval_minutes, tier, counts of buckets, times (epoch seconds or null), counts of gaps.
INSERT INTO completeness_lines (
    report_id, ticker, interval_minutes, tier, stored, proven_archive, proven_ohlc, proven_trades, fillable,
    expiring, unfillable, pending, restated, strays, first_candle, last_candle, oldest_missing, next_expiry,
    fillable_gaps, unfillable_gaps
)
VALUES (
    %(report_id)s,
    %(ticker)s,
    %(interval_minutes)s,
    %(tier)s,
    %(stored)s,
    %(proven_archive)s,
    %(proven_ohlc)s,
    %(proven_trades)s,
    %(fillable)s,
    %(expiring)s,
    %(unfillable)s,
    %(pending)s,
    %(restated)s,
    %(strays)s,
    to_timestamp(%(first_s)s),
    to_timestamp(%(last_s)s),
    to_timestamp(%(oldest_missing_s)s),
    to_timestamp(%(next_expiry_s)s),
    %(fillable_gaps)s,
    %(unfillable_gaps)s
)
