"""Keep what each day had for targets, and let a budget that burns be an incident."""

from kraken_ohlcv.stores.revision import steps

revision = "0030"
down_revision = "0029"
upgrade, downgrade = steps(__file__)
