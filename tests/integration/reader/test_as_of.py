"""Reads of the past: as it stood then, whatever was written since; snapshots that say when they differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import psycopg
import pytest

from kraken_ohlcv import IncompleteError, iter_candles, open_stores, read_candles, snapshot
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.errors import BadRequestError, SetUpError, SnapshotError
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import FilledFrom
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.session import value
from tests.integration.damage import NOW, History, candle, spoil
from tests.integration.ledger_pages import add_proof, know
from tests.integration.reader.test_random_damage import INSERT
from tests.integration.reader.test_read_candles import AAA, HERE, open_at

if TYPE_CHECKING:
    import polars as pl

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.reader.stores import Stores

HOURS = range(-40, -20)
"""Long due."""


def put(stores: Stores, trades: dict[int, int]) -> None:
    """Write candles as trades give them: number of trades by hour, counted from the running one."""
    times = {HERE + hour * 3600: n for hour, n in sorted(trades.items())}
    seen = {
        ts_s: StoredCandle(ts_s, 1.0, 9.0, 1.0, 2.0, 1.5, 0.1 * n, n, source="trades")
        for ts_s, n in times.items()
    }
    covered = min(times), max(times) + 3600
    context = RunContext(
        stores.ledger, cast("KrakenClient", None), stores.questdb, RunKey("backfill_tier1_daily", "past"), NOW
    )
    result = SourceResult(
        covered,
        seen,
        BucketSet(3600),
        is_busy=False,
        window_start_s=covered[0],
        step=3600,
        source=FilledFrom.TRADES,
    )
    write(context, AAA, result)


def moment(stores: Stores) -> datetime:
    """Return the newest moment that nobody can change any more."""
    return utc(settled_us(stores.ledger) / 1_000_000)


@pytest.fixture
def past(stores: Stores, ledger_uri: str) -> Stores:
    """Give stores with twenty hours but one, each of three trades."""
    spoil(ledger_uri, stores.questdb, History([], {}))
    know(stores.ledger, AAA, HERE + HOURS[0] * 3600)
    put(stores, {hour: 3 for hour in HOURS if hour != -30})
    return stores


def read(stores: Stores, as_of: datetime | str | None, **options: str) -> pl.DataFrame:
    """Read the twenty hours, holes marked and empty buckets shown."""
    chosen = {"on_missing": "mark", "empty": "rows", **options}
    return read_candles("AAAUSD", 60, open_at(-40), open_at(-20), as_of=as_of, stores=stores, **chosen)


def test_candles_and_statuses_come_as_they_stood_then(past: Stores) -> None:
    first = moment(past)
    at_first = read(past, None)
    put(past, {-25: 7})
    add_proof(past.ledger, AAA, HERE - 30 * 3600, HERE - 29 * 3600, "trades")
    second = moment(past)
    at_second = read(past, None)
    put(past, {-25: 9})

    assert read(past, first).equals(at_first)
    assert read(past, first.isoformat()).equals(at_first)
    assert read(past, second).equals(at_second)
    now = read(past, None)
    assert [frame["trades"][15] for frame in (at_first, at_second, now)] == [3, 7, 9]
    assert [frame["status"][10] for frame in (at_first, at_second)] == ["missing", "empty_trades"]
    pieces = list(iter_candles("AAAUSD", 60, open_at(-40), open_at(-20), as_of=second, stores=past))
    assert [one for piece in pieces for one in piece["trades"]] == [n for n in at_second["trades"] if n]


def test_a_hole_of_the_past_is_refused_though_it_is_closed_now(past: Stores) -> None:
    then = moment(past)
    put(past, {-30: 3})
    assert read(past, None, on_missing="raise").height == 20

    with pytest.raises(
        IncompleteError, match=r"1 bucket missing .* it was missing then; read it without as_of"
    ):
        read(past, then, on_missing="raise")


def test_before_records_began_everything_is_unknown(past: Stores) -> None:
    before = utc(value(past.ledger, "read_records_began") / 1_000_000 - 1)

    assert set(read(past, before)["status"]) == {"unknown"}
    with pytest.raises(IncompleteError, match=r"20 buckets unknown .* records begin later"):
        read(past, before, on_missing="raise")


def test_a_fill_of_the_past_repeats_the_close_of_then(past: Stores) -> None:
    add_proof(past.ledger, AAA, HERE - 30 * 3600, HERE - 29 * 3600, "trades")
    then = moment(past)
    past.questdb.query("ALTER TABLE ohlcv DROP PARTITION LIST '2026-11'")

    frame = read_candles(
        "AAAUSD",
        60,
        open_at(-30),
        open_at(-29),
        as_of=then,
        empty="fill_close",
        on_missing="mark",
        stores=past,
    )

    # What nobody has noticed yet is read as the store holds it now: a close that is gone is not invented.
    assert frame["status"].to_list() == ["empty_trades"]
    assert frame["close"].to_list() == [None]


def test_a_snapshot_is_read_again_as_it_was(past: Stores) -> None:
    pinned = snapshot("backtest-17", stores=past)
    first = read(past, "backtest-17")
    put(past, {-25: 7, -30: 3})

    assert read(past, "backtest-17").equals(first)
    assert read(past, pinned).equals(first)
    assert abs(pinned - datetime.now(UTC)) < timedelta(hours=1)
    with pytest.raises(SnapshotError, match="there is a snapshot 'backtest-17' already"):
        snapshot("backtest-17", stores=past)
    with pytest.raises(SnapshotError, match="there is no snapshot 'backtest-18': known are backtest-17"):
        read(past, "backtest-18")


def test_a_snapshot_says_when_it_no_longer_reads_as_it_did(past: Stores) -> None:
    snapshot("backtest-17", stores=past)
    read(past, "backtest-17")
    # Somebody else writes over a candle, past this package.
    past.questdb.write_batch("ohlcv", INSERT, [candle(AAA, HERE - 25 * 3600, close=1.25)])

    with pytest.raises(SnapshotError, match=r"AAAUSD 60 from .* does not read as it did at .* 'backtest-17'"):
        read(past, "backtest-17")


def test_another_range_of_a_snapshot_is_a_read_of_its_own(past: Stores) -> None:
    snapshot("backtest-17", stores=past)
    read(past, "backtest-17")

    part = read_candles("AAAUSD", 60, open_at(-25), open_at(-21), as_of="backtest-17", stores=past)

    assert part.height == 4


def test_a_login_that_may_only_read_reads_the_past_and_pins_nothing(
    past: Stores, candles_url: str, ledger_uri: str
) -> None:
    snapshot("backtest-17", stores=past)
    whole = read(past, "backtest-17")
    with psycopg.connect(ledger_uri, autocommit=True) as connection:
        connection.execute(
            "CREATE ROLE reads_past LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reads_past"
        )
        try:
            url = ledger_uri.replace("postgres@", "reads_past@")
            with open_stores(candles_url, url, clock=lambda: NOW) as others:
                assert read(others, "backtest-17").equals(whole)
                assert read(others, moment(others)).equals(whole)
                part = read_candles(
                    "AAAUSD", 60, open_at(-25), open_at(-21), as_of="backtest-17", stores=others
                )
                assert part.height == 4
                with pytest.raises(
                    SetUpError, match="may only read: pin it with the login that the runs use"
                ):
                    snapshot("backtest-18", stores=others)
        finally:
            connection.execute("DROP OWNED BY reads_past; DROP ROLE reads_past")


def test_a_snapshot_ends_at_the_same_bucket_whatever_later_runs_hear_of_the_time(
    past: Stores, candles_url: str, ledger_uri: str
) -> None:
    def hear(run: str, ahead_s: float) -> None:
        past.ledger.execute(
            "INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals, asked_at) VALUES"
            " ('backfill_tier1_daily', %s, clock_timestamp() + make_interval(secs => %s), 'TIER1', '{60}',"
            " clock_timestamp())",
            (run, ahead_s),
        )

    now_s = float(value(past.ledger, "ledger_now"))
    with open_stores(candles_url, ledger_uri) as stores:
        hear("before", HERE - now_s + 20)
        snapshot("on the hour", stores=stores)
        first = read_candles("AAAUSD", 60, as_of="on the hour", on_missing="mark", stores=stores)
        hear("behind", HERE - now_s - 60)
        again = read_candles("AAAUSD", 60, as_of="on the hour", on_missing="mark", stores=stores)

    assert first["available_at"].max() == open_at(0)
    assert again.equals(first)


def test_a_moment_that_may_still_change_is_refused(past: Stores) -> None:
    with pytest.raises(
        BadRequestError, match="is not settled: the newest moment that no open write can change"
    ):
        read(past, datetime.now(UTC) + timedelta(minutes=10))
    with pytest.raises(BadRequestError, match="is not settled"):
        read(past, (datetime.now(UTC) + timedelta(days=2)).date())
