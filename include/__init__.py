"""What the distribution is made of; installed as ``kraken_ohlcv.shipped``, for the plan that lies here."""
