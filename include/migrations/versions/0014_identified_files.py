"""Remember by what an archive file is known to be that of its series; not known = nothing tells yet."""

from kraken_ohlcv.stores.revision import steps

revision = "0014"
down_revision = "0013"
upgrade, downgrade = steps(__file__)
