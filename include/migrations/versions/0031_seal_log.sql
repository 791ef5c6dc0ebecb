-- PostgreSQL. Upgrade

-- What an entry of the log says. It is JSON in ASCII and names its day as an ISO date, so that no setting of a session
-- changes what is returned.
CREATE FUNCTION seal_field(entry text, field text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN entry::json ->> field;
END
$$;

CREATE FUNCTION seal_day(entry text) RETURNS date
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN to_date(entry::json ->> 'day', 'YYYY-MM-DD');
END
$$;

CREATE FUNCTION seal_hash(entry text) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN sha256('\x00'::bytea || convert_to(entry, 'UTF8'));
END
$$;

-- The log of seals. entry: canonical text of an entry; entry_hash: of a Merkle leaf with its bytes. leaves: of a day,
-- the first four bytes of the hash of each bucket's leaf, in order; it helps to name a bucket that differs, and proves
-- nothing. as_of_us: epoch microseconds. The other columns say what the text says.
CREATE TABLE seal_log (
    number bigint PRIMARY KEY CHECK (number > 0),
    entry text NOT NULL,
    entry_hash bytea NOT NULL,
    leaves bytea,
    kind text NOT NULL GENERATED ALWAYS AS (seal_field(entry, 'kind')) STORED,
    as_of_us bigint NOT NULL GENERATED ALWAYS AS (seal_field(entry, 'as_of_us')::bigint) STORED,
    ticker text GENERATED ALWAYS AS (seal_field(entry, 'ticker')) STORED,
    interval_minutes integer GENERATED ALWAYS AS (seal_field(entry, 'interval')::integer) STORED,
    day date GENERATED ALWAYS AS (seal_day(entry)) STORED,
    revision integer GENERATED ALWAYS AS (seal_field(entry, 'revision')::integer) STORED,
    CONSTRAINT seal_has_its_hash CHECK (entry_hash = seal_hash(entry)),
    CONSTRAINT seal_says_its_number CHECK (seal_field(entry, 'number') = number::text),
    CONSTRAINT seal_is_complete CHECK (
        kind = 'records' AND leaves IS NULL
        OR kind = 'day' AND num_nulls(ticker, interval_minutes, day, revision, leaves) = 0
    )
);
-- Hashes do not get shorter.
ALTER TABLE seal_log ALTER COLUMN leaves SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX seal_log_of_series ON seal_log (ticker, interval_minutes, day, revision DESC) WHERE kind = 'day';
CREATE INDEX seal_log_of_day ON seal_log (day) WHERE kind = 'day';
CREATE INDEX seal_log_of_records ON seal_log (number) WHERE kind = 'records';

CREATE FUNCTION refuse_seal_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log of seals only grows: % is refused', tg_op
    USING HINT = 'What is wrong in it stays; a later entry says what is right.';
END
$$;
CREATE TRIGGER seal_log_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON seal_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_seal_change();

CREATE FUNCTION check_seal_links() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    last_number bigint;
    last_hash bytea;
    odd_number bigint;
BEGIN
    SELECT number, entry_hash INTO last_number, last_hash
    FROM seal_log
    WHERE number < (SELECT min(number) FROM added)
    ORDER BY number DESC
    LIMIT 1;
    SELECT number INTO odd_number
    FROM (
        SELECT
            number,
            seal_field(entry, 'before') AS before,
            coalesce(lag(number) OVER in_order, last_number, 0) AS number_before,
            coalesce(encode(coalesce(lag(entry_hash) OVER in_order, last_hash), 'hex'), repeat('0', 64)) AS hash_before
        FROM added
        WINDOW in_order AS (ORDER BY number)
    ) AS linked
    WHERE number <> number_before + 1 OR before IS DISTINCT FROM hash_before
    ORDER BY number
    LIMIT 1;
    IF odd_number IS NOT NULL THEN
        RAISE EXCEPTION 'entry % does not follow the one before in the log of seals', odd_number
        USING HINT = 'Its number is one more than that of the newest entry, and it names the hash of that one.';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER seal_log_is_linked AFTER INSERT ON seal_log REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION check_seal_links();

CREATE VIEW newest_seals AS
SELECT DISTINCT ON (ticker, interval_minutes, day)
    number,
    entry,
    entry_hash,
    leaves,
    as_of_us,
    ticker,
    interval_minutes,
    day,
    revision
FROM seal_log
WHERE kind = 'day'
ORDER BY ticker, interval_minutes, day, revision DESC;

-- sealed_until: days up to this one are sealed, or being sealed; said before the moment of the sealing is taken, so
-- that a write with a later moment knows. looked_us: changes up to this moment were looked at, epoch microseconds.
CREATE TABLE seal_progress (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    sealed_until date NOT NULL,
    looked_us bigint
);

-- Sealed days whose contents have changed in a way that no record explains. ts: first bucket that differs; said: what
-- is known of it.
CREATE TABLE seal_disagreements (
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    day date NOT NULL,
    ts timestamptz NOT NULL,
    said text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ticker, interval_minutes, day)
);

