-- PostgreSQL. Upgrade

-- What has changed of the days of a series and was not looked at since. Only appended to, in the transaction of the
-- change, and emptied by who looks. accounted: buckets were stored, proven empty or found missing; lost: buckets that
-- were stored or proven empty are not what they were; restated: a stored candle was replaced.
CREATE TABLE day_changes (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('accounted', 'lost', 'restated')),
    FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes),
    CHECK (first_day <= last_day)
);

-- The first day of a tier and interval that is looked at, and the assets that were in it at the last look.
CREATE TABLE watched_days (
    tier text NOT NULL CHECK (tier IN ('TIER1', 'TIER2', 'TIER3', 'TIER4')),
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    since date NOT NULL,
    assets jsonb NOT NULL,
    PRIMARY KEY (tier, interval_minutes)
);

-- Days of a tier and interval that are or were complete. revision: the newest; issued: the newest that was handed to a
-- task that publishes it; confirmed: the newest that such a task has published.
CREATE TABLE verified_days (
    tier text NOT NULL,
    interval_minutes integer NOT NULL,
    day date NOT NULL,
    is_complete boolean NOT NULL,
    revision integer NOT NULL CHECK (revision >= 1),
    reason text NOT NULL CHECK (reason IN ('complete', 'repaired', 'restated', 'asset_added')),
    issued integer NOT NULL DEFAULT 0,
    confirmed integer NOT NULL DEFAULT 0,
    tickers text[] NOT NULL CHECK (cardinality(tickers) > 0),
    candles integer NOT NULL CHECK (candles >= 0),
    proven_empty integer NOT NULL CHECK (proven_empty >= 0),
    first_complete_at timestamptz NOT NULL,
    complete_at timestamptz NOT NULL,
    PRIMARY KEY (tier, interval_minutes, day),
    FOREIGN KEY (tier, interval_minutes) REFERENCES watched_days (tier, interval_minutes),
    CHECK (0 <= confirmed AND confirmed <= issued AND issued <= revision)
);
CREATE INDEX verified_days_to_publish ON verified_days (day)
WHERE is_complete AND confirmed < revision;

-- PostgreSQL. Downgrade

DROP TABLE verified_days;
DROP TABLE watched_days;
DROP TABLE day_changes;
