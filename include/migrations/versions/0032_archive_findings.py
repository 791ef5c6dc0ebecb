"""Keep what is wrong with files of the archive in a table of its own."""

from kraken_ohlcv.stores.revision import steps

revision = "0032"
down_revision = "0031"
upgrade, downgrade = steps(__file__)
