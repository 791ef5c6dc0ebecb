-- PostgreSQL. Upgrade

CREATE TABLE one_off_checks (
    name text PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now(),
    found integer NOT NULL CHECK (found >= 0)
);

-- PostgreSQL. Downgrade

DROP TABLE one_off_checks;
