"""How a single bucket stands in the log of seals, with the proof that a third party can check."""

from __future__ import annotations

from kraken_ohlcv.core.bucket_seal import BucketSeal, SealState, inclusion_proof
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.seal import DaySeal, entry_hash
from kraken_ohlcv.core.verified_day import day_of, opens_of_day
from kraken_ohlcv.reader.lines import canonical_lines
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.seals.rebuild import rebuild
from kraken_ohlcv.stores.history import Records
from kraken_ohlcv.stores.ledger.seals import StoredSeal, day_seals


def seal_of(stores: Stores, series: Series, ts_s: int, line: str, *, until_us: int) -> BucketSeal:
    """Return how a bucket stands in the log of seals.

    The whole day is compared with its seal, so that no proof is given of what does not stand as sealed.

    :param stores: both stores; logins that may only read suffice
    :param ts_s: open time of the bucket, epoch seconds UTC
    :param line: its canonical line, as it is known
    :param until_us: only what was sealed up to this moment counts, epoch microseconds
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    day_s = day_of(ts_s, step_s(series.interval_minutes))
    found = day_seals(stores.ledger, first_s=day_s, last_s=day_s)
    try:
        entries = [_entry(one) for one in found]
    except ValueError:
        return BucketSeal(SealState.NOT_AS_SEALED)
    # Of each series the newest one, since they come in the order of the log.
    of_day = {seal.series: seal for seal in entries if seal.as_of_us <= until_us}
    seal = of_day.get(series)
    if seal is None:
        return BucketSeal(SealState.NOT_SEALED)
    records = Records.read(
        stores.questdb, stores.ledger, series, opens_of_day(day_s, series.interval_minutes)
    )
    rebuilt = rebuild(records, series, [seal])
    root, _ = rebuilt.roots.get(0, (b"", b""))
    if root.hex() != seal.root:
        return BucketSeal(SealState.NOT_AS_SEALED, seal)
    places = (rebuilt.buckets["ts_s"] == ts_s).arg_true().to_list()
    if not places:
        return BucketSeal(SealState.CHANGED_SINCE, seal)
    (index,) = places
    sealed = str(canonical_lines(series.interval_minutes, rebuilt.buckets.slice(index, 1))[0])
    return BucketSeal(
        SealState.SEALED if sealed == line else SealState.CHANGED_SINCE,
        seal,
        inclusion_proof(seal, sealed, index, rebuilt.leaves.to_list(), of_day.values()),
    )


def _entry(stored: StoredSeal) -> DaySeal:
    """Return an entry that is what its hash says.

    :raises ValueError: if it is not
    """
    if entry_hash(stored.text) != stored.hash:
        raise ValueError(f"entry {stored.number} of the log of seals has another hash")
    return stored.day