-- Buckets of sealed days that held no candle before a write; first_bucket and buckets as in coverage_changes. It is
-- kept before the candles are written; a write that did not happen left none with its moment.
CREATE TABLE added_candles (
    record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    month date NOT NULL,
    first_bucket integer NOT NULL CHECK (first_bucket >= 0),
    buckets bit varying NOT NULL CHECK (bit_count(buckets) > 0),
    written_at timestamptz NOT NULL DEFAULT begin_write()
);
CREATE INDEX added_candles_of_month ON added_candles (ticker, interval_minutes, month);
CREATE INDEX added_candles_written ON added_candles (written_at);

-- Records are sealed by their number and moment.
ALTER TABLE replaced_candles ADD COLUMN record_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;
CREATE INDEX replaced_candles_replaced ON replaced_candles (replaced_at);
ALTER TABLE former_sources ADD COLUMN record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE INDEX former_sources_replaced ON former_sources (replaced_at);
ALTER TABLE unwitnessed_changes ADD COLUMN record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE INDEX unwitnessed_changes_found ON unwitnessed_changes (found_at);
CREATE INDEX coverage_changes_recorded ON coverage_changes (recorded_at);
CREATE INDEX series_starts_recorded ON series_starts (recorded_at);

-- When it was recorded that a version has replaced the stored one; before, the row may be dropped for a newer version.
ALTER TABLE candle_restatements ADD COLUMN recorded_at timestamptz;
CREATE INDEX candle_restatements_recorded ON candle_restatements (recorded_at);
CREATE FUNCTION note_restated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.recorded_at := begin_write();
    RETURN new;
END
$$;
CREATE TRIGGER restatement_applied BEFORE UPDATE OF applied_at ON candle_restatements
FOR EACH ROW WHEN (old.applied_at IS NULL AND new.applied_at IS NOT NULL) EXECUTE FUNCTION note_restated();

CREATE FUNCTION bucket_opens_at(month date, interval_minutes integer, bucket integer) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_timestamp(
        (ceil(extract(epoch FROM month) / (60 * interval_minutes)) + bucket) * (60 * interval_minutes)
    )
$$;

-- The ledger's records of changes as they are sealed. record_key: number of the row in its table. ts: open time of the
-- first bucket that it is about. recorded_at: moment of its write; NULL = before moments were recorded. sha256: of the
-- JSON text of what the row says, times as epoch microseconds; what is noted of it later is left out.
CREATE VIEW sealable_records AS
SELECT
    'replaced_candles' AS table_name,
    record_id AS record_key,
    ticker,
    interval_minutes,
    ts,
    replaced_at AS recorded_at,
    encode(sha256(convert_to(jsonb_build_array(
        ticker, interval_minutes, microseconds(ts), microseconds(replaced_at), open, high, low, close, vwap, volume,
        trades, source, microseconds(stored_at)
    )::text, 'UTF8')), 'hex') AS sha256
FROM replaced_candles
UNION ALL
SELECT
    'former_sources',
    record_id,
    ticker,
    interval_minutes,
    bucket_opens_at(month, interval_minutes, first_bucket),
    replaced_at,
    encode(sha256(convert_to(jsonb_build_array(
        ticker, interval_minutes, month, first_bucket, buckets::text, microseconds(replaced_at), source,
        microseconds(stored_at)
    )::text, 'UTF8')), 'hex')
