"""${message}."""

from kraken_ohlcv.stores.revision import steps

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
upgrade, downgrade = steps(__file__)
