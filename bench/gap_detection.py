"""Gap detection with the ledger against the bare statement that finds the holes.

Detection reads the ledger of every series, asks the candle table, judges every series, and writes what is
new. The bare statement is what one would write without a ledger: a branch an interval that finds the holes,
and one for first and last candle and their number of every series, sent by the same hook. That last branch
alone does not say where a candle is missing.

* ``damaged, new``: candles are missing in a quarter of the series, in three places each; the run that finds
  them for the first time and writes them into the ledger, which has known the series whole until then, from a
  table that has since been written to in every month: nothing of it may be taken as counted.
* ``damaged, known``: the run after it.
* ``one outage``: the same five candles are missing in every series, as after an outage of the collector; the
  run that finds them for the first time.
* ``nothing missing``: every candle is there and the series are known, as on most days.
* ``first ever``: nothing is known, every page of the ledger is written; once in the life of a ledger, and
  without a target: it grows with series and months, the statement with candles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from bench.tools.invented import NOTHING, invent_candles, tickers
from bench.tools.ratios import Ratio
from bench.tools.timing import best_ms
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.detect import detect
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect, execute
from kraken_ohlcv.stores.queries import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.tools.services import Services
    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.stores.ledger.session import Connection

TARGET: Final = 1.5
END_S: Final = 1_795_392_000
"""2026-11-23, on the grid of every interval measured."""

DAMAGE: Final = "pair.x % 4 = 1 AND (bucket.x % 400 BETWEEN 100 AND 104) AND bucket.x BETWEEN 1000 AND 2100"
"""In a quarter of the pairs, three times five candles."""

OUTAGE: Final = "bucket.x BETWEEN 500 AND 504"
"""Five candles of every series."""

PAGES: Final = ("coverage_months", "partitions_seen")
"""Tables of the ledger that hold what was counted."""

HOLE_BRANCH: Final = """
SELECT 'hole' kind, ticker, '{minutes}' interval, prev + {step} from_ts, ts to_ts, (ts - prev) / {step} - 1 n
FROM (SELECT ts, ticker, lag(ts) OVER (PARTITION BY ticker ORDER BY ts) prev
      FROM ohlcv WHERE interval = '{minutes}' AND ts < %(until)s)
