-- PostgreSQL. Upgrade

-- Statements of completeness: what was said of a tier and a range of UTC days, word for word. body: JSON, as text, so
-- that its bytes are those that sha256 is over.
CREATE TABLE statements (
    statement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tier text NOT NULL CHECK (tier IN ('TIER1', 'TIER2', 'TIER3', 'TIER4')),
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    made_at timestamptz NOT NULL,
    body text NOT NULL,
    sha256 text NOT NULL,
    UNIQUE (tier, range_start, range_end, version),
    CHECK (range_start < range_end),
    CONSTRAINT body_is_what_was_hashed CHECK (sha256 = encode(sha256(convert_to(body, 'UTF8')), 'hex'))
);

CREATE FUNCTION refuse_to_change_statements() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'statements are kept as they were made: make another version instead of changing one';
END
$$;
CREATE TRIGGER statements_are_only_added BEFORE UPDATE OR DELETE ON statements
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_statements();

-- PostgreSQL. Downgrade

DROP TABLE statements;
DROP FUNCTION refuse_to_change_statements;
