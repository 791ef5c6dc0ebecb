"""Kraken's OHLCVT archive: reading its files, checking rows, storing what is missing, closing gaps."""
