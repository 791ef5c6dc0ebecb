"""October 2026 of AAAUSD, written by hand: holes closed from each source, and all that a statement tells."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.repair.accept import accept_gap
from kraken_ohlcv.statement.make import make_statement
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.stores.ledger.assets import claim_exchange, sync_catalogue
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement as sql
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.damage import candle
from tests.integration.ledger_pages import add_gap, add_proof, know
from tests.unit.builders import DAY, HOUR, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.types.json import Jsonb

    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.statement.make import Statement
    from kraken_ohlcv.stores.ledger.session import Connection

HOURLY, DAILY = Series("AAAUSD", 60), Series("AAAUSD", 1440)
OTHER = Series("BBBUSD", 1440)
OCTOBER = Period(at("2026-10-01"), at("2026-11-01"))
NOW = at("2026-11-01T08:00:00")
"""When the completeness report runs on the first of the month."""
EARLIER = at("2026-09-25")
HOSTILE = '<script>alert("x")</script> & "broken"'
"""What somebody writes as a reason."""

CLOSED_FROM = {"ohlc": (3, 3), "trades": (30, 2), "archive": (60, 4), "empty": (100, 1), "observed": (110, 1)}
"""Holes of the hourly series by what closed them: first hour of the month, and how many."""
OPEN, ACCEPTED, LOST = (200, 2), (300, 5), (400, 1)
PROVISIONAL, IMPORTED, DISPUTED = (500, 7), (520, 3), (530, 1)
RESTATED, SEEN_ONCE = 540, 541


def hours(first: int, n: int) -> Range:
    """Return some hours of October, epoch seconds UTC."""
    return OCTOBER.start_s + first * HOUR, OCTOBER.start_s + (first + n) * HOUR


def is_in(open_s: int, *holes: tuple[int, int]) -> bool:
    """Return whether a bucket lies in one of some holes."""
    return any(start_s <= open_s < end_s for start_s, end_s in (hours(*hole) for hole in holes))


def source_of(open_s: int) -> str | None:
    """Return which source an hourly candle is stored from, or None where none is."""
    if is_in(open_s, OPEN, ACCEPTED, LOST, CLOSED_FROM["empty"]):
        return None
    for source, holes in (
        ("trades", CLOSED_FROM["trades"]),
        ("archive", CLOSED_FROM["archive"]),
        ("archive_provisional", PROVISIONAL),
        ("imported", IMPORTED),
    ):
        if is_in(open_s, holes):
            return source
    return "ohlc"


@dataclass(frozen=True)
class Month:
    """The month in both stores.

    :ivar dsn: the ledger
    :ivar questdb: the candle store
    """

    dsn: str
    questdb: QuestDBClient

    @contextmanager
    def ledger(self) -> Iterator[Connection]:
        """Give a connection to the ledger."""
        with connect(self.dsn) as connection:
            yield connection

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Store candles as they are, whatever the ledger says."""
        self.questdb.write_batch(CANDLE_TABLE, sql("insert_candle"), rows)
        self.questdb.wait_applied(CANDLE_TABLE)

    def by_source(self, series: Series) -> dict[str, int]:
        """Return how many candles of a series and of days of October are stored, row by row."""
        step = series.interval_minutes * 60
        found = self.questdb.query(
            "SELECT ts, source FROM ohlcv WHERE ticker = %(ticker)s AND interval = %(interval)s",
            {"ticker": series.ticker, "interval": str(series.interval_minutes)},
        )
        last_seconds = [(int(ts.timestamp()) + step - 1, source) for ts, source in found]
        return dict(
            sorted(
                Counter(source for at_s, source in last_seconds if OCTOBER[0] <= at_s < OCTOBER[1]).items()
            )
        )


def made(month: Month, tier: str = "TIER1", period: Period = OCTOBER, now_s: int = NOW) -> Statement:
    """Make a statement."""
    with month.ledger() as connection:
        return make_statement(connection, month.questdb, tier, period, now_s=now_s)


def of_series(statement: Statement, interval: int) -> dict[str, Any]:
    """Return what a statement says of the series of an interval."""
    (found,) = [one for one in statement.document["series"] if one["interval"] == interval]
    return dict(found)


def script_month(dsn: str, questdb: QuestDBClient) -> Month:
    """Make both stores hold the month."""
    ensure_candle_table(questdb)
    month = Month(dsn, questdb)
    _store(month)
    with month.ledger() as connection:
        claim_exchange(connection, "https://exchange.example")
        _catalogue(connection)
        for series in (HOURLY, DAILY, OTHER):
            know(connection, series, EARLIER)
        _gaps(connection)
        _restatements(connection)
        _incidents(connection)
    return month


