"""Call the source of provisional candles by its present name in what is remembered of them."""

from kraken_ohlcv.stores.revision import steps

revision = "0010"
down_revision = "0009"
upgrade, downgrade = steps(__file__)
