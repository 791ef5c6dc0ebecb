-- PostgreSQL. Upgrade

-- Buckets of a candle length that open in a month.
CREATE FUNCTION buckets_in_month(month date, interval_minutes integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (
        ceil(extract(epoch FROM (month + INTERVAL '1 month')) / (60 * interval_minutes))
        - ceil(extract(epoch FROM month) / (60 * interval_minutes))
    )::integer
$$;

-- Stretches of a bitmap of a month, whose leftmost bit stands for the first bucket that opens in it.
CREATE FUNCTION bucket_ranges(month date, interval_minutes integer, bitmap bit varying)
RETURNS TABLE (range_start timestamptz, range_end timestamptz, buckets integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH stretch AS (
        SELECT
            length(found[2]) AS n,
            sum(length(found[1]) + length(found[2])) OVER (ORDER BY place)
            + ceil(extract(epoch FROM month) / (60 * interval_minutes)) AS end_number
        FROM regexp_matches(bitmap::text, '(0*)(1+)', 'g') WITH ORDINALITY AS piece (found, place)
    )
    SELECT
        to_timestamp((end_number - n) * 60 * interval_minutes),
        to_timestamp(end_number * 60 * interval_minutes),
        n
    FROM stretch
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

-- Stretches by month, in buckets counted from its first. What an open gap holds was missing, all of it.
CREATE TEMPORARY TABLE stretch ON COMMIT DROP AS
SELECT
    r.ticker,
    r.interval_minutes,
    page.month,
    r.kind,
    r.seen_at,
    greatest(r.first_number, page.first_number) - page.first_number AS start_at,
    least(r.end_number, page.first_number + page.n) - page.first_number AS end_at,
    page.n
FROM (
    SELECT
        ticker,
        interval_minutes,
        evidence AS kind,
        seen_at,
        range_start AS start_ts,
        range_end AS end_ts,
        ceil(extract(epoch FROM range_start) / (60 * interval_minutes))::integer AS first_number,
        floor(extract(epoch FROM range_end) / (60 * interval_minutes))::integer AS end_number
    FROM proven_empty
    UNION ALL
    SELECT
        ticker,
        interval_minutes,
        'missing',
        NULL,
        gap_start,
        gap_end,
        (extract(epoch FROM gap_start)::bigint / (60 * interval_minutes))::integer,
        (extract(epoch FROM gap_end)::bigint / (60 * interval_minutes))::integer
    FROM gap_records
    WHERE status <> 'FILLED'
) AS r
CROSS JOIN LATERAL generate_series(
    date_trunc('month', r.start_ts AT TIME ZONE 'UTC'),
    date_trunc('month', (r.end_ts - INTERVAL '1 second') AT TIME ZONE 'UTC'),
    INTERVAL '1 month'
) AS touched
CROSS JOIN LATERAL (
    SELECT
        touched::date AS month,
        ceil(extract(epoch FROM touched) / (60 * r.interval_minutes))::integer AS first_number,
        buckets_in_month(touched::date, r.interval_minutes) AS n
) AS page
WHERE greatest(r.first_number, page.first_number) < least(r.end_number, page.first_number + page.n);

INSERT INTO coverage_months (
    ticker, interval_minutes, month, missing, empty_archive, empty_ohlc, empty_trades
)
WITH placed AS (
    SELECT
        *,
        coalesce(
            lag(end_at) OVER (PARTITION BY ticker, interval_minutes, month, kind ORDER BY start_at), 0
        ) AS last_end
    FROM stretch
),
bitmap AS (
    SELECT
        ticker,
        interval_minutes,
        month,
        kind,
        string_agg(repeat('0', start_at - last_end) || repeat('1', end_at - start_at), '' ORDER BY start_at)
        || repeat('0', min(n) - max(end_at)) AS bits
    FROM placed
    GROUP BY ticker, interval_minutes, month, kind
),
page AS (
    SELECT
        ticker,
        interval_minutes,
        month,
        (max(bits) FILTER (WHERE kind = 'missing'))::bit varying AS missing,
        (max(bits) FILTER (WHERE kind = 'archive'))::bit varying AS empty_archive,
        (max(bits) FILTER (WHERE kind = 'ohlc'))::bit varying AS empty_ohlc,
        (max(bits) FILTER (WHERE kind = 'trades'))::bit varying AS empty_trades
    FROM bitmap
    GROUP BY ticker, interval_minutes, month
)
SELECT
    ticker,
    interval_minutes,
    month,
    CASE WHEN bit_count(missing) > 0
        -- A gap from before its buckets were proven empty holds them until the next detection.
        THEN missing & coalesce(~empty_archive, missing) & coalesce(~empty_ohlc, missing)
            & coalesce(~empty_trades, missing)
    END,
    empty_archive,
    empty_ohlc,
    empty_trades
FROM page;

INSERT INTO coverage_changes (ticker, interval_minutes, month, evidence, first_bucket, buckets, changed_at)
WITH placed AS (
    SELECT
        *,
        coalesce(
            lag(end_at) OVER (
                PARTITION BY ticker, interval_minutes, month, kind, seen_at ORDER BY start_at
            ),
            start_at
        ) AS last_end
    FROM stretch
    WHERE kind <> 'missing'
)
SELECT
    ticker,
    interval_minutes,
    month,
    kind,
    min(start_at),
    string_agg(
        repeat('0', start_at - last_end) || repeat('1', end_at - start_at), '' ORDER BY start_at
    )::bit varying,
    seen_at
FROM placed
GROUP BY ticker, interval_minutes, month, kind, seen_at
ORDER BY seen_at, ticker, interval_minutes, month, kind;

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

INSERT INTO proven_empty (ticker, interval_minutes, range_start, range_end, evidence, seen_at)
WITH change AS (
    SELECT
        x.change_id,
        x.ticker,
        x.interval_minutes,
        x.month,
        x.evidence,
        x.changed_at,
        x.first_bucket,
        length(x.buckets) AS n,
        (
            repeat('0', x.first_bucket)
            || x.buckets::text
            || repeat('0', buckets_in_month(x.month, x.interval_minutes) - x.first_bucket - length(x.buckets))
        )::bit varying AS bits,
        CASE x.evidence
            WHEN 'archive' THEN c.empty_archive
            WHEN 'ohlc' THEN c.empty_ohlc
            WHEN 'trades' THEN c.empty_trades
        END AS proven
    FROM coverage_changes AS x
    JOIN coverage_months AS c USING (ticker, interval_minutes, month)
),
last_change AS (
    -- What is still proven by the evidence of a change, and has not changed since.
    SELECT
        *,
        bits & proven & ~coalesce(
            bit_or(bits) OVER (
                PARTITION BY ticker, interval_minutes, month
                ORDER BY change_id DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            bits & ~bits
        ) AS standing
    FROM change
),
found AS (
    SELECT
        l.ticker,
        l.interval_minutes,
        l.evidence,
        l.changed_at,
        r.range_start,
        r.range_end
    FROM last_change AS l
    CROSS JOIN LATERAL bucket_ranges(
        l.month, l.interval_minutes, substring(l.standing FROM 1 FOR l.first_bucket + l.n)
    ) AS r
),
marked AS (
    SELECT
        *,
        lag(range_end) OVER (
            PARTITION BY ticker, interval_minutes, evidence, changed_at ORDER BY range_start
        ) IS DISTINCT FROM range_start AS is_first
    FROM found
),
numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE is_first) OVER (
            PARTITION BY ticker, interval_minutes, evidence, changed_at ORDER BY range_start
        ) AS number
    FROM marked
)
SELECT
    ticker,
    interval_minutes,
    min(range_start),
    max(range_end),
    evidence,
    changed_at
FROM numbered
GROUP BY ticker, interval_minutes, evidence, changed_at, number;

ALTER TABLE series DROP COLUMN until_ts, DROP COLUMN scanned_at;
DROP TABLE partitions_seen;
DROP TABLE coverage_changes;
DROP TABLE coverage_months;
DROP FUNCTION bucket_ranges;
DROP FUNCTION buckets_in_month;
