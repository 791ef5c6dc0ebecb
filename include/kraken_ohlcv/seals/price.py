"""The price at a time, with the seals of what it rests on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from kraken_ohlcv.core.bucket_seal import SealState
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.reader.past import AsOf
from kraken_ohlcv.reader.price_at import PriceStatement, StatedBucket, state_price
from kraken_ohlcv.reader.stores import Stores, opened
from kraken_ohlcv.reader.times import Moment
from kraken_ohlcv.seals.proof import seal_of


def price_at(
    ticker: str,
    interval_minutes: int,
    at: Moment,
    *,
    as_of: AsOf | None = None,
    stores: Stores | None = None,
) -> PriceStatement:
    """Return the price of a series at a time, and what proves it.

    At a boundary of two buckets, the price is the close of the one that closes there, and the bucket that
    contains the time is the one that opens there.

    :param ticker: Kraken's altname, for example ``XBTUSD``
    :param interval_minutes: candle length, minutes: 1, 5, 15, 30, 60, 240, 1440, 10080 or 21600
    :param at: ISO text, date or time, UTC without an offset; a fraction of a second does not count
    :param as_of: as of :func:`kraken_ohlcv.reader.candles.read_candles`; None = the newest moment that no
        open write can change
    :param stores: open stores; None = those of the environment, opened for this call
    :return: the statement, with the seals of its buckets and the proofs that they are in them; its ``price``
        is None when nothing proves that no later candle closed by then, or when the day of the candle does
        not hold what was sealed
    :raises BadRequestError: if an argument cannot be used, the time is later than ``as_of``, or the pair had
        no bucket that closed by then, or had left Kraken before
    :raises SnapshotError: if there is no such snapshot
    :raises SetUpError: if a store is not set up, another version's, or its login may not read
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    with opened(stores) as both:
        statement = state_price(both, ticker, interval_minutes, at, as_of=as_of)
        before = _sealed(both, statement, statement.before)
        candle = statement.candle
        if candle is not None:
            candle = before if candle == statement.before else _sealed(both, statement, candle)
        containing = _sealed(both, statement, statement.containing)
    sealed = replace(statement, candle=candle, before=before, containing=containing)
    broken = next((one for one in (candle, before) if one is not None and _is_broken(one)), None)
    if broken is None or statement.doubt:
        return sealed
    doubt = (
        f"the day of the bucket from {broken.start.isoformat()} on does not hold what was sealed: "
        "kraken-ohlcv verify names what differs"
    )
    return replace(sealed, price=None, doubt=doubt)


def _sealed(stores: Stores, statement: PriceStatement, bucket: StatedBucket) -> StatedBucket:
    """Return a bucket with its seal; one that is open has none."""
    if bucket.line is None:
        return bucket
    ts_s = int(bucket.start.timestamp())
    until_us = (statement.as_of - utc(0)) // timedelta(microseconds=1)
    return replace(bucket, seal=seal_of(stores, statement.series, ts_s, bucket.line, until_us=until_us))


def _is_broken(bucket: StatedBucket) -> bool:
    return bucket.seal is not None and bucket.seal.state is SealState.NOT_AS_SEALED
