-- PostgreSQL. Let a used ledger belong to another exchange from now on. In: base_url.
UPDATE exchange
SET base_url = %(base_url)s, first_used_at = now()
WHERE base_url <> %(base_url)s