FROM former_sources
UNION ALL
SELECT
    'candle_restatements',
    restatement_id,
    ticker,
    interval_minutes,
    ts,
    recorded_at,
    encode(sha256(convert_to(jsonb_build_array(
        ticker, interval_minutes, microseconds(ts), source, old, new, microseconds(first_seen_at),
        microseconds(applied_at), microseconds(recorded_at)
    )::text, 'UTF8')), 'hex')
FROM candle_restatements
WHERE applied_at IS NOT NULL
UNION ALL
SELECT
    'coverage_changes',
    change_id,
    ticker,
    interval_minutes,
    bucket_opens_at(month, interval_minutes, first_bucket),
    recorded_at,
    encode(sha256(convert_to(jsonb_build_array(
        ticker, interval_minutes, month, evidence, first_bucket, buckets::text, microseconds(changed_at), dag_id,
        run_id, microseconds(recorded_at)
    )::text, 'UTF8')), 'hex')
FROM coverage_changes
UNION ALL
SELECT
    'unwitnessed_changes',
    record_id,
    ticker,
    interval_minutes,
    bucket_opens_at(month, interval_minutes, first_bucket),
    found_at,
    encode(sha256(convert_to(jsonb_build_array(
        ticker, interval_minutes, month, kind, first_bucket, buckets::text, microseconds(found_at)
    )::text, 'UTF8')), 'hex')
FROM unwitnessed_changes
UNION ALL
SELECT
    'series_starts',
    change_id,
    ticker,
    interval_minutes,
    start_ts,
    recorded_at,
    encode(sha256(convert_to(jsonb_build_array(
        ticker, interval_minutes, microseconds(start_ts), microseconds(recorded_at)
    )::text, 'UTF8')), 'hex')
FROM series_starts
UNION ALL
SELECT
    'added_candles',
    record_id,
    ticker,
    interval_minutes,
    bucket_opens_at(month, interval_minutes, first_bucket),
    written_at,
    encode(sha256(convert_to(jsonb_build_array(
        ticker, interval_minutes, month, first_bucket, buckets::text, microseconds(written_at)
    )::text, 'UTF8')), 'hex')
FROM added_candles;

ALTER TABLE incidents
DROP CONSTRAINT incidents_class_check,
ADD CONSTRAINT incidents_class_check
CHECK (class IN ('stale', 'source', 'run', 'at_risk', 'pair', 'approval', 'slo', 'seal'));

-- PostgreSQL. Downgrade

DELETE FROM incidents WHERE class = 'seal';

ALTER TABLE incidents
DROP CONSTRAINT incidents_class_check,
ADD CONSTRAINT incidents_class_check
CHECK (class IN ('stale', 'source', 'run', 'at_risk', 'pair', 'approval', 'slo'));

DROP VIEW sealable_records;
DROP FUNCTION bucket_opens_at;
DROP TRIGGER restatement_applied ON candle_restatements;
DROP FUNCTION note_restated;
DROP INDEX candle_restatements_recorded;
ALTER TABLE candle_restatements DROP COLUMN recorded_at;
DROP INDEX series_starts_recorded;
DROP INDEX coverage_changes_recorded;
DROP INDEX unwitnessed_changes_found;
ALTER TABLE unwitnessed_changes DROP COLUMN record_id;
DROP INDEX former_sources_replaced;
ALTER TABLE former_sources DROP COLUMN record_id;
DROP INDEX replaced_candles_replaced;
ALTER TABLE replaced_candles DROP COLUMN record_id;
DROP TABLE added_candles;
DROP TABLE seal_disagreements;
DROP TABLE seal_progress;
DROP VIEW newest_seals;
DROP TABLE seal_log;
DROP FUNCTION check_seal_links;
DROP FUNCTION refuse_seal_change;
DROP FUNCTION seal_hash;
DROP FUNCTION seal_day;
DROP FUNCTION seal_field;
