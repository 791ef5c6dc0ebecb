-- PostgreSQL. Upgrade

-- How much of a range that a run was asked to repair was compared, how much differed, and by which trades.
ALTER TABLE range_repairs ADD COLUMN candles_compared bigint NOT NULL DEFAULT 0;
ALTER TABLE range_repairs ADD COLUMN candles_differing bigint NOT NULL DEFAULT 0;
ALTER TABLE range_repairs ADD COLUMN first_trade_id bigint;
ALTER TABLE range_repairs ADD COLUMN last_trade_id bigint;

-- A result counts the buckets that its run has proven empty.
CREATE INDEX coverage_changes_of_run ON coverage_changes (run_id);

-- PostgreSQL. Downgrade

DROP INDEX coverage_changes_of_run;

ALTER TABLE range_repairs DROP COLUMN last_trade_id;
ALTER TABLE range_repairs DROP COLUMN first_trade_id;
ALTER TABLE range_repairs DROP COLUMN candles_differing;
ALTER TABLE range_repairs DROP COLUMN candles_compared;