def _store(month: Month) -> None:
    rows = [
        candle(HOURLY, open_s, source=source)
        for open_s in range(EARLIER, NOW - HOUR, HOUR)
        if (source := source_of(open_s)) is not None
    ]
    for series in (DAILY, OTHER):
        rows += [candle(series, open_s) for open_s in range(EARLIER, NOW // DAY * DAY, DAY)]
    month.write(rows)


def _catalogue(connection: Connection) -> None:
    sync_catalogue(
        connection,
        [
            CatalogueEntry(ticker="AAAUSD", base="AAA", quote="USD", tier="TIER1"),
            CatalogueEntry(ticker="BBBUSD", base="BBB", quote="USD", tier="TIER2"),
        ],
    )
    # As if all of it had been there since September.
    connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (EARLIER,))
    connection.execute("UPDATE history SET records_began = to_timestamp(%s)", (EARLIER,))


def _gaps(connection: Connection) -> None:
    for number, (source, hole) in enumerate(CLOSED_FROM.items()):
        part = hours(*hole)
        found_s = part[1] + DAY
        add_gap(
            connection,
            HOURLY,
            part,
            "FILLED",
            filled_from=source,
            detected_at=found_s,
            candles_from_today=24 + hole[1],
            expires_at=part[0] + 720 * HOUR,
            filled_at=found_s + (number + 1) * HOUR,
            attempts=number + 1,
        )
    add_proof(connection, HOURLY, *hours(*CLOSED_FROM["empty"]), "trades")
    add_proof(connection, HOURLY, *hours(*DISPUTED), "trades")
    add_gap(connection, HOURLY, hours(*OPEN), detected_at=hours(*OPEN)[1] + HOUR)
    add_gap(
        connection,
        HOURLY,
        hours(*LOST),
        "UNFILLABLE",
        unfillable_reason="nobody_has_it",
    )
    add_gap(connection, HOURLY, hours(*ACCEPTED))
    accept_gap(
        connection, HOURLY, hours(*ACCEPTED), by="ops <b>", reason=HOSTILE, now_s=OCTOBER.start_s + 20 * DAY
    )
    # Neither overlaps October: detected before it, or of another tier.
    before = OCTOBER.start_s - 3 * DAY
    add_gap(connection, HOURLY, (before, before + HOUR), "FILLED", filled_from="ohlc")
    add_gap(connection, OTHER, (OCTOBER.start_s, OCTOBER.start_s + DAY), "FILLED", filled_from="ohlc")


def _restatements(connection: Connection) -> None:
    old, new = {"open": 1.5, "close": 1.5, "trades": 3}, {"open": 1.5, "close": 1.75, "trades": 4}
    before = (OCTOBER.start_s - 2 * HOUR, OCTOBER.start_s + 5 * HOUR)
    long_ago = (OCTOBER.start_s - 3 * HOUR, OCTOBER.start_s - HOUR)
    for open_s, applied_s in (
        (hours(RESTATED, 1)[0], hours(RESTATED, 9)[1]),
        (hours(SEEN_ONCE, 1)[0], None),
        before,
        long_ago,
    ):
        connection.execute(
            "INSERT INTO candle_restatements"
            " (ticker, interval_minutes, ts, source, old, new, first_seen_at, applied_at)"
            " VALUES (%s, %s, to_timestamp(%s), 'trades', %s, %s, to_timestamp(%s), to_timestamp(%s))",
            (*HOURLY, open_s, _json(old), _json(new), open_s + HOUR, applied_s),
        )


def _json(value: dict[str, float]) -> Jsonb:
    from psycopg.types.json import Jsonb  # noqa: PLC0415 (for the annotation elsewhere)

    return Jsonb(value)


def _incidents(connection: Connection) -> None:
    def lasts(problem: Problem, *good_s: int, opened_s: int) -> None:
        observe(connection, {problem.key: problem}, now_s=opened_s)
        for moment_s in good_s:
            observe(connection, {problem.key: None}, now_s=moment_s)

    start_s = OCTOBER.start_s
    source = Problem("source", "Kraken gave no usable answer", since_s=start_s - HOUR)
    lasts(source, start_s + HOUR, start_s + 2 * HOUR, opened_s=start_s - HOUR)
    # The hole that the archive closed was detected and filled meanwhile.
    since_s = hours(*CLOSED_FROM["archive"])[1] + 22 * HOUR
    stale = Problem(
        "stale",
        "hourly candles are missing",
        since_s=since_s,
        subjects={"AAAUSD": {"interval_minutes": 60, "hours_overdue": 1}},
    )
    lasts(stale, since_s + 6 * HOUR, since_s + 7 * HOUR, opened_s=since_s + 1800)
    lasts(
        Problem("pair:BBBUSD", "BBBUSD has left Kraken", since_s=since_s),
        since_s + HOUR,
        since_s + 2 * HOUR,
        opened_s=since_s,
    )
    early = Problem("at_risk", "over before October", since_s=start_s - 9 * HOUR, subjects={"AAAUSD 60": {}})
    lasts(early, start_s - 8 * HOUR, start_s - 7 * HOUR, opened_s=start_s - 9 * HOUR)
    late = Problem("run:backfill_tier1_daily", "backfill_tier1_daily failed", since_s=start_s + 30 * DAY)
    lasts(late, opened_s=start_s + 30 * DAY)
