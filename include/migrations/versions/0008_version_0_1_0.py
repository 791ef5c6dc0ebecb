"""Create the ledger as version 0.1.0 left it."""

from kraken_ohlcv.stores.revision import steps

revision = "0008"
down_revision = None
upgrade, downgrade = steps(__file__)
