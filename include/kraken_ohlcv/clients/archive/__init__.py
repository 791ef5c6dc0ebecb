"""The web server with Kraken's OHLCVT archive, read by ranges."""
