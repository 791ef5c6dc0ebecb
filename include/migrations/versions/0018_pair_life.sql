-- PostgreSQL. Upgrade

ALTER TABLE assets
    ADD COLUMN listed boolean NOT NULL DEFAULT TRUE,
    ADD COLUMN seen_at timestamptz,
    ADD COLUMN meant text;

-- What was processed before was listed then.
UPDATE assets SET seen_at = added_at WHERE pair_status IS NOT NULL;

ALTER TABLE completeness_reports ALTER COLUMN completeness_pct DROP NOT NULL;

ALTER TABLE backfill_runs ADD COLUMN asked_at timestamptz NOT NULL DEFAULT clock_timestamp();

CREATE TABLE exchange_clock (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    exchange_at timestamptz NOT NULL,
    worker_at timestamptz NOT NULL
);

-- PostgreSQL. Downgrade

DROP TABLE exchange_clock;

UPDATE completeness_reports SET completeness_pct = 0 WHERE completeness_pct IS NULL;

ALTER TABLE completeness_reports ALTER COLUMN completeness_pct SET NOT NULL;

ALTER TABLE backfill_runs DROP COLUMN asked_at;

ALTER TABLE assets
    DROP COLUMN meant,
    DROP COLUMN seen_at,
    DROP COLUMN listed;
