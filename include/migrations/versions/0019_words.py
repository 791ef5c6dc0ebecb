"""Call what lies outside the API window, and a pair that left, by the words of the rest of the package."""

from kraken_ohlcv.stores.revision import steps

revision = "0019"
down_revision = "0018"
upgrade, downgrade = steps(__file__)
