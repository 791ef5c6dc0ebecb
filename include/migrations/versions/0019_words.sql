-- PostgreSQL. Upgrade

ALTER TABLE assets RENAME COLUMN gone_since TO delisted_at;

ALTER TABLE gap_records DROP CONSTRAINT gap_records_unfillable_reason_check;

UPDATE gap_records
SET unfillable_reason = CASE unfillable_reason WHEN 'past_edge' THEN 'outside_api_window' ELSE 'pair_delisted' END
WHERE unfillable_reason IN ('past_edge', 'pair_gone');

ALTER TABLE gap_records ADD CONSTRAINT gap_records_unfillable_reason_check CHECK (
    unfillable_reason IN ('outside_api_window', 'not_published', 'pair_delisted', 'nobody_has_it')
);

-- PostgreSQL. Downgrade

ALTER TABLE gap_records DROP CONSTRAINT gap_records_unfillable_reason_check;

UPDATE gap_records
SET unfillable_reason = CASE unfillable_reason WHEN 'outside_api_window' THEN 'past_edge' ELSE 'pair_gone' END
WHERE unfillable_reason IN ('outside_api_window', 'pair_delisted');

ALTER TABLE gap_records ADD CONSTRAINT gap_records_unfillable_reason_check CHECK (
    unfillable_reason IN ('past_edge', 'not_published', 'pair_gone', 'nobody_has_it')
);

ALTER TABLE assets RENAME COLUMN delisted_at TO gone_since;
