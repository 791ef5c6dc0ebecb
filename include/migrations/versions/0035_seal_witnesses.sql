-- PostgreSQL. What vouches for entries of the log of seals: signatures, and time stamps of others.

-- value: 64 bytes of an Ed25519 signature, or a reply as of RFC 3161 (DER). public_key: hexadecimal.
CREATE TABLE seal_witnesses (
    number bigint NOT NULL CHECK (number > 0),
    kind text NOT NULL CHECK (kind IN ('signature', 'time_stamp')),
    value bytea NOT NULL,
    public_key text CHECK (public_key ~ '^[0-9a-f]{64}$'),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (number, kind),
    CHECK ((kind = 'signature') = (public_key IS NOT NULL)),
    CHECK (kind <> 'signature' OR length(value) = 64)
);

-- PostgreSQL. Downgrade

DROP TABLE seal_witnesses;
