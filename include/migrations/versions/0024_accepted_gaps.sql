-- PostgreSQL. Upgrade

-- Who decided that what is missing stays missing. Every bucket of such a record is missing, so that none becomes
-- part of it without being decided on.
ALTER TABLE gap_records
ADD COLUMN accepted_by text CHECK (accepted_by <> ''),
ADD COLUMN accepted_at timestamptz,
ADD COLUMN accepted_reason text CHECK (accepted_reason <> ''),
ADD CONSTRAINT accepted_by_whom_when_and_why CHECK (
    num_nonnulls(accepted_by, accepted_at, accepted_reason) IN (0, 3)
),
ADD CONSTRAINT accepted_while_open CHECK (accepted_by IS NULL OR status NOT IN ('BACKFILLING', 'FILLED')),
ADD CONSTRAINT accepted_are_all_missing CHECK (
    accepted_by IS NULL
    OR missing_candles = extract(epoch FROM gap_end - gap_start) / (60 * interval_minutes)
);
CREATE INDEX gap_records_accepted ON gap_records (ticker, interval_minutes, gap_start) WHERE accepted_by IS NOT NULL;

-- Every decision, with the very buckets it is about.
CREATE TABLE gap_decisions (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticker text NOT NULL,
    interval_minutes integer NOT NULL,
    decision text NOT NULL CHECK (decision IN ('accepted', 'taken_back')),
    buckets tstzmultirange NOT NULL CHECK (NOT isempty(buckets)),
    candles integer NOT NULL CHECK (candles > 0),
    decided_by text NOT NULL CHECK (decided_by <> ''),
    decided_at timestamptz NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    dag_id text,
    run_id text,
    FOREIGN KEY (ticker, interval_minutes) REFERENCES series (ticker, interval_minutes),
    CONSTRAINT a_run_has_both_ids CHECK ((dag_id IS NULL) = (run_id IS NULL))
);
CREATE INDEX gap_decisions_of_series ON gap_decisions (ticker, interval_minutes);

CREATE FUNCTION refuse_to_change_decisions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'gap_decisions is a history: record another decision instead of changing one';
END
$$;
CREATE TRIGGER decisions_are_only_added BEFORE UPDATE OR DELETE ON gap_decisions
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_decisions();

-- PostgreSQL. Downgrade

DROP TABLE gap_decisions;
DROP FUNCTION refuse_to_change_decisions;
DROP INDEX gap_records_accepted;
ALTER TABLE gap_records
DROP COLUMN accepted_by,
DROP COLUMN accepted_at,
DROP COLUMN accepted_reason;
