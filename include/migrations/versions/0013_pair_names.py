"""Remember under which names Kraken answers for a pair."""

from kraken_ohlcv.stores.revision import steps

revision = "0013"
down_revision = "0012"
upgrade, downgrade = steps(__file__)
