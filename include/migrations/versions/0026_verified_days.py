"""Record which days of a tier are verified, what was published of them, and what is to be looked at again."""

from kraken_ohlcv.stores.revision import steps

revision = "0026"
down_revision = "0025"
upgrade, downgrade = steps(__file__)
