"""Keep beside the seal of a day when its candles had been stored."""

from kraken_ohlcv.stores.revision import steps

revision = "0036"
down_revision = "0035"
upgrade, downgrade = steps(__file__)
