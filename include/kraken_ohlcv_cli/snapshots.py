"""``snapshot``: named moments at which candles can be read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.ledger.snapshots import Snapshot, pin_snapshot
from kraken_ohlcv_cli.output import print_table

COLUMNS: Final = ("snapshot", "as of", "pinned")
MICROSECONDS: Final = 1_000_000


def pin(connection: Connection, name: str) -> Snapshot:
    """Name the newest moment that no open write can change.

    :param connection: the ledger, with a login that may write
    :param name: not taken
    :raises SnapshotError: if the name is empty or taken
    :raises SetUpError: if the login may not write
    """
    try:
        return pin_snapshot(connection, name)
    except (InsufficientPrivilege, ReadOnlySqlTransaction) as error:
        raise SetUpError(
            "a snapshot is kept in the ledger, where a login that only reads cannot: give --ledger-url one "
            f"that may write ({' '.join(str(error).split())})"
        ) from error


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as JSON."""
    return {
        "name": snapshot.name,
        "as_of": _moment(snapshot.moment_us),
        "pinned_at": _moment(snapshot.pinned_us),
    }


def show(snapshots: Sequence[Snapshot]) -> None:
    """Print snapshots for people."""
    print_table(COLUMNS, [[one.name, _moment(one.moment_us), _moment(one.pinned_us)] for one in snapshots])


def _moment(moment_us: int) -> str:
    seconds, micros = divmod(moment_us, MICROSECONDS)
    return utc(seconds).replace(microsecond=micros).isoformat()
