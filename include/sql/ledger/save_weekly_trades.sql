-- PostgreSQL. Remember the trades of a pair in a week. In: ticker, week_s (epoch seconds), trades.
INSERT INTO weekly_trades (ticker, week_start, trades)
VALUES (%(ticker)s, to_timestamp(%(week_s)s), %(trades)s)
ON CONFLICT (ticker, week_start) DO UPDATE
SET trades = excluded.trades
