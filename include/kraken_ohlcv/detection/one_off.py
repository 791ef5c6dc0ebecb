"""Checks that are made once per upgrade: what an older version believed is held against today's rules."""

from __future__ import annotations

import logging
from typing import Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.stores.contradictions import sweep
from kraken_ohlcv.stores.ledger.series_state import every_series
from kraken_ohlcv.stores.ledger.session import Connection, execute, fetch

log = logging.getLogger(__name__)

PROOFS: Final = "proofs contradicted by candles, 1"
"""Its number rises with the rule, and the check is made once more."""
MAX_LOGGED: Final = 100
"""Contradictions that the log names; their number is always logged."""


def check_proofs_once(connection: Connection, questdb: QuestDBClient, *, now_s: int) -> int | None:
    """Withdraw the proofs of emptiness that stored candles contradict, unless this was done before.

    Cut off, it begins anew at the next run; two that run at once do no harm.

    :param connection: the ledger, in autocommit
    :return: ranges withdrawn, or None if the check was made before
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if fetch(connection, "read_check", name=PROOFS):
        return None
    tickers = sorted({series.ticker for _, series in every_series(connection)})
    found = sweep(connection, questdb, tickers, now_s=now_s)
    withdrawn = [one for one in found if one.is_withdrawn]
    for one in found[:MAX_LOGGED]:
        log.warning("a proof of emptiness is contradicted: %s", one.as_json())
    log.info(
        "checked once what earlier versions proved empty: %s proofs withdrawn, %s contradicted proofs from "
        "trades stand",
        len(withdrawn),
        len(found) - len(withdrawn),
    )
    execute(connection, "record_check", name=PROOFS, found=len(withdrawn))
    return len(withdrawn)
