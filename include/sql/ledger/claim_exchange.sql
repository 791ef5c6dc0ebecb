-- PostgreSQL. Remember the exchange's base URL at first use; return the one this ledger belongs to.
-- In: base_url. Out: base_url as recorded.
INSERT INTO exchange AS e (base_url)
VALUES (%(base_url)s)
ON CONFLICT (id) DO UPDATE SET base_url = e.base_url
RETURNING e.base_url
