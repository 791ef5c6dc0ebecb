"""Values on their way to QuestDB and back: what its PGWire server refuses, or silently takes for another.

Registered on each connection, so that the hook's own methods, ``get_records`` and SQL operators agree:
times are aware UTC on this side and naive UTC on the wire; Decimal, which QuestDB cannot put into a DOUBLE,
travels as float; a list or tuple is refused, because ``ticker IN %s`` would match no row without an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.types.datetime import TimestampLoader

TIME_FIELDS: Final = ("ts", "ts_us")
"""Names of the designated timestamp in rows with names; in rows without names it stands first."""

MAX_PARAMETERS: Final = 32_767
MAX_STATEMENT_BYTES: Final = 1_000_000
"""The server drops the connection at a longer text, which looks like a crash."""


class _TimeDumper(Dumper):
    oid = types["timestamp"].oid

    def dump(self, obj: datetime) -> bytes:
        if obj.tzinfo is None:
            raise ValueError(f"{obj.isoformat()} has no time zone; give an aware time")
        return obj.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ").encode()


class _DecimalDumper(Dumper):
    oid = types["float8"].oid

    def dump(self, obj: Decimal) -> bytes:
        return repr(float(obj)).encode()


class _CollectionDumper(Dumper):
    def dump(self, obj: Any) -> bytes:
        raise TypeError(
            f"QuestDB does not accept {type(obj).__name__} as one parameter: "
            "write IN (%s, %s) with one value each"
        )


class _UtcLoader(TimestampLoader):
    def load(self, data: Any) -> datetime:
        return super().load(data).replace(tzinfo=UTC)


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Make a connection translate values as this module says.

    :param connection: to QuestDB, just opened
    """
    connection.adapters.register_dumper(datetime, _TimeDumper)
    connection.adapters.register_dumper(Decimal, _DecimalDumper)
    for collection in (list, tuple):
        connection.adapters.register_dumper(collection, _CollectionDumper)
    connection.adapters.register_loader("timestamp", _UtcLoader)


def check_statement(sql: str, parameters: Mapping[str, Any] | None) -> None:
    """Refuse a statement that the server answers by dropping the connection.

    :param sql: statement
    :param parameters: by name, or none
    :raises ValueError: if it is too long or has too many parameters
    """
    if len(sql.encode()) > MAX_STATEMENT_BYTES:
        raise ValueError(
            f"the statement is longer than QuestDB's {MAX_STATEMENT_BYTES} bytes: split the work"
        )
    if parameters is not None and len(parameters) > MAX_PARAMETERS:
        raise ValueError(
            f"{len(parameters)} parameters are more than QuestDB's {MAX_PARAMETERS}: split the work"
        )


def check_rows(table: str, rows: Sequence[Mapping[str, Any] | Sequence[Any]]) -> None:
    """Refuse rows that QuestDB would store as something else, or not at all.

    :param table: for messages
    :param rows: with names (the time is ``ts`` or ``ts_us``) or without (the time stands first)
    :raises ValueError: if a time is absent, or a number is NaN or infinite (stored as NULL)
    """
    for index, row in enumerate(rows):
        items = list(row.items() if isinstance(row, Mapping) else enumerate(row))
        times = [value for key, value in items if key in {0, *TIME_FIELDS}]
        if any(value is None or value != value for value in times):  # noqa: PLR0124 (true for NaT alone)
            raise ValueError(f"{table}: row {index} has no time; nothing was written")
        for key, value in items:
            if isinstance(value, float | Decimal) and not math.isfinite(value):
                raise ValueError(
                    f"{table}: row {index} has {value} as {key}, which QuestDB would store as NULL; "
                    f"nothing was written"
                )
