"""An existing ``assetprice`` table and an existing table of gap records are brought over, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.series_state import register_series, series_id_of
from kraken_ohlcv.stores.ledger.session import connect, fill_lock
from kraken_ohlcv_from_celery.__main__ import main
from tests.integration.in_step import assert_in_step
from tests.integration.ledger_pages import add_proof
from tests.integration.old_application import DAILY, HOUR, HOURLY, MAPPING, START, at
from tests.patience import wait_for

if TYPE_CHECKING:
    from tests.integration.old_application import Old


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    old: Old, capsys: pytest.CaptureFixture[str]
) -> None:
    for hour in range(5):
        old.candle(hour)
    old.gap(1, 3, "FILLED")
    assert old.bring_over(MAPPING) == 0
    said = capsys.readouterr().out
    assert "XBTUSD 60: rows 5, written 5" in said
    assert "Nothing was written." in said
    assert (old.stored(), old.gaps()) == ({}, [])


def test_candles_come_over_once_and_the_better_source_of_two_wins(
    old: Old, capsys: pytest.CaptureFixture[str]
) -> None:
    for hour in range(4):
        old.candle(hour)
    old.candle(2, 100.5, source="kraken_csv")
    old.candle(3, source="kraken_csv")
    old.candle(4, 100.25, source="kraken_csv")
    assert old.bring_over(MAPPING, "--write") == 0
    expected = dict.fromkeys(range(4), (100.0, "imported")) | {4: (100.25, "imported")}
    assert old.stored() == expected
    said = capsys.readouterr().out
    assert "rows 7, twice 2, twice_differing 1, written 5" in said
    assert "candles are stored twice with different figures, the first at 2026-" in said

    assert old.bring_over(MAPPING, "--write") == 0
    assert "rows 7, twice 2, twice_differing 1, equal 5" in capsys.readouterr().out
    assert old.stored() == expected


def test_a_candle_that_stands_here_is_never_replaced(old: Old, capsys: pytest.CaptureFixture[str]) -> None:
    old.candle(0)
    old.bring_over(MAPPING, "--write")
    old.candle(0, 100.75)
    capsys.readouterr()
    old.bring_over(MAPPING, "--write")
    assert "kept 1" in capsys.readouterr().out
    assert old.stored() == {0: (100.0, "imported")}


def test_every_candle_that_comes_over_has_the_moment_of_its_write(old: Old) -> None:
    for hour in range(3):
        old.candle(hour)
    with connect(old.world.dsn) as connection:
        before_us = settled_us(connection)
        assert old.bring_over(MAPPING, "--write") == 0
        moments = {one.stored_us for one in old.world.stored(HOURLY, (START, START + 3 * HOUR)).values()}
        (moment_us,) = moments
        assert moment_us is not None
        assert before_us < moment_us <= settled_us(connection)


def test_an_import_waits_for_a_fill_and_leaves_its_candle_alone(old: Old) -> None:
    old.candle(0)
    hour = (START, START + HOUR)
    with connect(old.world.dsn) as connection, ThreadPoolExecutor(1) as pool:
        register_series(connection, {HOURLY: START})
        with fill_lock(connection, series_id_of(connection, HOURLY)):
            done = pool.submit(old.bring_over, MAPPING, "--write")
            waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_for(lambda: connection.execute(waiting).fetchone() or done.done())
            assert not done.done()
            old.world.store(HOURLY, hour)
        assert done.result() == 0
    assert old.stored()[0][1] == "ohlc"


def test_an_hour_brought_over_withdraws_the_proof_that_its_day_was_empty(old: Old) -> None:
    day_s = START // (24 * HOUR) * 24 * HOUR
    with connect(old.world.dsn) as connection:
        register_series(connection, {DAILY: day_s})
        for n, evidence in enumerate((Evidence.ARCHIVE, Evidence.TRADES)):
            part = (day_s + n * 24 * HOUR, day_s + (n + 1) * 24 * HOUR)
            add_proof(connection, DAILY, *part, evidence)
    old.candle(5)
    old.candle(30)

    old.bring_over(MAPPING)
    assert len(old.world.proven(DAILY)) == 2

    old.bring_over(MAPPING, "--write")
    assert old.world.proven(DAILY) == [(day_s + 24 * HOUR, day_s + 48 * HOUR)]


def test_candles_that_an_earlier_version_brought_over_are_marked_as_imported(
    old: Old, capsys: pytest.CaptureFixture[str]
) -> None:
    world = old.world
    truth = list(world.truth(HOURLY, (START, START + 5 * HOUR)).values())
    sources = ["ohlc", "ohlc", "archive", "archive", "trades"]
    changed = [replace(one, source=source) for one, source in zip(truth, sources, strict=True)]
    for n in (0, 2, 3):
        changed[n] = replace(changed[n], vwap=None)
    before = {one.ts_s: one for one in changed}
    write_candles(world.questdb, HOURLY, list(before.values()), (START, START + 5 * HOUR))
    with connect(world.dsn) as connection:
        connection.execute(
            "INSERT INTO archive_files (name, identity, ticker, interval_minutes, version, verified,"
            " first_ts, end_ts, rows_good, rows_bad, rows_written, rows_equal, dag_id, run_id, ingested_at)"
            " VALUES"
            " ('x', 'sha256:x', 'XBTUSD', 60, 1, 'sha256', to_timestamp(%s), to_timestamp(%s), 1, 0, 1, 0,"
            " 'd', 'r', now())",
            (truth[3].ts_s, truth[3].ts_s + HOUR),
        )

    assert main(["--mark-imported"]) == 0
    assert "XBTUSD 60: rows 3, marked 2, left 1" in capsys.readouterr().out
    assert world.stored(HOURLY, (START, START + 5 * HOUR)) == before

    assert main(["--mark-imported", "--tickers", "ETHUSD", "--write"]) == 0
    assert world.stored(HOURLY, (START, START + 5 * HOUR)) == before

    assert main(["--mark-imported", "--write"]) == 0
    now = world.stored(HOURLY, (START, START + 5 * HOUR)).values()
    assert [one.source for one in now] == ["imported", "ohlc", "imported", "archive", "trades"]
    assert [one.stored_us is not None for one in now] == [True, False, True, False, False]
    assert world.rows("SELECT source, buckets::text FROM former_sources ORDER BY source") == [
        {"source": "archive", "buckets": "1"},
        {"source": "ohlc", "buckets": "1"},
    ]
    capsys.readouterr()
    assert main(["--mark-imported", "--write"]) == 0
    assert "marked" not in capsys.readouterr().out


def test_rows_that_are_no_candles_stay_behind_and_are_named(
    old: Old, capsys: pytest.CaptureFixture[str]
) -> None:
    old.candle(0)
    old.candle(1, trades=0, volume=0.0)
    old.candle(2.01)
    old.candle(3, close=150.0)
    old.candle(4, trades=None)
    old.candle(200_000)
    old.bring_over(MAPPING, "--write")
    said = capsys.readouterr().out
    assert "rows 6, untraded 1, refused 4, written 1" in said
    assert all(what in said for what in ("rows off the grid", "have not closed", "missing or impossible"))
    assert list(old.stored()) == [0]


def without(path: str) -> dict[str, Any]:
    mapping = yaml.safe_load(yaml.safe_dump(MAPPING, sort_keys=False))
    if path == "column":
        mapping["candles"]["columns"] = {"trades": "n_trades"}
    elif path == "gap column":
        mapping["gaps"]["columns"] = {"status": "state"}
    elif path == "table":
        mapping["candles"]["table"] = "prices"
    elif path == "asset":
        del mapping["assets"][2]
    elif path == "source":
        mapping["candles"]["sources"].remove("kraken_rest")
    elif path == "absent asset":
        mapping["assets"][9] = {"EUR": "SOLUSD"}
    elif path == "unknown ticker":
        mapping["assets"][2] = {"USD": "NOSUCHUSD"}
    elif path == "key":
        mapping["candle"] = {}
    return dict(mapping)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("column", "table assetprice has no column n_trades; its columns are asset_id, close,"),
        ("gap column", "table gap_records has no column state"),
        ("table", "prices"),
        ("asset", "table assetprice holds asset 2 in USD, which the mapping does not name"),
        ("source", "holds source 'kraken_rest', which the mapping does not name"),
        ("absent asset", "asset 9 in EUR is mapped to SOLUSD, but table assetprice has no row of it"),
        ("unknown ticker", "ticker NOSUCHUSD is not in the catalogue"),
        ("key", "candle: Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_before_anything_is_written(
    old: Old, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    old.candle(0)
    mapping = without(change)
    assert old.bring_over(mapping, "--write") != 0
    assert message in capsys.readouterr().err
    assert old.stored() == {}


def test_an_ignored_asset_stays_behind(old: Old) -> None:
    old.candle(0)
    mapping = without("asset") | {"ignore": [2]}
    assert old.bring_over(mapping, "--write") == 0
    assert list(old.stored()) == [0]


def test_gap_records_are_believed_as_far_as_the_candles_bear_them_out(
    old: Old, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = {10, 11, 12, 20, 30, 31}
    for hour in range(40):
        if hour not in missing:
            old.candle(hour)
    old.gap(1, 3, "FILLED")
    old.gap(4, 6, "FILLED", missing=3)  # the last candle instead of the one after it
    old.gap(9, 12, "FILLED")  # not true
    old.gap(11, 15, "FAILED")
    old.gap(20, 21, "UNFILLABLE")
    old.gap(25, 27, "DETECTED")  # stored by now
    old.gap(30, 32, "DETECTED", missing=7)  # contradicts itself
    assert old.bring_over(MAPPING, "--write") == 0
    said = capsys.readouterr().out
    assert "rows 7, history 2, unproven 1, open 2, stored 1, refused 1" in said
    expected = [(1, 3, "FILLED"), (4, 7, "FILLED"), (11, 13, "DETECTED"), (20, 21, "DETECTED")]
    assert old.gaps() == expected
    assert [gap["missing_candles"] for gap in old.world.gaps()] == [2, 3, 2, 1]
    assert_in_step(old.world)
    history, *_, last = old.world.gaps()
    assert (history["filled_from"], history["filled_at"]) == ("observed", at(502).replace(tzinfo=UTC))
    assert history["detected_at"] == last["detected_at"] == at(500).replace(tzinfo=UTC)

    assert old.bring_over(MAPPING, "--write") == 0
    assert "history" not in capsys.readouterr().out.partition("gap records:")[2]
    assert old.gaps() == expected


def test_the_next_backfill_goes_on_from_there(old: Old) -> None:
    covered = old.world.window(HOURLY)
    first = (covered[0] - START) // HOUR
    for ts_s, candle in old.world.truth(HOURLY, covered).items():
        hour = (ts_s - START) // HOUR
        if hour - first not in {50, 51}:
            old.world.questdb.query(
                "INSERT INTO assetprice VALUES (1, %(ts)s, %(open)s, %(high)s, %(low)s, %(close)s,"
                " %(volume)s, 60, %(trades)s, 'USD', 'kraken_rest')",
                {
                    "ts": ts_s * 1_000_000,
                    "open": candle.open,
                    "high": candle.high,
                    "low": candle.low,
                    "close": candle.close,
                    "volume": candle.volume,
                    "trades": candle.trades,
                },
            )
    old.gap(first + 50, first + 52, "FAILED")
    assert old.bring_over(MAPPING, "--write") == 0
    summary = old.world.run(tickers=["XBTUSD"])
    assert summary["gaps_filled"] >= 1
    assert old.world.stored(HOURLY, covered).keys() == old.world.truth(HOURLY, covered).keys()
    (gap,) = [gap for gap in old.world.gaps(HOURLY) if gap["missing_candles"] == 2]
    assert (gap["status"], gap["detected_at"]) == ("FILLED", at(500).replace(tzinfo=UTC))


def test_a_record_becomes_gaps_that_count_just_what_is_missing_near_each_other(
    old: Old, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = {10, 12, 34, 60, 61, 63}
    for hour in range(90):
        if hour not in missing:
            old.candle(hour)
    old.gap(5, 13, "DETECTED")
    old.gap(9, 70, "FAILED")

    said = []
    for options in ([], ["--write"], ["--write"]):
        assert old.bring_over(MAPPING, *options) == 0
        said.append(capsys.readouterr().out.partition("gap records:")[2])

    assert "rows 2, open 3" in said[0]
    assert said[0].startswith(said[1])
    assert "rows 2, known 2" in said[2]
    assert old.gaps() == [(10, 13, "DETECTED"), (34, 35, "DETECTED"), (60, 64, "DETECTED")]
    assert [gap["missing_candles"] for gap in old.world.gaps()] == [2, 1, 3]
    assert_in_step(old.world)


def test_gaps_brought_over_are_regrouped_and_filled_by_the_next_backfill(old: Old) -> None:
    covered = old.world.window(HOURLY)
    first = (covered[0] - START) // HOUR
    near = [(covered[0] + n * HOUR, covered[0] + (n + 1) * HOUR) for n in (50, 55, 60)]
    old.world.store(HOURLY, covered, without=near)
    old.candle(0)
    old.gap(first + 50, first + 51, "DETECTED")
    old.gap(first + 55, first + 70, "DETECTED")
    assert old.bring_over(MAPPING, "--write") == 0
    assert [gap["missing_candles"] for gap in old.world.gaps(HOURLY)] == [1, 2]
    assert_in_step(old.world)

    summary = old.world.run(tickers=["XBTUSD"])

    assert (summary["raised"], summary["errors"]) == ([], [])
    assert old.world.stored(HOURLY, covered).keys() == old.world.truth(HOURLY, covered).keys()
    (filled,) = [gap for gap in old.world.gaps(HOURLY) if gap["status"] == "FILLED"]
    assert (filled["start_s"], filled["end_s"], filled["missing_candles"]) == (near[0][0], near[-1][1], 3)
    assert_in_step(old.world)
