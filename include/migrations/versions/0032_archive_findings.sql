-- PostgreSQL. Upgrade

-- What ingests found wrong with files of the archive: a row per content of a file and kind of finding. n counts all;
-- detail has only the first. What is wrong with a file is no fact about a series, which need not exist.
CREATE TABLE archive_findings (
    ticker text NOT NULL REFERENCES assets,
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    identity text NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'refused', 'other_interval', 'other_series', 'unidentified', 'odd_rows', 'two_rows', 'left_out',
        'longer_has_more', 'busy_hole', 'unsupported', 'other_count', 'stored_else', 'stored_other', 'replaced',
        'last_day'
    )),
    name text NOT NULL,
    release text,
    first_ts timestamptz,
    last_ts timestamptz,
    n bigint NOT NULL CHECK (n >= 1),
    detail jsonb NOT NULL,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (ticker, interval_minutes, identity, kind),
    CHECK ((first_ts IS NULL) = (last_ts IS NULL)),
    CHECK (first_ts <= last_ts)
);
CREATE INDEX archive_findings_release ON archive_findings (release, name);

-- Of contradictions recorded so far, at most 20 ranges are known: with more, the last bucket is not.
INSERT INTO archive_findings
SELECT
    f.ticker,
    f.interval_minutes,
    f.identity,
    kinds.kind,
    f.name,
    f.release,
    CASE WHEN known.is_whole THEN known.first_ts END,
    CASE WHEN known.is_whole THEN known.end_ts - f.interval_minutes * interval '1 minute' END,
    (found.value ->> 'buckets')::bigint,
    jsonb_build_object('ranges', found.value -> 'ranges'),
    f.dag_id,
    f.run_id,
    f.ingested_at
FROM archive_files AS f
CROSS JOIN LATERAL jsonb_array_elements(f.findings) AS found
JOIN (
    VALUES
    ('two_rows', 'two different %'),
    ('left_out', 'left out, although shorter %'),
    ('longer_has_more', 'left out, although the longer %'),
    ('unsupported', 'stands, %'),
    ('other_count', 'its trade count %'),
    ('stored_else', 'left out, although a candle %'),
    ('stored_other', 'differs from the stored %')
) AS kinds (kind, pattern) ON found.value ->> 'what' LIKE kinds.pattern
CROSS JOIN LATERAL (
    SELECT
        jsonb_array_length(found.value -> 'ranges') < 20 AS is_whole,
        (found.value #>> '{ranges,0,0}')::timestamp AT TIME ZONE 'UTC' AS first_ts,
        (found.value #>> '{ranges,-1,1}')::timestamp AT TIME ZONE 'UTC' AS end_ts
) AS known
ON CONFLICT DO NOTHING;

ALTER TABLE archive_files DROP COLUMN findings;

-- PostgreSQL. Downgrade

-- The other kinds have no place there.
ALTER TABLE archive_files ADD COLUMN findings jsonb NOT NULL DEFAULT '[]';

UPDATE archive_files AS f
SET findings = found.findings
FROM (
    SELECT
        a.ticker,
        a.interval_minutes,
        a.identity,
        jsonb_agg(
            jsonb_build_object('what', whats.what, 'buckets', a.n, 'ranges', a.detail -> 'ranges') ORDER BY a.kind
        ) AS findings
    FROM archive_findings AS a
    JOIN (
        VALUES
        ('two_rows', 'two different rows have this time, so neither is used'),
        ('left_out', 'left out, although shorter candles of the release traded'),
        ('longer_has_more', 'left out, although the longer candle around it counts other trades'),
        ('unsupported', 'stands, although no shorter candle of the release traded'),
        ('other_count', 'its trade count differs from that of the release''s shorter candles'),
        ('stored_else', 'left out, although a candle is stored'),
        ('stored_other', 'differs from the stored candle, which is left alone')
    ) AS whats (kind, what) USING (kind)
    GROUP BY a.ticker, a.interval_minutes, a.identity
) AS found
WHERE (f.ticker, f.interval_minutes, f.identity) = (found.ticker, found.interval_minutes, found.identity);

DROP TABLE archive_findings;