WHERE ts - prev > {step}"""
SPAN_BRANCH: Final = """
SELECT 'span' kind, ticker, interval, min(ts) from_ts, max(ts) to_ts, count() n
FROM ohlcv WHERE interval IN ({intervals}) AND ts < %(until)s"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much there is.

    :ivar name: for the ratio
    :ivar pairs: tickers
    :ivar days: history
    :ivar intervals: candle lengths, minutes
    """

    name: str
    pairs: int
    days: int
    intervals: tuple[int, ...]


SCALES: Final = (
    Scale("14M rows, 60 series", pairs=10, days=755, intervals=(1, 5, 15, 60, 240, 1440)),
    Scale("26M rows, 2,800 series", pairs=1400, days=743, intervals=(60, 1440)),
)


def run(services: Services) -> list[Ratio]:
    """Measure at both scales.

    :param services: what it works with
    :return: the ratios
    """
    return [ratio for scale in SCALES for ratio in measure(services, scale)]


def measure(services: Services, scale: Scale) -> list[Ratio]:
    """Measure one scale, damaged in part or everywhere, and whole.

    :param services: what it works with
    :param scale: how much there is
    :return: five ratios
    """
    request = BackfillRequest(
        tier="ALL",
        intervals=list(scale.intervals),
        lookback_days=7,
        max_gaps_per_asset=10,
        tickers=None,
        retry_failed=False,
    )
    hook = _stored(services, scale, NOTHING)
    with connect(_ledger(services, scale)) as connection:
        whole = best_ms(
            {
                "statement": lambda: hook.query(_statement(scale), {"until": END_S * MICROSECONDS}),
                "first": lambda: detect_all(connection, hook, request),
            },
            times=1,
        )
        _keep_pages(connection)
        whole |= best_ms({
            "span": lambda: hook.query(_span_branch(scale), {"until": END_S * MICROSECONDS}),
            "detect": lambda: detect_all(connection, hook, request),
        })
        damaged = _measure_damaged(services, connection, scale, request, DAMAGE)
        outage = _measure_damaged(services, connection, scale, request, OUTAGE)
    return [
        _ratio(f"{scale.name}: damaged, new / statement", damaged, "new"),
        _ratio(f"{scale.name}: damaged, known / statement", damaged, "known"),
        _ratio(f"{scale.name}: one outage, new / statement", outage, "new"),
        Ratio(
            f"{scale.name}: nothing missing / span branch",
            whole["detect"] / whole["span"],
            TARGET,
            details={"detect_ms": whole["detect"], "span_ms": whole["span"]},
        ),
        Ratio(
            f"{scale.name}: first ever / statement",
            whole["first"] / whole["statement"],
            details={"detect_ms": whole["first"], "statement_ms": whole["statement"]},
        ),
    ]


def _measure_damaged(
    services: Services, connection: Connection, scale: Scale, request: BackfillRequest, damage: str
) -> dict[str, float]:
    """Return milliseconds of the statement and of the first and a later detection, and the number of gaps."""
    hook = _stored(services, scale, damage)
    took = best_ms(
        {
            "statement": lambda: hook.query(_statement(scale), {"until": END_S * MICROSECONDS}),
            "new": lambda: detect_all(connection, hook, request),
        },
        before={"new": lambda: _restore_pages(connection)},
    )
    took |= best_ms({"known": lambda: detect_all(connection, hook, request)})
    return took | {"gaps": _count_gaps(connection)}


def _ratio(name: str, took: Mapping[str, float], detection: str) -> Ratio:
    return Ratio(
        name,
        took[detection] / took["statement"],
        TARGET,
        details={
            "detect_ms": took[detection],
            "statement_ms": took["statement"],
            "gaps": took["gaps"],
        },
    )


def detect_all(
    connection: Connection, hook: QuestDBClient, request: BackfillRequest, *, now_s: int = END_S
) -> RunKey:
    """Do what task ``detect_gaps`` does.

    :param connection: the ledger
    :param hook: hook of the candle store
    :param request: params of the run
    :param now_s: the exchange's time, epoch seconds UTC
    :return: the run
    """
    key = RunKey("backfill_tier1_daily", f"bench_{uuid4()}")
    execute(connection, "start_run", key, now_s=now_s, tier=request.tier, intervals=request.intervals)
    assets = read_assets(connection, tickers=None, tier=request.tier)
    detect(connection, hook, key, request, assets, now_s=now_s)
    return key


def _statement(scale: Scale) -> str:
    branches = [
        HOLE_BRANCH.format(minutes=minutes, step=f"{60 * minutes}000000L") for minutes in scale.intervals
    ]
    return "\nUNION ALL\n".join([*branches, _span_branch(scale)])


def _span_branch(scale: Scale) -> str:
    return SPAN_BRANCH.format(intervals=", ".join(f"'{minutes}'" for minutes in scale.intervals))


def _stored(services: Services, scale: Scale, without: str) -> QuestDBClient:
    hook = services.empty_candle_store()
    rows = sum(
        invent_candles(
            services.questdb,
            hook,
            pairs=scale.pairs,
            interval_minutes=minutes,
            covered=(END_S - scale.days * 86400, END_S),
            without=without,
        )
        for minutes in scale.intervals
    )
    services.say(f"  {scale.name}: {rows:,} rows stored")
    return hook


def _ledger(services: Services, scale: Scale) -> str:
    """Return a ledger that knows the assets, and nothing else."""
    uri = services.new_ledger()
    with connect(uri) as connection:
        sync_catalogue(
            connection,
            [
                CatalogueEntry(ticker=ticker, base=ticker[:-3], quote="USD", tier="TIER1")
                for ticker in tickers(scale.pairs)
            ],
        )
    return uri


def _keep_pages(connection: Connection) -> None:
    """Keep what the ledger knows beside it, for :func:`_restore_pages`."""
    for table in PAGES:
        connection.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")


def _restore_pages(connection: Connection) -> None:
    """Have the ledger know what it knew, and no gap."""
    connection.execute(f"TRUNCATE gap_records, gap_outcomes, coverage_changes, {', '.join(PAGES)}")
    for table in PAGES:
        connection.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")  # noqa: S608 (a constant)
        connection.execute(f"ANALYZE {table}")


def _count_gaps(connection: Connection) -> int:
    (row,) = connection.execute("SELECT count(*) AS n FROM gap_records").fetchall()
    return int(row["n"])
