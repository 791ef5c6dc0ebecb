"""Remember which candles contradict what trades have proven, and whether trades were asked once more."""

from kraken_ohlcv.stores.revision import steps

revision = "0017"
down_revision = "0016"
upgrade, downgrade = steps(__file__)
