-- PostgreSQL. Upgrade

CREATE TABLE disputes (
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL CHECK (range_end > range_start),
    candles text NOT NULL,
    found_at timestamptz NOT NULL,
    rechecked_at timestamptz,
    PRIMARY KEY (ticker, interval_minutes, range_start)
);

-- PostgreSQL. Downgrade

DROP TABLE disputes;
