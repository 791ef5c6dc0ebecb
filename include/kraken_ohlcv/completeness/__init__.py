"""How complete the candles are: counted bucket by bucket in the stores, never derived from the gap records.

Every closed bucket of a series' grid (from the series' start to the exchange's time, or to when its pair
left) is exactly one of

* *stored*: a candle stands in QuestDB, whatever the ledger says;
* *proven empty*: not stored, and the ledger has the evidence (``archive``, ``ohlc``, ``trades``);
* *missing*: due, and neither; by its reach *fillable* (inside the API window), *expiring* (for a day at
  most), or *unfillable* (beyond it, or of a pair that is gone);
* *pending*: neither, and not due yet (:func:`kraken_ohlcv.core.freshness.due_end_s`): no fault of anybody.

``expected = stored + proven_empty + missing``. The figures of a series, the cells of the heatmap and the
cross-check count in sets of bits (``SeriesBuckets``), which come from the pages of the ledger as long as
QuestDB counts as many candles as these say; what has changed since is read from QuestDB.
"""
