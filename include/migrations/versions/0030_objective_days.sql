-- PostgreSQL. Upgrade

-- What is known of each UTC day of a tier and interval; a bucket belongs to the day of its last second. missing and
-- late: buckets by ticker. is_final: when the day's buckets came will not be judged again.
CREATE TABLE objective_days (
    tier text NOT NULL CHECK (tier IN ('TIER1', 'TIER2', 'TIER3', 'TIER4')),
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    day date NOT NULL,
    due integer NOT NULL CHECK (due >= 0),
    missing jsonb NOT NULL,
    fresh_due integer NOT NULL CHECK (fresh_due >= 0),
    late jsonb NOT NULL,
    is_final boolean NOT NULL,
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (tier, interval_minutes, day)
);

ALTER TABLE incidents
DROP CONSTRAINT incidents_class_check,
ADD CONSTRAINT incidents_class_check
CHECK (class IN ('stale', 'source', 'run', 'at_risk', 'pair', 'approval', 'slo'));

-- PostgreSQL. Downgrade

DELETE FROM incidents WHERE class = 'slo';

ALTER TABLE incidents
DROP CONSTRAINT incidents_class_check,
ADD CONSTRAINT incidents_class_check
CHECK (class IN ('stale', 'source', 'run', 'at_risk', 'pair', 'approval'));

DROP TABLE objective_days;
