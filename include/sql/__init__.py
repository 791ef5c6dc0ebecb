"""Statements of both stores, installed as ``kraken_ohlcv.sql``."""
