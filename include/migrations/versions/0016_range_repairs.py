"""Remember what a run has settled in the range it was asked to repair, and what it stored outside of gaps."""

from kraken_ohlcv.stores.revision import steps

revision = "0016"
down_revision = "0015"
upgrade, downgrade = steps(__file__)
