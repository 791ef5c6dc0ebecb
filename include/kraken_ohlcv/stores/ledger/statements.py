"""Table ``statements``: statements of completeness as they were made; none is ever changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.session import Connection, first, one, rows, value


@dataclass(frozen=True, slots=True)
class KeptStatement:
    """A statement in the ledger, without its text.

    :ivar statement_id: primary key
    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar start_s: first second of its range, epoch seconds UTC
    :ivar end_s: end of its range, exclusive, epoch seconds UTC
    :ivar version: number among those of the same tier and range, from 1
    :ivar made_s: when it was made, epoch seconds UTC
    :ivar sha256: of its text in UTF-8
    """

    statement_id: int
    tier: str
    start_s: int
    end_s: int
    version: int
    made_s: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StatementText:
    """The text of a statement in the ledger.

    :ivar version: number among those of the same tier and range, from 1
    :ivar body: JSON
    :ivar sha256: of its bytes in UTF-8; PostgreSQL has checked it
    """

    version: int
    body: str
    sha256: str


class Kept(NamedTuple):
    """What has become of a statement that was to be kept."""

    statement_id: int
    version: int


def keep_statement(
    connection: Connection, tier: str, period: Range, *, made_s: int, body: str, sha256: str
) -> Kept:
    """Keep a statement as the next version of its tier and range.

    :param tier: ``TIER1`` .. ``TIER4``
    :param period: half-open, epoch seconds UTC
    :param made_s: when it was made, epoch seconds UTC
    :param body: JSON
    :param sha256: of its bytes in UTF-8
    :return: under which number
    :raises psycopg.errors.CheckViolation: if the hash is not that of the text
    """
    start_s, end_s = period
    return one(
        connection,
        "keep_statement",
        Kept,
        tier=tier,
        start_s=start_s,
        end_s=end_s,
        made_s=made_s,
        body=body,
        sha256=sha256,
    )


def has_statement(connection: Connection, tier: str, period: Range) -> bool:
    """Return whether a statement of a tier and exactly this range was kept."""
    return bool(value(connection, "count_statements", tier=tier, start_s=period[0], end_s=period[1]))


def count_statements(connection: Connection) -> int:
    """Return how many statements were kept."""
    found: int = value(connection, "count_statements", tier=None, start_s=None, end_s=None)
    return found


def list_statements(
    connection: Connection, *, limit: int | None = None, offset: int = 0
) -> list[KeptStatement]:
    """Return the statements that were kept, the newest range first, then by tier, the newest version first.

    :param limit: so many at most; None = all
    :param offset: so many are passed over
    """
    return rows(connection, "list_statements", KeptStatement, page_size=limit, page_offset=offset)


def read_statement(connection: Connection, statement_id: int) -> StatementText | None:
    """Return the text of a statement, or None if there is none of this number."""
    return first(connection, "read_statement", StatementText, statement_id=statement_id)
