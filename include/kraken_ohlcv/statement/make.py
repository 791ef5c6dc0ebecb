"""Makes statements: of any range for a reader, and of each month that is over, kept in the ledger."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.freshness import due_end_s
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.statement.document import as_document, sha256_of, text_of
from kraken_ohlcv.statement.gather import StatementError, gather, rows_of_tier
from kraken_ohlcv.statement.paper import statement_html
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.stores.ledger.history import records_began_us
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.ledger.statements import has_statement, keep_statement
from kraken_ohlcv.stores.queries import MICROSECONDS

log = logging.getLogger(__name__)

WAITS_S: Final = 7 * DAY_S
"""How long a month waits for its last buckets to be due: its statement says which are not."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in all its forms.

    :ivar document: as JSON, see :func:`kraken_ohlcv.statement.document.as_document`
    :ivar text: the same as text
    :ivar sha256: of the text in UTF-8
    """

    document: dict[str, Any]
    text: str
    sha256: str

    def html(self) -> str:
        """Return it as HTML."""
        return statement_html(self.document, self.sha256)


def make_statement(
    connection: Connection, questdb: QuestDBClient, tier: str, period: Period, *, now_s: int
) -> Statement:
    """Return the statement of a tier and a range, as both stores hold them now; nothing is written.

    :param tier: ``TIER1`` .. ``TIER4``
    :raises BadRequestError: see :func:`kraken_ohlcv.statement.gather.gather`
    :raises StatementError: likewise
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    document = as_document(gather(connection, questdb, tier, period, now_s=now_s))
    text = text_of(document)
    return Statement(document, text, sha256_of(text))


def keep_monthly(connection: Connection, questdb: QuestDBClient, *, now_s: int) -> list[dict[str, Any]]:
    """Make and keep the statement of the last month that is over, of each tier with assets that has none.

    A month waits until all of it is due, a week at most. One that ended before records began has none.

    :return: ``tier``, ``range``, ``version``, ``sha256`` of each that was made
    :raises StatementError: if that of a tier cannot be made; those of the others are
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    period = Period.month_before(now_s)
    began_us = records_began_us(connection)
    if period.end_s * MICROSECONDS <= began_us:
        return []
    made: list[dict[str, Any]] = []
    errors: list[str] = []
    for tier in TIERS:
        rows = rows_of_tier(connection, tier)
        if not rows or has_statement(connection, tier, period):
            continue
        if now_s - period.end_s < WAITS_S and not all(_is_due(row, period, now_s) for row in rows):
            log.info("the statement of %s, %s, waits until all of it is due", tier, period)
            continue
        try:
            one = make_statement(connection, questdb, tier, period, now_s=now_s)
        except OhlcvError as error:
            # The other tiers have theirs all the same.
            errors.append(f"{tier}: {error}")
            continue
        kept = keep_statement(connection, tier, period, made_s=now_s, body=one.text, sha256=one.sha256)
        log.info("made the statement of %s, %s, version %d: %s", tier, period, kept.version, one.sha256)
        made.append({"tier": tier, "range": str(period), "version": kept.version, "sha256": one.sha256})
    if errors:
        raise StatementError(f"no statement of {period}: {'; '.join(errors)}")
    return made


def _is_due(row: SeriesRow, period: Period, now_s: int) -> bool:
    interval = row.interval_minutes
    return due_end_s(row.asset.upkeep, interval, now_s) >= period.opens(interval)[1]
