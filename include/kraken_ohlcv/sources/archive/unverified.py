"""Judges files that nothing could identify when they came, as soon as something can."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import ARCHIVE, PROVISIONAL
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.identity import Claim, identify
from kraken_ohlcv.sources.archive.names import PUBLISHED_PATTERN, Release, named_release
from kraken_ohlcv.stores.candle_store import read_frame
from kraken_ohlcv.stores.ledger.session import Connection, Row, execute, fetch
from kraken_ohlcv.stores.queries import bounds, key, statement

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is stored of a file that was not identified."""

    rows: pl.DataFrame
    span: Range

    def frames(self) -> Iterator[pl.DataFrame]:
        yield self.rows


def judge_unverified(
    connection: Connection, questdb: QuestDBClient, tickers: Sequence[str], *, now_s: int
) -> list[str]:
    """Compare what is stored of unverified files with the other intervals that are stored by now.

    What is identified becomes source ``archive``; what is refuted stays provisional and is named.

    :param tickers: of the files
    :return: a sentence per file that turned out to be that of another series
    """
    refuted = []
    for row in fetch(connection, "read_unverified_files", tickers=list(tickers)):
        try:
            _judge(connection, questdb, row, now_s=now_s)
        except ArchiveRefusedError as error:
            refuted.append(
                f"{row['name']} was ingested as provisional, and it is now known that {error}. Repair its "
                'range with "repair_from": ["trades"] and "repair_range"'
            )
    return refuted


def _judge(connection: Connection, questdb: QuestDBClient, row: Row, *, now_s: int) -> None:
    series, span = Series(row["ticker"], row["interval_minutes"]), (row["first_s"], row["end_s"])
    is_named = row["release"] and re.match(PUBLISHED_PATTERN, row["release"])
    release = named_release(row["release"]) if is_named else Release()
    stored = read_frame(questdb, series, span).filter(pl.col("source") == PROVISIONAL)
    if stored.is_empty():
        return
    until_s = release.last_day_s(span[1])
    claim = Claim(questdb, None, series, _Kept(stored, span), until_s, is_published=False, now_s=now_s)
    identified_by = identify(claim)
    if identified_by is None:
        return
    sources = {"provisional": PROVISIONAL, "archive": ARCHIVE}
    where = {**key(series), **bounds((span[0], until_s))}
    questdb.query(statement("confirm_provisional"), {**where, **sources})
    questdb.wait_applied(CANDLE_TABLE)
    execute(connection, "identify_archive_file", file_id=row["file_id"], identified_by=identified_by)
    log.info("%s is identified by %s", row["name"], identified_by)
