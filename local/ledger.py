"""The ledger's tables at a start: those of this version, whichever version made them."""

from __future__ import annotations

import psycopg

from kraken_ohlcv.core.errors import SurroundingsError
from kraken_ohlcv.core.wording import sentence
from local.processes import SandboxError


def bring_up_to_date(ledger_uri: str) -> None:
    """Give a ledger the tables of this version; a later run of a DAG would do the same.

    :param ledger_uri: libpq URI of its database, which may be empty, or filled by an older version
    :raises SandboxError: if a newer version has filled it, or the server refuses; says what to do
    """
    # A second of imports that only a start needs, not `make status` and `make down`.
    from kraken_ohlcv.stores.schema import migrate_ledger  # noqa: PLC0415

    try:
        migrate_ledger(ledger_uri)
    except (SurroundingsError, psycopg.OperationalError) as error:
        raise SandboxError(sentence(" ".join(str(error).split()))) from error
