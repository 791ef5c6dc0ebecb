-- PostgreSQL. Upgrade

-- For equality in the exclusion constraints.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE exchange (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    base_url text NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_slot (
    name text PRIMARY KEY,
    next_at timestamptz NOT NULL
);

CREATE TABLE assets (
    ticker text PRIMARY KEY CHECK (ticker ~ '^[A-Z0-9]{4,20}$'),
    base text NOT NULL,
    quote text NOT NULL,
    tier text NOT NULL CHECK (tier IN ('TIER1', 'TIER2', 'TIER3', 'TIER4')),
    active boolean NOT NULL,
    position integer NOT NULL,
    note text,
    pair_status text,
    gone_since timestamptz,
    first_trade_at timestamptz,
    added_at timestamptz NOT NULL DEFAULT now(),
    pair_decimals integer CHECK (pair_decimals >= 0),
    history_from date
);

CREATE TABLE series (
    series_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL REFERENCES assets,
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    start_ts timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 0,
    UNIQUE (ticker, interval_minutes)
);

CREATE TABLE gap_records (
    gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    gap_start timestamptz NOT NULL,
    gap_end timestamptz NOT NULL,
    missing_candles integer NOT NULL CHECK (missing_candles > 0),
    is_api_fillable boolean NOT NULL,
    overflow_candles integer NOT NULL CHECK (overflow_candles >= 0),
    candles_from_today integer NOT NULL CHECK (candles_from_today >= 0),
    status text NOT NULL
        CHECK (status IN ('DETECTED', 'BACKFILLING', 'FILLED', 'FAILED', 'UNFILLABLE')),
    detected_at timestamptz NOT NULL,
    backfill_attempted_at timestamptz,
    filled_at timestamptz,
    required_csv_file text,
    error_message text,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz,
    expires_at timestamptz NOT NULL,
    filled_from text CHECK (filled_from IN ('ohlc', 'trades', 'archive', 'observed', 'empty')),
    unfillable_reason text
        CHECK (unfillable_reason IN ('past_edge', 'not_published', 'pair_gone', 'nobody_has_it')),
    parent bigint REFERENCES gap_records ON DELETE SET NULL,
    FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes),
    CHECK (gap_start < gap_end),
    CHECK (missing_candles = extract(epoch FROM gap_end - gap_start) / (60 * interval_minutes)),
    CHECK (extract(epoch FROM gap_start)::bigint % (60 * interval_minutes) = 0),
    CHECK ((status = 'FILLED') = (filled_at IS NOT NULL AND filled_from IS NOT NULL)),
    CHECK ((status = 'UNFILLABLE') = (unfillable_reason IS NOT NULL)),
    CHECK (status <> 'UNFILLABLE' OR required_csv_file IS NOT NULL),
    CONSTRAINT open_gaps_never_overlap EXCLUDE USING gist (
        ticker WITH =,
        interval_minutes WITH =,
        tstzrange(gap_start, gap_end, '[)') WITH &&
    ) WHERE (status <> 'FILLED')
);
CREATE INDEX gap_records_open ON gap_records (ticker, interval_minutes, gap_start)
WHERE status <> 'FILLED';
CREATE INDEX gap_records_parent ON gap_records (parent)
WHERE parent IS NOT NULL;
CREATE INDEX gap_records_old ON gap_records (
    ticker, interval_minutes, status, (coalesce(filled_at, backfill_attempted_at, detected_at))
)
WHERE status IN ('FILLED', 'FAILED');

CREATE TABLE gap_outcomes (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    gap_id bigint NOT NULL REFERENCES gap_records ON DELETE CASCADE,
    outcome text NOT NULL CHECK (outcome IN ('filled', 'unfillable', 'failed', 'deferred')),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    candles integer NOT NULL DEFAULT 0 CHECK (candles >= 0),
    error text,
    PRIMARY KEY (dag_id, run_id, gap_id)
);
CREATE INDEX gap_outcomes_gap ON gap_outcomes (gap_id);

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

