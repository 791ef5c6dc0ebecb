-- PostgreSQL. The log of seals, the records that are sealed in it, and what stands otherwise than it was sealed.

-- part: seal
    number,
    entry AS text,
    encode(entry_hash, 'hex') AS hash,
    leaves

-- name: lock_sealing
-- Let one session at a time seal. In: lock_class.
SELECT pg_advisory_lock(%(lock_class)s, 0)

-- name: unlock_sealing
-- Let others seal. In: lock_class.
SELECT pg_advisory_unlock(%(lock_class)s, 0)

-- name: lock_seal_log
-- Let nobody else add to the log until this transaction ends.
LOCK TABLE seal_log IN SHARE ROW EXCLUSIVE MODE

-- name: insert_seals
-- Add entries to the log. In: after (number of the entry before), texts (one after the other, a line feed between two),
-- hashes, leaves (hexadecimal likewise, a comma between two; before leaves an x, of none a minus), moments (text,
-- likewise).
INSERT INTO seal_log (number, entry, entry_hash, leaves, moments)
SELECT
    %(after)s + place,
    entry,
    decode(entry_hash, 'hex'),
    decode(substr(leaves, 2), 'hex'),
    substr(moments, 2)
FROM ROWS FROM (
    unnest(string_to_array(%(texts)s, chr(10))),
    unnest(string_to_array(%(hashes)s, ',')),
    unnest(string_to_array(%(leaves)s, ',', '-')),
    unnest(string_to_array(%(moments)s, ',', '-'))
) WITH ORDINALITY AS added (entry, entry_hash, leaves, moments, place)

-- name: read_seal_head
-- The newest entry. In: at_us (of those up to this moment, epoch microseconds; null = of all). Out: number, hash
-- (hexadecimal), as_of_us (epoch microseconds); no row of an empty log.
SELECT
    number,
    encode(entry_hash, 'hex') AS hash,
    as_of_us
FROM seal_log
WHERE %(at_us)s::bigint IS NULL OR as_of_us <= %(at_us)s::bigint
ORDER BY number DESC
LIMIT 1

-- name: read_seal_log
-- Some entries, in order. In: after (number), at_most, with_leaves (boolean). Out: columns of StoredSeal.
SELECT
    number,
    entry AS text,
    encode(entry_hash, 'hex') AS hash,
    CASE WHEN %(with_leaves)s THEN leaves END AS leaves
FROM seal_log
WHERE number > %(after)s
ORDER BY number
LIMIT %(at_most)s

-- name: read_seal_texts
-- Texts of entries, in order. In: after, up_to (numbers), at_most, tickers (text[]), intervals (int[]): entries of days of
-- these series, a place each; null = all entries. Out: number, text.
SELECT
    number,
    entry AS text
FROM seal_log
WHERE number > %(after)s
    AND number <= %(up_to)s
    AND (
        %(tickers)s::text[] IS NULL
        OR (ticker, interval_minutes) IN (SELECT * FROM unnest(%(tickers)s::text[], %(intervals)s::int[]))
    )
ORDER BY number
LIMIT %(at_most)s

-- name: find_seals
-- Entries with a hash. In: hash (hexadecimal). Out: columns of StoredSeal.
SELECT
-- include: seal
FROM seal_log
WHERE entry_hash = decode(%(hash)s, 'hex')

-- name: read_day_seals
-- All revisions of days, in order. In: tickers (text[]), intervals (int[]; null = all), first_s, last_s (first and last
-- day, epoch seconds; null = no limit). Out: columns of StoredSeal.
SELECT
-- include: seal
FROM seal_log
WHERE kind = 'day'
    AND (%(tickers)s::text[] IS NULL OR ticker = ANY(%(tickers)s::text[]))
    AND (%(intervals)s::int[] IS NULL OR interval_minutes = ANY(%(intervals)s::int[]))
    AND day >= coalesce((to_timestamp(%(first_s)s::bigint) AT TIME ZONE 'UTC')::date, '-infinity')
    AND day <= coalesce((to_timestamp(%(last_s)s::bigint) AT TIME ZONE 'UTC')::date, 'infinity')
ORDER BY number

-- name: read_day_moments
-- When the candles of sealed days had been stored, all revisions. In: ticker, interval_minutes, first_s, last_s (first
-- and last day, epoch seconds; null = no limit). Out: number, moments (or null).
SELECT
    number,
    moments
FROM seal_log
WHERE kind = 'day'
    AND ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND day >= coalesce((to_timestamp(%(first_s)s::bigint) AT TIME ZONE 'UTC')::date, '-infinity')
    AND day <= coalesce((to_timestamp(%(last_s)s::bigint) AT TIME ZONE 'UTC')::date, 'infinity')

