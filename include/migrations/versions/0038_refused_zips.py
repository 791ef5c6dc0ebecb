"""Keep which zips of the archive were refused as a whole, as findings about no series."""

from kraken_ohlcv.stores.revision import steps

revision = "0038"
down_revision = "0037"
upgrade, downgrade = steps(__file__)
