-- PostgreSQL. Upgrade

ALTER TABLE backfill_runs ADD COLUMN candles_outside bigint NOT NULL DEFAULT 0;

CREATE TABLE range_repairs (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    source text NOT NULL CHECK (source IN ('ohlc', 'trades')),
    range_start timestamptz,
    range_end timestamptz,
    candles_stored bigint NOT NULL DEFAULT 0,
    candles_restated bigint NOT NULL DEFAULT 0,
    buckets_proven bigint NOT NULL DEFAULT 0,
    proofs_withdrawn bigint NOT NULL DEFAULT 0,
    candles_disputed bigint NOT NULL DEFAULT 0,
    error text,
    PRIMARY KEY (dag_id, run_id, ticker, interval_minutes, source)
);

-- PostgreSQL. Downgrade

DROP TABLE range_repairs;

ALTER TABLE backfill_runs DROP COLUMN candles_outside;
