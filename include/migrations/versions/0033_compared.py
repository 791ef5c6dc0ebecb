"""Keep how much of a range to repair was compared, how much differed, and by which trades."""

from kraken_ohlcv.stores.revision import steps

revision = "0033"
down_revision = "0032"
upgrade, downgrade = steps(__file__)
