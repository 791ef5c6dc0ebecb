-- PostgreSQL. Upgrade

UPDATE candle_restatements SET source = 'archive_provisional' WHERE source = 'archive_rim';

-- PostgreSQL. Downgrade

UPDATE candle_restatements SET source = 'archive_rim' WHERE source = 'archive_provisional';
