"""Call the subjects that messages have named, and the time of the last of these messages, what they are."""

from kraken_ohlcv.stores.revision import steps

revision = "0021"
down_revision = "0020"
upgrade, downgrade = steps(__file__)
