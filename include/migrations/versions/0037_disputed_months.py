"""Find the coverage months with a dispute without reading the others."""

from kraken_ohlcv.stores.revision import steps

revision = "0037"
down_revision = "0036"
upgrade, downgrade = steps(__file__)
