"""Keeps Kraken candles in QuestDB complete, fresh and provably so; free of Airflow.

What every docstring of this package takes for granted:

* ``connection``: an open connection to the ledger in PostgreSQL; ``questdb``: the client of the candle store.
* ``run``: the key of the DAG run that records what it does; ``request``: the params that the run was given.
* ``ticker``: Kraken's altname, for example ``XBTUSD``; ``interval_minutes``: length of a candle, minutes;
  ``series``: both together. ``gap``: buckets in a row that are neither stored nor proven empty.
* ``now_s``: the exchange's time, asked once per run. Moments ending in ``_s`` are epoch seconds UTC, ranges
  are half-open.

docs/GLOSSARY.md has the other terms.
"""

__version__ = "0.1.0"
