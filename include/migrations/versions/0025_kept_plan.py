"""Keep the plan of what is kept, and whether a line or a rule of it brought an asset."""

from kraken_ohlcv.stores.revision import steps

revision = "0025"
down_revision = "0024"
upgrade, downgrade = steps(__file__)
