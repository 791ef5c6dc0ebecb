"""The ledger's migrations, installed as ``kraken_ohlcv.migrations``."""
