"""The ledger in PostgreSQL: statements by name from ``include/sql/ledger``, and steps of several of them."""
