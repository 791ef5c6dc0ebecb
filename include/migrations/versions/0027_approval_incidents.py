"""Let a run that waits for an approval be an incident."""

from kraken_ohlcv.stores.revision import steps

revision = "0027"
down_revision = "0026"
upgrade, downgrade = steps(__file__)
