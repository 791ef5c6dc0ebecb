"""The simulated exchange's OHLCVT archive: quarterly zips made from its trades, served with all quirks."""
