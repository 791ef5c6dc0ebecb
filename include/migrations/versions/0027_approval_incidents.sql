-- PostgreSQL. Upgrade

ALTER TABLE incidents
DROP CONSTRAINT incidents_class_check,
ADD CONSTRAINT incidents_class_check
CHECK (class IN ('stale', 'source', 'run', 'at_risk', 'pair', 'approval'));

-- PostgreSQL. Downgrade

DELETE FROM incidents WHERE class = 'approval';

ALTER TABLE incidents
DROP CONSTRAINT incidents_class_check,
ADD CONSTRAINT incidents_class_check CHECK (class IN ('stale', 'source', 'run', 'at_risk', 'pair'));
