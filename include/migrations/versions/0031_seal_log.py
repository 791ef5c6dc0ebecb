"""Keep a log of seals that only grows, and what each write adds to sealed days."""

from kraken_ohlcv.stores.revision import steps

revision = "0031"
down_revision = "0030"
upgrade, downgrade = steps(__file__)
