"""The exchange's clock: what is closed hangs on it, so it is believed only where nothing contradicts it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from kraken_ohlcv.clients.errors import KrakenError, KrakenNotBelievedError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import duration
from kraken_ohlcv.stores.ledger.session import Connection, first, value

log = logging.getLogger(__name__)

AHEAD_S: Final = 60
"""The newest row of an answer may lie so far behind the moment at which it was asked for, seconds: servers of
the exchange differ a little."""


class Reading(NamedTuple):
    """Both clocks at one moment, epoch seconds UTC.

    :ivar exchange_s: the exchange's
    :ivar worker_s: the worker's
    """

    exchange_s: int
    worker_s: float


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is.

    :ivar now_s: the exchange's time; the later of both clocks in doubt, the worker's when the exchange does
        not answer; epoch seconds UTC
    :ivar source: whose clock that is: ``exchange`` or ``worker``
    :ivar doubt: why the exchange's clock is not believed, or that it does not answer, a sentence, or None
    :ivar error: why it does not answer, or None
    """

    now_s: int
    source: str
    doubt: str | None = None
    error: KrakenError | None = None

    def believed_s(self) -> int:
        """Return the exchange's time for a run that calls buckets closed by it, epoch seconds UTC.

        :raises KrakenNotBelievedError: if it cannot be believed; nothing may be called closed then
        :raises KrakenError: if the exchange does not tell it
        """
        if self.error is not None:
            raise self.error
        if self.doubt is not None:
            raise KrakenNotBelievedError(self.doubt)
        return self.now_s


def why_not(seen: Reading, before: Reading | None, *, max_skew_s: float) -> str | None:
    """Return why a reading of the exchange's clock cannot be believed.

    :param seen: both clocks now
    :param before: both clocks at the look before, or None at the first
    :param max_skew_s: how far they may differ, seconds
    :return: a sentence that names both clocks and the cure, or None
    """
    cure = (
        "is the worker's clock right (NTP)? A larger difference is allowed by max_clock_skew_s in the extra "
        "of the exchange's connection"
    )
    skew_s = seen.exchange_s - seen.worker_s
    if abs(skew_s) > max_skew_s:
        side = "behind" if skew_s < 0 else "ahead of"
        return (
            f"Kraken's clock is {duration(int(abs(skew_s)))} {side} the worker's: it says "
            f"{iso(seen.exchange_s)} UTC, the worker's {iso(int(seen.worker_s))} UTC; {cure}"
        )
    if before is None or abs(before.exchange_s - before.worker_s) > max_skew_s:
        return None
    moved_s, passed_s = seen.exchange_s - before.exchange_s, seen.worker_s - before.worker_s
    if abs(moved_s - passed_s) > max_skew_s:
        how = "stood still" if moved_s == 0 else f"moved by {moved_s} s"
        return (
            f"Kraken's clock {how} while {duration(int(abs(passed_s)))} passed on the worker's: it says "
            f"{iso(seen.exchange_s)} UTC; {cure}"
        )
    return None


def ask_clock(connection: Connection, kraken: KrakenClient, worker_now: Callable[[], float]) -> Clock:
    """Ask the exchange's clock, and compare it with the worker's and with the look before.

    :param connection: the ledger, which remembers both clocks for the next look
    :param kraken: client of the exchange
    :param worker_now: the worker's clock, epoch seconds UTC
    :return: the time; in doubt it is the later of both, so that nothing late looks on time
    Rule: a bucket is closed when its end is not after the exchange's clock, which is believed within
        ``max_clock_skew_s`` of the worker's.
    """
    try:
        exchange_s = kraken.get_server_time()
    except KrakenError as error:
        log.warning("the exchange does not answer with its time, the worker's clock is used: %s", error)
        said = f"the exchange does not answer with its time: {error}"
        return Clock(int(worker_now()), "worker", said, error)
    seen = Reading(exchange_s, worker_now())
    before = first(connection, "record_reading", Reading, seen)
    doubt = why_not(seen, before, max_skew_s=kraken.max_clock_skew_s)
    if doubt is not None:
        log.error("%s", doubt)
        worker_s = int(seen.worker_s)
        if worker_s > exchange_s:
            return Clock(worker_s, "worker", doubt)
    return Clock(exchange_s, "exchange", doubt)


def refuse_rows_of_the_future(
    connection: Connection, run: RunKey, newest_s: float, *, now_s: int, what: str
) -> None:
    """Refuse an answer whose newest row is later than the clock that the run works with can explain.

    :param connection: the ledger, whose own clock tells how long ago the exchange's was asked
    :param newest_s: open time of the newest candle, or time of the newest trade, epoch seconds UTC
    :param now_s: the exchange's time that the run works with, epoch seconds UTC
    :param what: what was asked for, for the message
    :raises KrakenNotBelievedError: if the row lies more than :data:`AHEAD_S` behind the moment of the answer
    """
    # The usual case, without a question to the ledger.
    if newest_s <= now_s + AHEAD_S:
        return
    # By the ledger's own clock: the steps of a run may be done by different workers.
    passed_s = value(connection, "seconds_since_asked", run)
    if newest_s > now_s + passed_s + AHEAD_S:
        raise KrakenNotBelievedError(
            f"{what}: the newest row is of {iso(int(newest_s))} UTC, but {duration(int(passed_s))} before "
            f"Kraken's clock said {iso(now_s)} UTC: it is not believed, and no bucket counts as closed by it"
        )
