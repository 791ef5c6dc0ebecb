-- PostgreSQL. Upgrade

-- A zip that is refused as a whole is of no series: ticker and interval are null, and its name stands for its content.
ALTER TABLE archive_findings
    DROP CONSTRAINT archive_findings_pkey,
    ALTER COLUMN ticker DROP NOT NULL,
    ALTER COLUMN interval_minutes DROP NOT NULL,
    ADD CONSTRAINT archive_findings_once UNIQUE NULLS NOT DISTINCT (identity, kind, ticker, interval_minutes),
    ADD CONSTRAINT archive_findings_of_series CHECK (
        (ticker IS NULL) = (interval_minutes IS NULL) AND (ticker IS NOT NULL OR kind = 'refused')
    );

-- PostgreSQL. Downgrade

DELETE FROM archive_findings
WHERE ticker IS NULL;

ALTER TABLE archive_findings
    DROP CONSTRAINT archive_findings_of_series,
    DROP CONSTRAINT archive_findings_once,
    ADD PRIMARY KEY (ticker, interval_minutes, identity, kind);
