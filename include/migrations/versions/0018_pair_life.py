"""Remember which pairs were ever listed, which the catalogue does not expect, and how clocks went."""

from kraken_ohlcv.stores.revision import steps

revision = "0018"
down_revision = "0017"
upgrade, downgrade = steps(__file__)
