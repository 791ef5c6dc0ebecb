"""Keep statements of completeness."""

from kraken_ohlcv.stores.revision import steps

revision = "0034"
down_revision = "0033"
upgrade, downgrade = steps(__file__)
