"""Calls for trades are counted per run, not per range: a range may use what the run has left."""

from kraken_ohlcv.stores.revision import steps

revision = "0012"
down_revision = "0011"
upgrade, downgrade = steps(__file__)