CREATE TABLE empty_sightings (
    ticker text NOT NULL,
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (ticker, interval_minutes, range_start),
    FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes),
    CHECK (range_start < range_end)
);

CREATE TABLE candle_restatements (
    restatement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)),
    ts timestamptz NOT NULL,
    source text NOT NULL,
    old jsonb NOT NULL,
    new jsonb NOT NULL,
    first_seen_at timestamptz NOT NULL,
    applied_at timestamptz,
    FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes)
);
CREATE UNIQUE INDEX candle_restatements_pending ON candle_restatements (ticker, interval_minutes, ts)
WHERE applied_at IS NULL;

CREATE TABLE backfill_runs (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    exchange_now timestamptz NOT NULL,
    tier text NOT NULL,
    intervals integer[] NOT NULL,
    assets_processed integer NOT NULL DEFAULT 0,
    series_processed integer[] NOT NULL DEFAULT '{}',
    remarks jsonb NOT NULL DEFAULT '{}',
    ohlc_calls integer NOT NULL DEFAULT 0,
    api_calls integer NOT NULL DEFAULT 0,
    candles_restated integer NOT NULL DEFAULT 0,
    PRIMARY KEY (dag_id, run_id)
);

CREATE TABLE incidents (
    incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    class text NOT NULL CHECK (class IN ('stale', 'source', 'run', 'at_risk')),
    headline text NOT NULL,
    since timestamptz NOT NULL,
    subjects jsonb NOT NULL,
    tried text,
    url text,
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    recovered_at timestamptz,
    good_checks integer NOT NULL DEFAULT 0 CHECK (good_checks >= 0),
    told text[] NOT NULL,
    growths integer NOT NULL DEFAULT 0 CHECK (growths >= 0),
    told_at timestamptz NOT NULL,
    snoozed_until timestamptz,
    snoozed_by text,
    warning text
);
CREATE UNIQUE INDEX incidents_one_open_a_key ON incidents (key)
WHERE recovered_at IS NULL;

CREATE TABLE incident_messages (
    message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incidents ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('opened', 'grew', 'recovered')),
    created_at timestamptz NOT NULL,
    attempted_at timestamptz,
    sent_at timestamptz,
    dropped_at timestamptz,
    via text CHECK (via IN ('webhook', 'api')),
    channel text,
    ts text,
    shown text,
    edited_at timestamptz,
    told_with bigint REFERENCES incident_messages ON DELETE SET NULL,
    is_resent boolean NOT NULL DEFAULT FALSE,
    tries integer NOT NULL DEFAULT 0,
    error text
);
CREATE INDEX incident_messages_of_incident ON incident_messages (incident_id);
CREATE INDEX incident_messages_pending ON incident_messages (message_id)
WHERE sent_at IS NULL AND dropped_at IS NULL;
CREATE INDEX incident_messages_told_with ON incident_messages (told_with)
WHERE told_with IS NOT NULL;

CREATE TABLE catch_ups (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    triggered_at timestamptz NOT NULL,
    tickers text[] NOT NULL,
    intervals integer[] NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (dag_id, run_id)
);

CREATE TABLE archive_files (
    file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    identity text NOT NULL,
    ticker text NOT NULL REFERENCES assets,
    interval_minutes integer NOT NULL,
    release text,
    version integer NOT NULL CHECK (version >= 1),
    verified text NOT NULL CHECK (verified IN ('sha256', 'crc32')),
    first_ts timestamptz NOT NULL,
    end_ts timestamptz NOT NULL,
    rows_good bigint NOT NULL CHECK (rows_good >= 1),
    rows_bad bigint NOT NULL CHECK (rows_bad >= 0),
    rows_written bigint NOT NULL CHECK (rows_written >= 0),
    rows_equal bigint NOT NULL CHECK (rows_equal >= 0),
    findings jsonb NOT NULL DEFAULT '[]',
    reject_file text,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    ingested_at timestamptz NOT NULL,
    UNIQUE (ticker, interval_minutes, identity)
);
CREATE INDEX archive_files_name ON archive_files (name);

