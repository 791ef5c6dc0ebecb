"""Remember which checks of what an older version has left behind are done."""

from kraken_ohlcv.stores.revision import steps

revision = "0015"
down_revision = "0014"
upgrade, downgrade = steps(__file__)