-- name: read_newest_seals
-- The newest revision of each day. In: as of read_day_seals. Out: columns of StoredSeal, by ticker, interval and day.
SELECT
-- include: seal
FROM newest_seals
WHERE (%(tickers)s::text[] IS NULL OR ticker = ANY(%(tickers)s::text[]))
    AND (%(intervals)s::int[] IS NULL OR interval_minutes = ANY(%(intervals)s::int[]))
    AND day >= coalesce((to_timestamp(%(first_s)s::bigint) AT TIME ZONE 'UTC')::date, '-infinity')
    AND day <= coalesce((to_timestamp(%(last_s)s::bigint) AT TIME ZONE 'UTC')::date, 'infinity')
ORDER BY ticker, interval_minutes, day

-- name: read_newest_of
-- The newest revision of some days. In: tickers (text[]), intervals (int[]), days_s (bigint[], epoch seconds), a place a
-- day of a series. Out: columns of StoredSeal, in no order.
SELECT
    found.number,
    found.entry AS text,
    encode(found.entry_hash, 'hex') AS hash,
    found.leaves
FROM unnest(%(tickers)s::text[], %(intervals)s::int[], %(days_s)s::bigint[]) AS wanted (
    ticker, interval_minutes, day_s
)
CROSS JOIN LATERAL (
    SELECT *
    FROM seal_log AS log
    WHERE log.kind = 'day'
        AND log.ticker = wanted.ticker
        AND log.interval_minutes = wanted.interval_minutes
        AND log.day = (to_timestamp(wanted.day_s) AT TIME ZONE 'UTC')::date
    ORDER BY log.revision DESC
    LIMIT 1
) AS found

-- name: read_sealed_days
-- Which days are sealed. Out: ticker, interval_minutes, first_s, last_s (first and last day of a stretch of sealed days,
-- epoch seconds).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM lower(stretch))::bigint AS first_s,
    extract(epoch FROM upper(stretch) - 1)::bigint AS last_s
FROM (
    SELECT
        ticker,
        interval_minutes,
        unnest(range_agg(daterange(day, day, '[]'))) AS stretch
    FROM seal_log
    WHERE kind = 'day' AND revision = 1
    GROUP BY ticker, interval_minutes
) AS stretches
ORDER BY ticker, interval_minutes, first_s

-- name: read_lost_series
-- Series with sealed days whose row of series, or of assets, is gone. Out: ticker, interval_minutes.
SELECT
    sealed.ticker,
    sealed.interval_minutes
FROM (SELECT DISTINCT ticker, interval_minutes FROM seal_log WHERE kind = 'day') AS sealed
LEFT JOIN series USING (ticker, interval_minutes)
LEFT JOIN assets ON sealed.ticker = assets.ticker
WHERE series.series_id IS NULL OR assets.ticker IS NULL
ORDER BY sealed.ticker, sealed.interval_minutes

-- name: announce_sealing
-- Say up to which day is going to be sealed. In: until_s (first second of the day, epoch seconds).
-- Out: announced_us (epoch microseconds).
INSERT INTO seal_progress (sealed_until)
VALUES ((to_timestamp(%(until_s)s) AT TIME ZONE 'UTC')::date)
ON CONFLICT (is_only) DO UPDATE
SET sealed_until = greatest(seal_progress.sealed_until, excluded.sealed_until)
RETURNING microseconds(clock_timestamp()) AS announced_us

-- name: read_sealed_until
-- Up to which day anything is sealed, or being sealed. Out: sealed_until_s (epoch seconds); no row = nothing is.
SELECT extract(epoch FROM sealed_until)::bigint AS sealed_until_s FROM seal_progress

-- name: read_looked_at
-- Up to which moment changes of sealed days were looked at. Out: looked_us (epoch microseconds, null = none were).
SELECT looked_us FROM seal_progress

-- name: note_looked_at
-- Note up to which moment changes were looked at. In: looked_us (epoch microseconds).
UPDATE seal_progress SET looked_us = greatest(looked_us, %(looked_us)s)

-- name: read_records_as_of
-- Up to which moment records are sealed. Out: as_of_us (epoch microseconds); no row = none are.
SELECT as_of_us FROM seal_log WHERE kind = 'records' ORDER BY number DESC LIMIT 1

