"""Keep what is proven empty and what is missing as one row of bitmaps per series and UTC month."""

from kraken_ohlcv.stores.revision import steps

revision = "0022"
down_revision = "0021"
upgrade, downgrade = steps(__file__)
