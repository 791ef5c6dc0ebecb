-- PostgreSQL. Upgrade

-- moments: of a day, when each of its candles had been stored, in order: runs of count@moment, separated by blanks, the
-- moment in epoch microseconds, nothing behind the @ where a candle carried none. It is in no hash. NULL = the entry
-- is one of records, or was issued before moments were kept.
ALTER TABLE seal_log ADD COLUMN moments text;

-- PostgreSQL. Downgrade

ALTER TABLE seal_log DROP COLUMN moments;
