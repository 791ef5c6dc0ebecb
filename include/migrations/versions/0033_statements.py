"""Keep statements of completeness."""

from kraken_ohlcv.stores.revision import steps

revision = "0033"
down_revision = "0032"
upgrade, downgrade = steps(__file__)
