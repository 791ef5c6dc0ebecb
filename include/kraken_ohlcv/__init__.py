"""Keeps Kraken candles in QuestDB complete, fresh and provably so; free of Airflow.

What every docstring of this package takes for granted:

* ``connection``: an open connection to the ledger in PostgreSQL; ``questdb``: the client of the candle store.
* ``run``: the key of the DAG run that records what it does; ``request``: the params that the run was given.
* ``ticker``: Kraken's altname, for example ``XBTUSD``; ``interval_minutes``: length of a candle, minutes;
  ``series``: both together. ``gap``: buckets in a row that are neither stored nor proven empty.
* ``now_s``: the exchange's time, asked once per run. Moments ending in ``_s`` are epoch seconds UTC, ranges
  are half-open.

docs/GLOSSARY.md has the other terms.

Who reads candles needs only ``from kraken_ohlcv import read_candles`` and the other names of :data:`READER`;
docs/READ.md and docs/EXPORT.md show how.
"""

from importlib import import_module
from typing import Any

READER = {
    "BucketStatus": "core.bucket_status",
    "Hole": "reader.holes",
    "IncompleteError": "reader.holes",
    "complete_until": "reader.figures",
    "coverage": "reader.figures",
    "export_candles": "export",
    "iter_candles": "reader.candles",
    "open_stores": "reader.stores",
    "price_at": "seals.price",
    "read_candles": "reader.candles",
    "snapshot": "reader.past",
    "tickers_of": "reader.scope",
    "verify": "seals.verify",
}
"""Module of each name for readers; imported at first use, since frames are slow to import and DAG files do
without them."""

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Return a name for readers."""
    if name not in READER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{READER[name]}"), name)
