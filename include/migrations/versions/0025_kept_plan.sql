-- PostgreSQL. Upgrade

-- The plan as task prepare read it last; without a row it is the one shipped.
CREATE TABLE kept_plan (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    tiers jsonb NOT NULL,
    rules jsonb NOT NULL,
    passed_over text[] NOT NULL,
    pace_s double precision NOT NULL CHECK (pace_s > 0),
    recorded_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE assets
ADD COLUMN intervals integer[] CHECK (cardinality(intervals) > 0),
ADD COLUMN kept_by text CHECK (kept_by IN ('line', 'rule'));

-- PostgreSQL. Downgrade

ALTER TABLE assets DROP COLUMN kept_by, DROP COLUMN intervals;
DROP TABLE kept_plan;