-- name: read_records
-- Records of changes as they are sealed. In: after_us (moment, null = from the beginning, and those without a moment),
-- until_us (epoch microseconds). Out: table_name, record_key, ticker, interval_minutes, ts_s (epoch seconds), sha256.
SELECT
    table_name,
    record_key,
    ticker,
    interval_minutes,
    extract(epoch FROM ts)::bigint AS ts_s,
    sha256
FROM sealable_records
WHERE recorded_at <= moment_at(%(until_us)s)
    AND recorded_at > coalesce(moment_at(%(after_us)s::bigint), '-infinity')
    OR recorded_at IS NULL AND %(after_us)s::bigint IS NULL
ORDER BY table_name, record_key

-- name: log_added
-- Note buckets of a month that held no candle before a write, whose moment is that of the session.
-- In: ticker, interval_minutes, month (date), first_bucket (of the month, from 0), buckets (a character 0 or 1 per
-- bucket).
INSERT INTO added_candles (ticker, interval_minutes, month, first_bucket, buckets)
VALUES (%(ticker)s, %(interval_minutes)s, %(month)s, %(first_bucket)s, %(buckets)s::bit varying)

-- name: read_added
-- Buckets that held no candle before a write. In: ticker, interval_minutes, months (date[]), at_us (moments after this
-- one, epoch microseconds).
-- Out: month_s (epoch seconds), first_bucket, buckets (text), written_us.
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    first_bucket,
    buckets::text,
    microseconds(written_at) AS written_us
FROM added_candles
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND month = ANY(%(months)s)
    AND written_at > moment_at(%(at_us)s)

-- name: read_changed_tickers
-- Tickers with proofs or a start recorded after a moment. In: interval_minutes, at_us (epoch microseconds). Out: ticker.
SELECT ticker
FROM coverage_changes
WHERE recorded_at > moment_at(%(at_us)s) AND interval_minutes = %(interval_minutes)s
UNION
SELECT ticker
FROM series_starts
WHERE recorded_at > moment_at(%(at_us)s) AND interval_minutes = %(interval_minutes)s

-- name: read_starts_at
-- Where all series begin as the ledger knew it at a moment. In: at_us (epoch microseconds).
-- Out: ticker, interval_minutes, start_s (epoch seconds).
SELECT DISTINCT ON (ticker, interval_minutes)
    ticker,
    interval_minutes,
    extract(epoch FROM start_ts)::bigint AS start_s
FROM series_starts
WHERE recorded_at IS NULL OR recorded_at <= moment_at(%(at_us)s)
ORDER BY ticker, interval_minutes, change_id DESC

-- name: read_changed_buckets
-- Buckets whose proof has changed, or that were found gone or to have come, between two moments.
-- In: after_us, until_us (epoch microseconds).
-- Out: ticker, interval_minutes, month_s (epoch seconds), first_bucket, buckets (text), moment_us.
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM month)::bigint AS month_s,
    first_bucket,
    buckets::text,
    microseconds(recorded_at) AS moment_us
FROM coverage_changes
WHERE recorded_at > moment_at(%(after_us)s) AND recorded_at <= moment_at(%(until_us)s)
UNION ALL
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM month)::bigint,
    first_bucket,
    buckets::text,
    microseconds(found_at)
FROM unwitnessed_changes
WHERE found_at > moment_at(%(after_us)s) AND found_at <= moment_at(%(until_us)s)

-- name: read_disagreements
-- Sealed days whose contents no record explains.
-- Out: ticker, interval_minutes, day_s, ts_s (epoch seconds), said, found_s (epoch seconds).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM day)::bigint AS day_s,
    extract(epoch FROM ts)::bigint AS ts_s,
    said,
    extract(epoch FROM found_at)::bigint AS found_s
FROM seal_disagreements
ORDER BY ticker, interval_minutes, day

-- name: write_disagreement
-- Keep that a sealed day has changed without a record. In: ticker, interval_minutes, day_s, ts_s (epoch seconds), said,
-- found_s (epoch seconds; null = now).
INSERT INTO seal_disagreements (ticker, interval_minutes, day, ts, said, found_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    (to_timestamp(%(day_s)s) AT TIME ZONE 'UTC')::date,
    to_timestamp(%(ts_s)s),
    %(said)s,
    coalesce(to_timestamp(%(found_s)s::bigint), clock_timestamp())
)
ON CONFLICT (ticker, interval_minutes, day) DO UPDATE
SET ts = excluded.ts,
    said = excluded.said

-- name: delete_disagreement
-- Forget that a sealed day has changed without a record. In: ticker, interval_minutes, day_s (epoch seconds).
DELETE FROM seal_disagreements
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND day = (to_timestamp(%(day_s)s) AT TIME ZONE 'UTC')::date
