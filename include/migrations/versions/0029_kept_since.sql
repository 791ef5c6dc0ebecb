-- PostgreSQL. Upgrade

-- Since when its tier, its intervals and the schedule of its tier are what they are; null: since it was added.
ALTER TABLE assets ADD COLUMN kept_since timestamptz;

-- PostgreSQL. Downgrade

ALTER TABLE assets DROP COLUMN kept_since;
