-- PostgreSQL. Upgrade

-- Buckets of a candle length that open in a month.
CREATE FUNCTION buckets_in_month(month date, interval_minutes integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (
        ceil(extract(epoch FROM (month + INTERVAL '1 month')) / (60 * interval_minutes))
        - ceil(extract(epoch FROM month) / (60 * interval_minutes))
    )::integer
$$;

-- Bitmaps: the leftmost bit stands for the first bucket that opens in the month; NULL = no bit is set.
CREATE TABLE coverage_months (
    ticker text NOT NULL,
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    stored integer NOT NULL DEFAULT 0 CHECK (stored >= 0),
    first_ts timestamptz,
    last_ts timestamptz,
    off_grid_us bigint NOT NULL DEFAULT 0 CHECK (off_grid_us >= 0),
    reconciled integer CHECK (reconciled >= 0),
    missing bit varying,
    empty_archive bit varying,
    empty_ohlc bit varying,
    empty_trades bit varying,
    disputed bit varying,
    PRIMARY KEY (ticker, interval_minutes, month),
    FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes),
    CONSTRAINT a_span_when_stored CHECK (
        (stored = 0) = (first_ts IS NULL) AND (stored = 0) = (last_ts IS NULL) AND first_ts <= last_ts
    ),
    CONSTRAINT a_bit_per_bucket CHECK (
        length(missing) = buckets_in_month(month, interval_minutes)
        AND length(empty_archive) = buckets_in_month(month, interval_minutes)
        AND length(empty_ohlc) = buckets_in_month(month, interval_minutes)
        AND length(empty_trades) = buckets_in_month(month, interval_minutes)
        AND length(disputed) = buckets_in_month(month, interval_minutes)
    ),
    CONSTRAINT proven_once_and_never_missing CHECK (
        bit_count(coalesce(missing & empty_archive, B'')) = 0
        AND bit_count(coalesce(missing & empty_ohlc, B'')) = 0
        AND bit_count(coalesce(missing & empty_trades, B'')) = 0
        AND bit_count(coalesce(empty_archive & empty_ohlc, B'')) = 0
        AND bit_count(coalesce(empty_archive & empty_trades, B'')) = 0
        AND bit_count(coalesce(empty_ohlc & empty_trades, B'')) = 0
    ),
    CONSTRAINT disputed_against_trades CHECK (
        bit_count(coalesce(disputed & ~empty_trades, disputed, B'')) = 0
    )
);

-- evidence: what proves the buckets empty from now on; NULL = nothing does any more. The leftmost bit stands for
-- bucket number first_bucket of the month, counted from 0.
CREATE TABLE coverage_changes (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    month date NOT NULL,
    evidence text CHECK (evidence IN ('archive', 'ohlc', 'trades')),
    first_bucket integer NOT NULL CHECK (first_bucket >= 0),
    buckets bit varying NOT NULL CHECK (bit_count(buckets) > 0),
    changed_at timestamptz NOT NULL,
    dag_id text,
    run_id text,
    FOREIGN KEY (ticker, interval_minutes, month) REFERENCES coverage_months (ticker, interval_minutes, month)
);
CREATE INDEX coverage_changes_of_month ON coverage_changes (ticker, interval_minutes, month);

-- What QuestDB's partitions held when all that had changed was last counted.
CREATE TABLE partitions_seen (
    month date PRIMARY KEY,
    n_rows bigint NOT NULL CHECK (n_rows >= 0),
    first_us bigint NOT NULL,
    last_us bigint NOT NULL,
    writer_txn bigint NOT NULL
);

-- until_ts: buckets of the grid before it are stored, proven empty or known to be missing.
-- scanned_at: when all its open times were last read.
ALTER TABLE series ADD COLUMN until_ts timestamptz, ADD COLUMN scanned_at timestamptz;

CREATE TEMPORARY TABLE proven_bucket ON COMMIT DROP AS
SELECT
    p.ticker,
    p.interval_minutes,
    date_trunc('month', opens AT TIME ZONE 'UTC')::date AS month,
    p.evidence,
    p.seen_at,
    extract(epoch FROM opens)::bigint / (60 * p.interval_minutes) AS number
FROM proven_empty AS p
CROSS JOIN LATERAL generate_series(
    p.range_start, p.range_end - INTERVAL '1 second', make_interval(mins => p.interval_minutes)
) AS opens;

INSERT INTO coverage_months (ticker, interval_minutes, month, empty_archive, empty_ohlc, empty_trades)
SELECT
    m.ticker,
    m.interval_minutes,
    m.month,
    CASE WHEN bool_or(b.evidence = 'archive')
        THEN string_agg((coalesce(b.evidence, '') = 'archive')::integer::text, '' ORDER BY n)::bit varying
    END,
    CASE WHEN bool_or(b.evidence = 'ohlc')
        THEN string_agg((coalesce(b.evidence, '') = 'ohlc')::integer::text, '' ORDER BY n)::bit varying
    END,
    CASE WHEN bool_or(b.evidence = 'trades')
        THEN string_agg((coalesce(b.evidence, '') = 'trades')::integer::text, '' ORDER BY n)::bit varying
    END
FROM (
    SELECT DISTINCT
        ticker,
        interval_minutes,
        month,
        ceil(extract(epoch FROM month) / (60 * interval_minutes))::bigint AS first_number
    FROM proven_bucket
) AS m
CROSS JOIN LATERAL generate_series(
    m.first_number, m.first_number + buckets_in_month(m.month, m.interval_minutes) - 1
) AS n
LEFT JOIN proven_bucket AS b
    ON b.ticker = m.ticker AND b.interval_minutes = m.interval_minutes AND b.number = n
