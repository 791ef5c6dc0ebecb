"""Reads candles with what is known of each bucket, from both stores, without Airflow; refuses holes.

A read looks at three things, in this order, so that what happens meanwhile is never read over: the ledger's
proofs of emptiness, the candles in QuestDB, and the clock as it stood before both. A bucket is what
:class:`kraken_ohlcv.core.bucket_status.BucketStatus` says; one that the pair cannot have (before its first
trade, after it left the exchange, not closed yet) has no row.
"""
