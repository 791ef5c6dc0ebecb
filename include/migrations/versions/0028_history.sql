-- PostgreSQL. Upgrade

-- The newest moment that was given to a write, or that a snapshot has passed, epoch microseconds. Moments only grow,
-- even when the server's clock is set back, and no two writes have the same one.
CREATE SEQUENCE moments;

CREATE FUNCTION microseconds(moment timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (extract(epoch FROM moment) * 1000000)::bigint
$$;

CREATE FUNCTION moment_at(epoch_us bigint) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT '1970-01-01 00:00:00+00'::timestamptz + epoch_us * INTERVAL '1 microsecond'
$$;

-- Take the moment of a new write, epoch microseconds, and hold a lock on it until the write is closed: until the end
-- of the transaction, or of the session. pg_locks then shows to everybody which writes are open. One write at a time
-- passes the gate (20301 = 0x4F4D), so that nobody looks between the clock and the lock.
CREATE FUNCTION take_moment(is_held_by_session boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    taken_us bigint;
BEGIN
    PERFORM pg_advisory_lock(20301, 0);
    BEGIN
        SELECT greatest(microseconds(clock_timestamp()), last_value + 1) INTO STRICT taken_us FROM moments;
        IF is_held_by_session THEN
            PERFORM pg_advisory_lock_shared(taken_us);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(taken_us);
        END IF;
        PERFORM setval('moments', taken_us);
    EXCEPTION WHEN OTHERS OR query_canceled THEN
        PERFORM pg_advisory_unlock(20301, 0);
        RAISE;
    END;
    PERFORM pg_advisory_unlock(20301, 0);
    RETURN taken_us;
END
$$;

-- The moment of the write that is open: of the session's, or else of the transaction's, which begins with the first
-- call.
CREATE FUNCTION begin_write() RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    held text := current_setting('ohlcv.moment', true);
BEGIN
    IF coalesce(held, '') = '' THEN
        held := take_moment(false);
        PERFORM set_config('ohlcv.moment', held, true);
    END IF;
    RETURN moment_at(held::bigint);
END
$$;

-- Begin a write that spans transactions of this session; returns its moment, epoch microseconds.
CREATE FUNCTION begin_session_write() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    taken_us bigint;
BEGIN
    IF coalesce(current_setting('ohlcv.moment', true), '') <> '' THEN
        RAISE EXCEPTION 'this session has an open write already';
    END IF;
    taken_us := take_moment(true);
    PERFORM set_config('ohlcv.moment', taken_us::text, false);
    RETURN taken_us;
END
$$;

-- Close it. is_read_back: its candles were read back; what it replaced is then known to be replaced.
CREATE FUNCTION end_session_write(is_read_back boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    taken_us bigint := current_setting('ohlcv.moment');
BEGIN
    PERFORM set_config('ohlcv.moment', '', false);
    IF is_read_back THEN
        UPDATE replaced_candles SET is_applied = TRUE WHERE replaced_at = moment_at(taken_us) AND NOT is_applied;
        UPDATE former_sources SET is_applied = TRUE WHERE replaced_at = moment_at(taken_us) AND NOT is_applied;
    END IF;
    PERFORM pg_advisory_unlock_shared(taken_us);
END
$$;

-- The newest moment that no open write can change, epoch microseconds: now, or just before the oldest open write. When
-- it is kept, no later write gets a moment up to now, even if the clock is set back.
CREATE FUNCTION settled_moment(is_kept boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    now_us bigint;
    oldest_us bigint;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a replica does not show which writes are open: ask the primary server';
    END IF;
    PERFORM pg_advisory_lock(20301, 0);
    BEGIN
        now_us := microseconds(clock_timestamp());
        SELECT min((classid::bigint << 32) | objid::bigint) INTO oldest_us
        FROM pg_locks
        WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND objsubid = 1
            AND mode = 'ShareLock'
            AND granted;
        -- The clock may have been set back since the newest write.
        IF is_kept OR has_sequence_privilege('moments', 'SELECT') THEN
            SELECT greatest(now_us, last_value) INTO STRICT now_us FROM moments;
        END IF;
        IF is_kept THEN
            PERFORM setval('moments', now_us);
        END IF;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
        PERFORM pg_advisory_unlock(20301, 0);
        RAISE;
    END;
    PERFORM pg_advisory_unlock(20301, 0);
    RETURN least(now_us, oldest_us - 1);
END
$$;

-- Versions of candles that a write replaced, kept before it did. replaced_at: the moment of the write, which is the
-- stored_at of the version that came next; a write that did not happen left no candle with it. is_applied: the version
-- that came next was read back. stored_at: of this version; NULL = before records began.
CREATE TABLE replaced_candles (
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    ts timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    vwap double precision,
    volume double precision NOT NULL,
    trades bigint NOT NULL,
    source text NOT NULL,
    stored_at timestamptz,
    is_applied boolean NOT NULL DEFAULT FALSE,
    PRIMARY KEY (ticker, interval_minutes, ts, replaced_at),
    CHECK (stored_at < replaced_at)
);
CREATE INDEX replaced_candles_under_way ON replaced_candles (replaced_at) WHERE NOT is_applied;

-- The same of candles whose source alone was changed: a bit per candle, first_bucket and buckets as in
-- coverage_changes.
CREATE TABLE former_sources (
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    month date NOT NULL,
    first_bucket integer NOT NULL CHECK (first_bucket >= 0),
    buckets bit varying NOT NULL CHECK (bit_count(buckets) > 0),
    replaced_at timestamptz NOT NULL,
    source text NOT NULL,
    stored_at timestamptz,
    is_applied boolean NOT NULL DEFAULT FALSE,
    CHECK (stored_at < replaced_at)
);
CREATE INDEX former_sources_under_way ON former_sources (replaced_at) WHERE NOT is_applied;
CREATE INDEX former_sources_of_month ON former_sources (ticker, interval_minutes, month);

-- Buckets that were stored at the last detection and are not any more, or the other way round, though no write of ours
-- did it; found_at: when a detection found it. Before that nothing is known of them.
CREATE TABLE unwitnessed_changes (
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    month date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('gone', 'come')),
    first_bucket integer NOT NULL CHECK (first_bucket >= 0),
    buckets bit varying NOT NULL CHECK (bit_count(buckets) > 0),
    found_at timestamptz NOT NULL DEFAULT begin_write()
);
CREATE INDEX unwitnessed_changes_of_month ON unwitnessed_changes (ticker, interval_minutes, month);

-- When a proof was added or withdrawn by the ledger's clock, and where series began since when; NULL = before records
-- began.
ALTER TABLE coverage_changes ADD COLUMN recorded_at timestamptz;
ALTER TABLE coverage_changes ALTER COLUMN recorded_at SET DEFAULT begin_write();

CREATE TABLE series_starts (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    start_ts timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT begin_write()
);
CREATE INDEX series_starts_of_series ON series_starts (ticker, interval_minutes);

CREATE FUNCTION log_series_start() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO series_starts (ticker, interval_minutes, start_ts)
    VALUES (new.ticker, new.interval_minutes, new.start_ts);
    RETURN NULL;
END
$$;
CREATE TRIGGER series_start_inserted AFTER INSERT ON series
FOR EACH ROW EXECUTE FUNCTION log_series_start();
CREATE TRIGGER series_start_moved AFTER UPDATE OF start_ts ON series
FOR EACH ROW WHEN (old.start_ts IS DISTINCT FROM new.start_ts) EXECUTE FUNCTION log_series_start();

INSERT INTO series_starts (ticker, interval_minutes, start_ts, recorded_at)
SELECT
    ticker,
    interval_minutes,
    start_ts,
    NULL
FROM series;

-- Named moments, and what was first read at them: sha256 of the buckets of a range.
CREATE TABLE snapshots (
    name text PRIMARY KEY CHECK (name <> ''),
    moment timestamptz NOT NULL,
    pinned_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE snapshot_reads (
    name text NOT NULL REFERENCES snapshots (name),
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    sha256 text NOT NULL CHECK (length(sha256) = 64),
    read_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, ticker, interval_minutes, range_start, range_end)
);

-- Last, so that what another transaction has changed before these tables were ours is older.
CREATE TABLE history (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    records_began timestamptz NOT NULL
);
INSERT INTO history (records_began) VALUES (moment_at(take_moment(false)));

-- PostgreSQL. Downgrade

DROP TABLE history;
DROP TABLE snapshot_reads;
DROP TABLE snapshots;
DROP TRIGGER series_start_moved ON series;
DROP TRIGGER series_start_inserted ON series;
DROP FUNCTION log_series_start;
DROP TABLE series_starts;
ALTER TABLE coverage_changes DROP COLUMN recorded_at;
DROP TABLE unwitnessed_changes;
DROP TABLE former_sources;
DROP TABLE replaced_candles;
DROP FUNCTION settled_moment;
DROP FUNCTION end_session_write;
DROP FUNCTION begin_session_write;
DROP FUNCTION begin_write;
DROP FUNCTION take_moment;
DROP FUNCTION moment_at;
DROP FUNCTION microseconds;
DROP SEQUENCE moments;
