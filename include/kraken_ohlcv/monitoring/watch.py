"""What a backfill run saw of the source: a problem, or nothing wrong, or no answer at all."""

from __future__ import annotations

from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import Connection, one


def observe_source(
    connection: Connection, run: RunKey, *, ask_error: str | None, now_s: int, url: str | None
) -> None:
    """Bring the incident of the source up to what a backfill run saw of it.

    The source is in trouble when it could not be asked, or when every ticker asked failed for a transient
    reason; a run that asked no ticker says nothing.

    :param run: the run, all of whose fills have ended
    :param ask_error: sentence of the exchange's error that ended step ``ask_exchange``, or None
    :param url: where to look at the run
    """
    headline = ask_error
    if ask_error is None:
        asked, failed = one(connection, "count_asked", lambda asked, failed: (asked, failed), run)
        if not asked:
            return
        if failed == asked:
            headline = f"all {asked} tickers that a run asked Kraken for failed"
    key = IncidentClass.SOURCE
    problem = None if headline is None else Problem(key, headline, since_s=now_s)
    observe(connection, {key: problem}, now_s=now_s, url=url)
