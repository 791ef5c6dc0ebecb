"""Gives stored candles another source, and keeps what they were called; their figures stay."""

from __future__ import annotations

from collections import defaultdict

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.ledger.history import log_former_sources
from kraken_ohlcv.stores.ledger.moments import open_write
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.queries import BLOCK_BUCKETS, MICROSECONDS, bounds, key, of_blocks, rendered


def change_source(
    connection: Connection,
    questdb: QuestDBClient,
    series: Series,
    covered: Range,
    *,
    former: str,
    present: str,
    is_without_vwap: bool = False,
) -> int:
    """Give the candles of a source another one.

    :param connection: the ledger, in autocommit; nobody else may be writing the series
    :param covered: half-open, epoch seconds UTC
    :param former: source of the candles
    :param present: source that they get
    :param is_without_vwap: whether only those without a volume-weighted price are meant
    :return: how many candles it is
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    :raises QuestDBError: if it does not accept or not apply the write
    """
    step = step_s(series.interval_minutes)
    block_s = BLOCK_BUCKETS * step
    which = {**key(series), **bounds(covered), "former": former}
    lengths = {"step_us": step * MICROSECONDS, "block_us": block_s * MICROSECONDS}
    questdb.wait_applied(CANDLE_TABLE)
    blocks: dict[int | None, list[tuple[int, int]]] = defaultdict(list)
    for stored_us, block, bits in questdb.query(
        rendered("source_blocks", is_without_vwap=is_without_vwap), which | lengths
    ):
        blocks[stored_us].append((block, bits))
    found = {(former, stored_us): of_blocks(rows, step=step) for stored_us, rows in blocks.items()}
    if found:
        with open_write(connection) as moment_us:
            log_former_sources(connection, series, found, moment_us=moment_us)
            questdb.query(
                rendered("change_source", is_without_vwap=is_without_vwap),
                {**which, "present": present, "moment_us": moment_us},
            )
            questdb.wait_applied(CANDLE_TABLE)
    return sum(len(buckets) for buckets in found.values())
