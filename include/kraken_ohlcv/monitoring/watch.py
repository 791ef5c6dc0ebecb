"""What a backfill run saw of the source: in trouble, in order, or nothing that tells."""

from __future__ import annotations

from typing import Final

from kraken_ohlcv.clients.errors import KrakenTransientError, RateLimitLockError
from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.session import Connection, one


def _names(error_class: type[BaseException]) -> set[str]:
    return {error_class.__name__}.union(*(_names(child) for child in error_class.__subclasses__()))


SOURCE_ERRORS: Final = frozenset(_names(KrakenTransientError) - {RateLimitLockError.__name__})
"""Class names of errors that say something about the exchange, not about this system."""


def source_seen(
    connection: Connection,
    run: RunKey,
    *,
    ask_error: tuple[str, str] | None,
    now_s: int,
    url: str | None,
) -> dict[str, Problem | None]:
    """Return what a backfill run tells about the source.

    :param run: the run, all of whose fills have ended
    :param ask_error: class name and sentence of what ended step ``ask_exchange``, or None
    :param url: where to look at the run
    :return: for :func:`kraken_ohlcv.stores.ledger.incidents.observe`: a problem when the exchange could
        not be asked, or when every ticker asked failed for a passing reason; nothing when no ticker was asked
    """
    key = IncidentClass.SOURCE
    if ask_error is not None:
        if ask_error[0] not in SOURCE_ERRORS:
            return {}
        return {key: Problem(key, ask_error[1], since_s=now_s, url=url)}
    asked, failed = one(connection, "count_asked", lambda asked, failed: (asked, failed), run)
    if not asked:
        return {}
    if failed < asked:
        return {key: None}
    headline = f"all {asked} tickers that a run asked Kraken for failed"
    return {key: Problem(key, headline, since_s=now_s, url=url)}
