"""Keep since when an asset is kept as it is now."""

from kraken_ohlcv.stores.revision import steps

revision = "0029"
down_revision = "0028"
upgrade, downgrade = steps(__file__)
