-- PostgreSQL. Upgrade

ALTER TABLE backfill_runs
ADD COLUMN ohlc_planned integer NOT NULL DEFAULT 0,
ADD COLUMN ohlc_spent integer NOT NULL DEFAULT 0,
ADD COLUMN walks_planned integer NOT NULL DEFAULT 0,
ADD COLUMN walks_spent integer NOT NULL DEFAULT 0,
ADD COLUMN calls_retried integer NOT NULL DEFAULT 0,
ADD COLUMN plan jsonb,
ADD COLUMN approval jsonb;

ALTER TABLE trade_jobs ADD COLUMN is_waiting boolean NOT NULL DEFAULT false;

-- PostgreSQL. Downgrade

ALTER TABLE backfill_runs
DROP COLUMN ohlc_planned,
DROP COLUMN ohlc_spent,
DROP COLUMN walks_planned,
DROP COLUMN walks_spent,
DROP COLUMN calls_retried,
DROP COLUMN plan,
DROP COLUMN approval;

ALTER TABLE trade_jobs DROP COLUMN is_waiting;
