"""The ledger in PostgreSQL: one module a group of tables, statements from ``include/sql/ledger``."""
