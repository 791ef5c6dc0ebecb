"""Allow incidents about a pair: unknown, gone, or with odd data."""

from kraken_ohlcv.stores.revision import steps

revision = "0009"
down_revision = "0008"
upgrade, downgrade = steps(__file__)
