"""Create the ledger: catalogue, series, gaps, outcomes, proof of emptiness, restatements, runs, call slot."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INTERVAL_CHECK = "CHECK (interval_minutes IN (1, 5, 15, 30, 60, 240, 1440, 10080, 21600))"

TABLES = {
    "exchange": """
        CREATE TABLE exchange (
            id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
            base_url text NOT NULL,
            first_used_at timestamptz NOT NULL DEFAULT now()
        )""",
    "api_slot": """
        CREATE TABLE api_slot (
            name text PRIMARY KEY,
            next_at timestamptz NOT NULL
        )""",
    "assets": """
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
            first_trade_at timestamptz
        )""",
    "series": f"""
        CREATE TABLE series (
            series_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            ticker text NOT NULL REFERENCES assets,
            interval_minutes integer NOT NULL {INTERVAL_CHECK},
            start_ts timestamptz NOT NULL,
            revision bigint NOT NULL DEFAULT 0,
            UNIQUE (ticker, interval_minutes)
        )""",
    "gap_records": f"""
        CREATE TABLE gap_records (
            gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            ticker text NOT NULL,
            interval_minutes integer NOT NULL {INTERVAL_CHECK},
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
        )""",
    "gap_outcomes": """
        CREATE TABLE gap_outcomes (
            dag_id text NOT NULL,
            run_id text NOT NULL,
            gap_id bigint NOT NULL REFERENCES gap_records ON DELETE CASCADE,
            outcome text NOT NULL CHECK (outcome IN ('filled', 'unfillable', 'failed', 'deferred')),
            tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
            candles integer NOT NULL DEFAULT 0 CHECK (candles >= 0),
            error text,
            PRIMARY KEY (dag_id, run_id, gap_id)
        )""",
    "proven_empty": f"""
        CREATE TABLE proven_empty (
            range_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            ticker text NOT NULL,
            interval_minutes integer NOT NULL {INTERVAL_CHECK},
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
        )""",
    "empty_sightings": f"""
        CREATE TABLE empty_sightings (
            ticker text NOT NULL,
            interval_minutes integer NOT NULL {INTERVAL_CHECK},
            range_start timestamptz NOT NULL,
            range_end timestamptz NOT NULL,
            first_seen_at timestamptz NOT NULL,
            PRIMARY KEY (ticker, interval_minutes, range_start),
            FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes),
            CHECK (range_start < range_end)
        )""",
    "candle_restatements": f"""
        CREATE TABLE candle_restatements (
            restatement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            ticker text NOT NULL,
            interval_minutes integer NOT NULL {INTERVAL_CHECK},
            ts timestamptz NOT NULL,
            source text NOT NULL,
            old jsonb NOT NULL,
            new jsonb NOT NULL,
            first_seen_at timestamptz NOT NULL,
            applied_at timestamptz,
            FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes)
        )""",
    "backfill_runs": """
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
        )""",
}

INDEXES = (
    "CREATE INDEX gap_records_open ON gap_records (ticker, interval_minutes, gap_start)"
    " WHERE status <> 'FILLED'",
    "CREATE INDEX gap_outcomes_gap ON gap_outcomes (gap_id)",
    "CREATE INDEX gap_records_parent ON gap_records (parent) WHERE parent IS NOT NULL",
    "CREATE UNIQUE INDEX candle_restatements_pending ON candle_restatements (ticker, interval_minutes, ts)"
    " WHERE applied_at IS NULL",
)


def upgrade() -> None:
    """Create all tables; btree_gist makes equality usable in the exclusion constraints."""
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    for statement in (*TABLES.values(), *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    """Drop all tables."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
