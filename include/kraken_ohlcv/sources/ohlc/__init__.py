"""Kraken's OHLC call: the newest 720 buckets of a series."""