GROUP BY m.ticker, m.interval_minutes, m.month;

INSERT INTO coverage_changes (ticker, interval_minutes, month, evidence, first_bucket, buckets, changed_at)
SELECT
    m.ticker,
    m.interval_minutes,
    m.month,
    m.evidence,
    m.from_number - ceil(extract(epoch FROM m.month) / (60 * m.interval_minutes))::bigint,
    string_agg((b.number IS NOT NULL)::integer::text, '' ORDER BY n)::bit varying,
    m.seen_at
FROM (
    SELECT
        ticker,
        interval_minutes,
        month,
        evidence,
        seen_at,
        min(number) AS from_number,
        max(number) AS to_number
    FROM proven_bucket
    GROUP BY ticker, interval_minutes, month, evidence, seen_at
) AS m
CROSS JOIN LATERAL generate_series(m.from_number, m.to_number) AS n
LEFT JOIN proven_bucket AS b
    ON b.ticker = m.ticker
    AND b.interval_minutes = m.interval_minutes
    AND b.number = n
    AND b.evidence = m.evidence
    AND b.seen_at = m.seen_at
GROUP BY m.ticker, m.interval_minutes, m.month, m.evidence, m.seen_at, m.from_number
ORDER BY m.seen_at;

DROP TABLE proven_empty;

-- A gap holds its missing buckets, and may hold others between them.
ALTER TABLE gap_records DROP CONSTRAINT gap_records_check1;
ALTER TABLE gap_records ADD CONSTRAINT missing_inside CHECK (
    missing_candles BETWEEN 1 AND extract(epoch FROM gap_end - gap_start) / (60 * interval_minutes)
);

-- PostgreSQL. Downgrade

-- A range of its own for each gap: the next detection trims and splits it to what is missing.
UPDATE gap_records
SET missing_candles = extract(epoch FROM gap_end - gap_start) / (60 * interval_minutes);
ALTER TABLE gap_records DROP CONSTRAINT missing_inside;
ALTER TABLE gap_records ADD CONSTRAINT gap_records_check1 CHECK (
    missing_candles = extract(epoch FROM gap_end - gap_start) / (60 * interval_minutes)
);

CREATE TABLE proven_empty (
    range_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    evidence text NOT NULL CHECK (evidence IN ('archive', 'ohlc', 'trades')),
    seen_at timestamptz NOT NULL,
    FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes),
    CHECK (range_start < range_end),
    CONSTRAINT proven_ranges_never_overlap EXCLUDE USING gist (
        ticker WITH =,
        interval_minutes WITH =,
        tstzrange(range_start, range_end, '[)') WITH &&
    )
);

CREATE TEMPORARY TABLE change_bucket ON COMMIT DROP AS
SELECT
    ticker,
    interval_minutes,
    ceil(extract(epoch FROM month) / (60 * interval_minutes))::bigint + first_bucket + place AS number,
    changed_at,
    change_id
FROM coverage_changes
CROSS JOIN LATERAL generate_series(0, length(buckets) - 1) AS place
WHERE get_bit(buckets, place) = 1 AND evidence IS NOT NULL;

INSERT INTO proven_empty (ticker, interval_minutes, range_start, range_end, evidence, seen_at)
WITH bucket AS (
    SELECT
        c.ticker,
        c.interval_minutes,
        ceil(extract(epoch FROM c.month) / (60 * c.interval_minutes))::bigint + place AS number,
        CASE
            WHEN get_bit(coalesce(c.empty_archive, none), place) = 1 THEN 'archive'
            WHEN get_bit(coalesce(c.empty_ohlc, none), place) = 1 THEN 'ohlc'
            WHEN get_bit(coalesce(c.empty_trades, none), place) = 1 THEN 'trades'
        END AS evidence
    FROM coverage_months AS c
    CROSS JOIN LATERAL (
        SELECT repeat('0', buckets_in_month(c.month, c.interval_minutes))::bit varying AS none
    ) AS empty
    CROSS JOIN LATERAL generate_series(0, buckets_in_month(c.month, c.interval_minutes) - 1) AS place
),
seen AS (
    SELECT
        b.*,
        (
            SELECT changed_at
            FROM change_bucket AS x
            WHERE x.ticker = b.ticker AND x.interval_minutes = b.interval_minutes AND x.number = b.number
            ORDER BY x.change_id DESC
            LIMIT 1
        ) AS seen_at
    FROM bucket AS b
    WHERE b.evidence IS NOT NULL
),
island AS (
    SELECT
        *,
        number - row_number() OVER (
            PARTITION BY ticker, interval_minutes, evidence, seen_at ORDER BY number
        ) AS island
    FROM seen
)
SELECT
    ticker,
    interval_minutes,
    to_timestamp(min(number) * 60 * interval_minutes),
    to_timestamp((max(number) + 1) * 60 * interval_minutes),
    evidence,
    seen_at
FROM island
GROUP BY ticker, interval_minutes, evidence, seen_at, island;

ALTER TABLE series DROP COLUMN until_ts, DROP COLUMN scanned_at;
DROP TABLE partitions_seen;
DROP TABLE coverage_changes;
DROP TABLE coverage_months;
DROP FUNCTION buckets_in_month;
