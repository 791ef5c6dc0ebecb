-- PostgreSQL. Upgrade

ALTER TABLE incidents RENAME COLUMN told TO named;
ALTER TABLE incidents RENAME COLUMN told_at TO notified_at;

-- PostgreSQL. Downgrade

ALTER TABLE incidents RENAME COLUMN named TO told;
ALTER TABLE incidents RENAME COLUMN notified_at TO told_at;
