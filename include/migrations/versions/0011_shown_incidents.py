"""Keep what is shown of an incident with the incident, instead of a queue of messages."""

from kraken_ohlcv.stores.revision import steps

revision = "0011"
down_revision = "0010"
upgrade, downgrade = steps(__file__)
