-- PostgreSQL. Upgrade

ALTER TABLE assets ADD COLUMN pair_names text[] NOT NULL DEFAULT '{}';

-- PostgreSQL. Downgrade

ALTER TABLE assets DROP COLUMN pair_names;
