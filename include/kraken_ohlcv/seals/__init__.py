"""Seals what stands in each series on each UTC day, and checks later that it still does.

``docs/SEALS.md`` defines every byte; :mod:`kraken_ohlcv.core.seal` is the log's entries.
"""
