-- PostgreSQL. Upgrade

ALTER TABLE incidents
    DROP CONSTRAINT incidents_class_check,
    ADD CONSTRAINT incidents_class_check CHECK (class IN ('stale', 'source', 'run', 'at_risk', 'pair'));

-- PostgreSQL. Downgrade

DELETE FROM incidents WHERE class = 'pair';

ALTER TABLE incidents
    DROP CONSTRAINT incidents_class_check,
    ADD CONSTRAINT incidents_class_check CHECK (class IN ('stale', 'source', 'run', 'at_risk'));
