"""Keep what a run has planned to spend and what it has spent, and let walks wait for an approval."""

from kraken_ohlcv.stores.revision import steps

revision = "0023"
down_revision = "0022"
upgrade, downgrade = steps(__file__)
