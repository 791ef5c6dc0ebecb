"""Call a range to rebuild a job, and the place where a walk through it stands a cursor."""

from kraken_ohlcv.stores.revision import steps

revision = "0020"
down_revision = "0019"
upgrade, downgrade = steps(__file__)
