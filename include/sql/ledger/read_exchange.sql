-- PostgreSQL. The exchange that the ledger belongs to. Out: base_url; no row for a ledger that was never used.
SELECT base_url
FROM exchange