CREATE TABLE archive_results (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    name text NOT NULL,
    result jsonb NOT NULL,
    PRIMARY KEY (dag_id, run_id, name)
);

CREATE TABLE trade_errands (
    errand_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    ticker text NOT NULL,
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    calls integer NOT NULL CHECK (calls > 0),
    allotted integer NOT NULL CHECK (allotted >= 0),
    made integer NOT NULL DEFAULT 0 CHECK (made >= 0),
    is_recheck boolean NOT NULL,
    reached_at timestamptz NOT NULL,
    planned_at timestamptz NOT NULL,
    UNIQUE (dag_id, run_id, ticker, range_start),
    CHECK (range_start < range_end)
);

CREATE TABLE trade_passes (
    ticker text NOT NULL,
    range_end timestamptz NOT NULL,
    is_recheck boolean NOT NULL,
    state jsonb NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (ticker, range_end, is_recheck)
);

CREATE TABLE weekly_trades (
    ticker text NOT NULL,
    week_start timestamptz NOT NULL,
    trades bigint NOT NULL CHECK (trades >= 0),
    PRIMARY KEY (ticker, week_start)
);

CREATE TABLE completeness_reports (
    report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    reported_at timestamptz NOT NULL,
    tier text NOT NULL,
    intervals integer[] NOT NULL,
    total_assets integer NOT NULL CHECK (total_assets >= 0),
    assets_with_gaps integer NOT NULL CHECK (assets_with_gaps BETWEEN 0 AND total_assets),
    completeness_pct double precision NOT NULL,
    body jsonb NOT NULL,
    digest_attempted_at timestamptz,
    digest_sent_at timestamptz,
    digest_error text,
    UNIQUE (dag_id, run_id)
);
CREATE INDEX completeness_reports_in_time ON completeness_reports (reported_at);

CREATE TABLE completeness_lines (
    report_id bigint NOT NULL REFERENCES completeness_reports ON DELETE CASCADE,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    tier text NOT NULL,
    stored bigint NOT NULL,
    proven_archive bigint NOT NULL,
    proven_ohlc bigint NOT NULL,
    proven_trades bigint NOT NULL,
    fillable bigint NOT NULL,
    expiring bigint NOT NULL,
    unfillable bigint NOT NULL,
    pending bigint NOT NULL,
    restated bigint NOT NULL,
    strays bigint NOT NULL,
    missing bigint GENERATED ALWAYS AS (fillable + expiring + unfillable) STORED,
    expected bigint GENERATED ALWAYS AS (
        stored + proven_archive + proven_ohlc + proven_trades + fillable + expiring + unfillable
    ) STORED,
    first_candle timestamptz,
    last_candle timestamptz,
    oldest_missing timestamptz,
    next_expiry timestamptz,
    fillable_gaps integer NOT NULL,
    unfillable_gaps integer NOT NULL,
    PRIMARY KEY (report_id, ticker, interval_minutes)
);

CREATE TABLE gap_history (
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    status text NOT NULL CHECK (status IN ('FILLED', 'FAILED')),
    filled_from text NOT NULL,
    gaps bigint NOT NULL CHECK (gaps > 0),
    candles bigint NOT NULL CHECK (candles > 0),
    attempts bigint NOT NULL CHECK (attempts >= 0),
    open_s double precision NOT NULL,
    longest_open_s double precision NOT NULL,
    PRIMARY KEY (month, ticker, interval_minutes, status, filled_from),
    CHECK ((status = 'FILLED') = (filled_from <> ''))
);

CREATE TABLE archive_quarters (
    quarter text PRIMARY KEY CHECK (quarter ~ '^[0-9]{4}Q[1-4]$'),
    name text,
    asked_at timestamptz NOT NULL,
    ask_again_at timestamptz NOT NULL
);
