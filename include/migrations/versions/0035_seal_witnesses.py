"""Keep who vouches for the log of seals."""

from kraken_ohlcv.stores.revision import steps

revision = "0035"
down_revision = "0034"
upgrade, downgrade = steps(__file__)
