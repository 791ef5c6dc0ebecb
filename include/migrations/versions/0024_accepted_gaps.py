"""Let people accept that a hole stays, and keep who decided what, when and why."""

from kraken_ohlcv.stores.revision import steps

revision = "0024"
down_revision = "0023"
upgrade, downgrade = steps(__file__)
