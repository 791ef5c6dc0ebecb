"""Keep what writes replace, and when proofs and starts were recorded, so that the past can be read."""

from kraken_ohlcv.stores.revision import steps

revision = "0028"
down_revision = "0027"
upgrade, downgrade = steps(__file__)
