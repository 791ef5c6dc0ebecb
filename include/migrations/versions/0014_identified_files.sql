-- PostgreSQL. Upgrade

-- Files ingested before were compared by an older rule.
ALTER TABLE archive_files ADD COLUMN identified_by text DEFAULT 'an earlier version';

ALTER TABLE archive_files ALTER COLUMN identified_by DROP DEFAULT;

-- PostgreSQL. Downgrade

ALTER TABLE archive_files DROP COLUMN identified_by;
