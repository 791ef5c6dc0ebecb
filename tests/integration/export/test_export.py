"""An export says of every bucket what both stores say, and continues where it stopped."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from kraken_ohlcv.clients.errors import QuestDBUnavailableError
from kraken_ohlcv.core.errors import BadRequestError, SnapshotError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.export import ExportError, ExportRefusedError, export_candles, exporter
from kraken_ohlcv.export.exporter import export_series
from kraken_ohlcv.export.files import write_whole
from kraken_ohlcv.reader.past import When
from kraken_ohlcv.reader.scope import Asked, find_rows
from kraken_ohlcv.reader.stores import open_stores
from kraken_ohlcv.sources.archive.parse import checked_blocks
from kraken_ohlcv.stores.ledger.session import connect
from tests.documents import tokens
from tests.integration.export.desk import AUGUST, HOUR, HOURLY, NOVEMBER, NOW, OCTOBER, SEPTEMBER
from tests.integration.export.exports import (
    FIGURES,
    changed,
    contents,
    files,
    lines_of,
    manifest_of,
    months_of,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.export.desk import Desk

TWO_MINUTES_S = 120


def test_an_export_has_a_folder_per_series_and_month_and_says_what_is_in_it(desk: Desk) -> None:
    done = desk.export()

    assert sorted(contents(desk.folder)) == [
        "XBTUSD_60/2026-09/XBTUSD_60.csv",
        "XBTUSD_60/2026-09/candles.parquet",
        "XBTUSD_60/2026-09/ledger.jsonl.gz",
        "XBTUSD_60/2026-10/XBTUSD_60.incomplete.csv",
        "XBTUSD_60/2026-10/candles.parquet",
        "XBTUSD_60/2026-10/ledger.jsonl.gz",
        "XBTUSD_60/2026-11/XBTUSD_60.incomplete.csv",
        "XBTUSD_60/2026-11/candles.parquet",
        "XBTUSD_60/2026-11/ledger.jsonl.gz",
        "manifest.json",
        "seals.jsonl.gz",
        "verify.py",
    ]
    september, october, november = months_of(desk.folder, HOURLY).values()
    assert (september["rows"], september["proofs"], september["holes"]) == (719, {"trades": 1}, {})
    assert (september["is_whole"], october["is_whole"], november["is_whole"]) == (True, False, False)
    assert (october["rows"], october["sources"], october["holes"]) == (742, {"ohlc": 742}, {"missing": 2})
    assert october["hole_ranges"] == [
        {"start": "2026-10-01T07:00:00Z", "end": "2026-10-01T09:00:00Z", "buckets": 2, "status": "missing"}
    ]
    assert (november["start"], november["end"]) == ("2026-11-01T00:00:00Z", "2026-11-23T12:00:00Z")
    assert (done.written, done.unchanged, done.buckets, done.rows) == (3, 0, 720 + 744 + 540, 719 + 742 + 540)
    assert (dict(done.proofs), dict(done.holes)) == ({"trades": 1}, {"missing": 2})
    assert str(done) == (
        f"{desk.folder}: 3 months written, 0 unchanged; "
        "2,004 buckets: 2,001 stored, 1 proven empty, 2 missing; "
        "0 days as sealed, 0 changed since, 84 not sealed"
    )


def test_all_three_files_of_a_month_say_the_same(desk: Desk) -> None:
    desk.put(OCTOBER, open=0.1 + 0.2, low=1e-9, vwap=None, source="archive", trades=12)
    desk.export()
    lines = [line for line in lines_of(desk.folder, HOURLY) if OCTOBER <= line["ts"] < NOVEMBER]
    assert len(lines) == 744
    assert float.fromhex(lines[0]["open"]) == 0.1 + 0.2
    assert (lines[0]["vwap"], lines[0]["source"], lines[0]["trades"]) == (None, "archive", 12)
    assert [(line["ts"], line["status"]) for line in lines[7:9]] == [
        (OCTOBER + 7 * HOUR, "missing"),
        (OCTOBER + 8 * HOUR, "missing"),
    ]

    parquet = pl.read_parquet(desk.folder / "XBTUSD_60/2026-10/candles.parquet")
    again = parquet.select(pl.col("ts").dt.epoch("s"), "status", *FIGURES, "trades", "source").rows()
    assert again == [
        (
            line["ts"],
            line["status"],
            *(float.fromhex(line[name]) if line.get(name) else None for name in FIGURES),
            line.get("trades"),
            line.get("source"),
        )
        for line in lines
    ]
    blocks = checked_blocks(
        [(desk.folder / "XBTUSD_60/2026-10/XBTUSD_60.incomplete.csv").read_bytes()], HOURLY, now_s=NOW
    )
    good = pl.concat([block.good for block in blocks])
    assert good["ts_s"].to_list() == [line["ts"] for line in lines if line["status"] == "stored"]
    assert good["open"][0] == 0.1 + 0.2


def test_done_again_nothing_is_written_not_even_the_manifest(desk: Desk) -> None:
    desk.export()
    before = contents(desk.folder)
    done = desk.export()
    assert (done.written, done.unchanged) == (0, 3)
    assert changed(before, contents(desk.folder)) == set()


def test_a_restated_candle_changes_its_month_and_no_other(desk: Desk) -> None:
    desk.export()
    before = contents(desk.folder)
    desk.put(OCTOBER + 20 * HOUR, close=1.25)
    done = desk.export()
    assert (done.written, done.unchanged) == (1, 2)
    assert changed(before, contents(desk.folder)) == {
        "manifest.json",
        "XBTUSD_60/2026-10/XBTUSD_60.incomplete.csv",
        "XBTUSD_60/2026-10/candles.parquet",
        "XBTUSD_60/2026-10/ledger.jsonl.gz",
    }


def test_a_month_that_becomes_whole_gets_the_name_of_an_archive_file_and_loses_the_other(desk: Desk) -> None:
    desk.export()
    desk.prove(OCTOBER + 7 * HOUR, OCTOBER + 9 * HOUR, "archive")
    desk.export()
    folder = desk.folder / "XBTUSD_60/2026-10"
    assert sorted(one.name for one in folder.iterdir()) == [
        "XBTUSD_60.csv",
        "candles.parquet",
        "ledger.jsonl.gz",
    ]
    assert months_of(desk.folder, HOURLY)["2026-10"]["proofs"] == {"archive": 2}


def test_a_withdrawn_proof_makes_a_whole_month_incomplete_again(desk: Desk) -> None:
    desk.export()
    with connect(desk.world.dsn) as connection:
        connection.execute("UPDATE coverage_months SET empty_trades = NULL")
    desk.export()
    names = {one.name for one in (desk.folder / "XBTUSD_60/2026-09").iterdir()}
    assert names == {"XBTUSD_60.incomplete.csv", "candles.parquet", "ledger.jsonl.gz"}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1]), id="cut off"),
        pytest.param(lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), id="another byte"),
    ],
)
@pytest.mark.parametrize("name", ["ledger.jsonl.gz", "candles.parquet", "XBTUSD_60.csv"])
def test_a_damaged_file_is_written_again_as_it_was(
    desk: Desk, name: str, damage: Callable[[Path], object]
) -> None:
    desk.export(end="2026-10-01")
    path = desk.folder / "XBTUSD_60/2026-09" / name
    before = path.read_bytes()
    others = contents(desk.folder)
    damage(path)
    desk.export(end="2026-10-01")
    assert path.read_bytes() == before
    assert changed(others, contents(desk.folder)) - {"manifest.json"} == {f"XBTUSD_60/2026-09/{name}"}


def test_an_export_killed_at_any_month_continues_and_its_manifest_never_lied(
    desk: Desk, tmp_path: Path
) -> None:
    script = (
        "import os, sys\n"
        "from kraken_ohlcv.export import exporter, export_candles\n"
        "exporter.SAVE_EVERY_S = 0\n"
        "def watch(done, planned):\n"
        "    os.kill(os.getpid(), 9)\n"
        "export_candles(sys.argv[1], 'XBTUSD', 60, progress=watch)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OHLCV_CANDLES_URL": desk.server.url(),
        "OHLCV_LEDGER_URL": desk.world.dsn,
    }
    killed = subprocess.run(  # noqa: S603 (this interpreter, a script of ours)
        [sys.executable, "-c", script, str(desk.folder)], check=False, timeout=TWO_MINUTES_S, env=environment
    )
    assert killed.returncode == -signal.SIGKILL
    assert list(months_of(desk.folder, HOURLY)) == ["2026-09"]
    before = contents(desk.folder)
    done = desk.export()
    assert (done.written, done.unchanged) == (2, 1)
    assert changed(before, contents(desk.folder)) & before.keys() == {"manifest.json"}
    desk.export(folder=tmp_path / "at_once")
    assert files(desk.folder) == files(tmp_path / "at_once")


@pytest.mark.parametrize("failing", ["ledger.jsonl.gz", "candles.parquet", "XBTUSD_60.incomplete.csv"])
def test_a_month_that_is_half_replaced_is_in_no_manifest_until_it_is_whole(
    desk: Desk, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.export()
    desk.put(OCTOBER + 20 * HOUR, close=1.25)
    real = exporter.write_whole

    def full(path: Path, data: bytes) -> None:
        if path.name == failing:
            raise ExportError("the disk is full")
        real(path, data)

    monkeypatch.setattr(exporter, "write_whole", full)
    with pytest.raises(ExportError, match="the disk is full"):
        desk.export()
    assert list(months_of(desk.folder, HOURLY)) == ["2026-09", "2026-11"]
    monkeypatch.undo()
    desk.export()
    assert list(months_of(desk.folder, HOURLY)) == ["2026-09", "2026-10", "2026-11"]
    (line,) = (one for one in lines_of(desk.folder, HOURLY) if one["ts"] == OCTOBER + 20 * HOUR)
    assert float.fromhex(line["close"]) == 1.25


def test_a_narrower_range_is_widened_to_whole_months_and_takes_nothing_away(desk: Desk) -> None:
    desk.export()
    before = contents(desk.folder)
    done = desk.export(start="2026-10-15", end="2026-10-16T12:00")
    assert (done.written, done.unchanged, done.buckets) == (0, 1, 744)
    assert changed(before, contents(desk.folder)) == set()


def test_months_before_the_series_was_loaded_are_missing_as_far_as_the_pair_traded(desk: Desk) -> None:
    with connect(desk.world.dsn) as connection:
        connection.execute("UPDATE assets SET first_trade_at = to_timestamp(%s)", (AUGUST + 10 * HOUR,))
    desk.export(start="2026-08-01", end="2026-09-01")
    (august,) = months_of(desk.folder, HOURLY).values()
    assert (august["start"], august["rows"]) == ("2026-08-01T10:00:00Z", 0)
    assert (august["holes"], august["is_whole"]) == ({"missing": 734}, False)


def test_the_month_of_the_first_trade_is_whole_though_it_has_fewer_buckets(desk: Desk) -> None:
    with connect(desk.world.dsn) as connection:
        connection.execute("UPDATE assets SET first_trade_at = to_timestamp(%s)", (SEPTEMBER - 2 * HOUR,))
    desk.put(SEPTEMBER - HOUR, SEPTEMBER - 2 * HOUR)
    desk.export()
    august = months_of(desk.folder, HOURLY)["2026-08"]
    assert (august["start"], august["buckets"], august["is_whole"]) == ("2026-08-31T22:00:00Z", 2, True)


@pytest.mark.parametrize("at_once", [1, 500_000])
@pytest.mark.parametrize("interval", [10080, 21600])
def test_a_candle_longer_than_a_day_is_in_the_month_that_it_opens_in_and_in_no_other(
    desk: Desk, interval: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "BUCKETS_AT_ONCE", at_once)
    series = Series("XBTUSD", interval)
    step = interval * 60
    first = -(-SEPTEMBER // step) * step
    opens = list(range(first, NOW - step, step))
    desk.know(first, series)
    desk.put(*opens, series=series)
    desk.export(series)
    lines = lines_of(desk.folder, series)
    assert [line["ts"] for line in lines] == opens
    for name, month in months_of(desk.folder, series).items():
        assert month["start"].startswith(name)


def test_a_range_in_which_no_candle_lies_whole_still_means_the_candles_of_its_month(desk: Desk) -> None:
    series = Series("XBTUSD", 21600)
    step = 21600 * 60
    first = -(-SEPTEMBER // step) * step
    desk.know(first, series)
    opens = list(range(first, NOW - step, step))
    desk.put(*opens, series=series)
    desk.export(series, start="2026-10-25", end="2026-11-01")
    assert [line["ts"] for line in lines_of(desk.folder, series)] == [
        ts_s for ts_s in opens if OCTOBER <= ts_s < NOVEMBER
    ]


def test_a_format_that_is_added_is_written_for_all_months_and_kept_up_from_then_on(desk: Desk) -> None:
    desk.export(formats=["ledger"])
    assert not list(desk.folder.rglob("*.parquet"))
    before = contents(desk.folder)
    desk.export(formats=["parquet"])
    assert len(list(desk.folder.rglob("*.parquet"))) == 3
    assert {name for name in changed(before, contents(desk.folder)) if name.endswith(".gz")} == set()
    desk.put(OCTOBER + 20 * HOUR, close=1.25)
    desk.export(formats=["ledger"])
    parquet = pl.read_parquet(desk.folder / "XBTUSD_60/2026-10/candles.parquet")
    assert parquet["close"][20] == 1.25


def test_months_read_one_by_one_give_the_same_files_as_read_together(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.export()
    monkeypatch.setattr(exporter, "BUCKETS_AT_ONCE", 1)
    desk.export(folder=tmp_path / "one_by_one")
    assert files(desk.folder) == files(tmp_path / "one_by_one")


def test_progress_is_told_month_by_month_and_ends_with_what_was_planned(desk: Desk) -> None:
    told: list[tuple[int, int]] = []
    desk.export(progress=lambda done, planned: told.append((done, planned)))
    assert [done for done, _ in told] == [720, 720 + 744, 720 + 744 + 720]
    assert {planned for _, planned in told} == {720 + 744 + 720}


def test_a_long_export_logs_how_far_it_has_come_every_half_minute(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = iter(range(0, 100_000, 20))
    with opened(desk.server, desk.world.dsn, NOW) as stores, caplog.at_level(logging.INFO):
        export_series(
            stores,
            desk.folder,
            find_rows(stores, ["XBTUSD"], 60),
            Asked(),
            when=When(NOW),
            clock=lambda: next(ticks),
        )
    said = [record.message for record in caplog.records if record.message.startswith("export to")]
    assert said
    assert said[0].startswith(f"export to {desk.folder}: did 720 of 2,184 buckets")


def test_a_series_without_anything_is_named_and_stops_no_other(desk: Desk) -> None:
    desk.world.catalogue(["XBTUSD", "ETHUSD"])
    with connect(desk.world.dsn) as connection:
        connection.execute("UPDATE assets SET delisted_at = now() WHERE ticker = 'ETHUSD'")
    with opened(desk.server, desk.world.dsn, NOW) as stores:
        done = export_candles(desk.folder, ["ETHUSD", "XBTUSD"], 60, stores=stores)
    assert list(done.without) == ["ETHUSD_60"]
    assert "nothing of ETHUSD_60: " in str(done)
    assert done.written == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            {"formats": ["xlsx"]}, "'xlsx' is not one of ledger, parquet, csv", id="an unknown format"
        ),
        pytest.param({"formats": []}, "no format is named", id="no format"),
        pytest.param({"start": "yesterday"}, "'yesterday' is no time", id="no time"),
        pytest.param({"intervals": []}, "no interval is named", id="no interval"),
        pytest.param({"intervals": [60, 60]}, "60, 60 is named twice", id="an interval twice"),
        pytest.param({"intervals": 60.0}, "interval 60.0 is not one of Kraken's", id="a fraction"),
        pytest.param(
            {"start": "2026-11-01", "end": "2026-10-01"}, "is before start", id="the wrong way round"
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    desk: Desk, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequestError, match=said):
        desk.export(**options)
    assert not desk.folder.exists()


def test_an_unknown_ticker_is_refused_before_anything_is_written(desk: Desk) -> None:
    with pytest.raises(BadRequestError, match="'BTCUSD' is not in the catalogue"):
        desk.export(Series("BTCUSD", 60))
    assert not desk.folder.exists()


def test_a_folder_of_somebody_else_is_left_as_it_is(desk: Desk) -> None:
    desk.folder.mkdir()
    (desk.folder / "XBTUSD_60.csv").write_bytes(b"mine")
    with pytest.raises(ExportRefusedError, match="so it is no export"):
        desk.export()
    assert [one.name for one in desk.folder.iterdir()] == ["XBTUSD_60.csv"]


def test_an_export_of_another_exchange_is_not_continued(desk: Desk) -> None:
    desk.export()
    assert manifest_of(desk.folder)["exchange"] is None
    claim(desk, "https://api.kraken.com")
    desk.export()
    assert manifest_of(desk.folder)["exchange"] == "https://api.kraken.com"
    before = contents(desk.folder)
    claim(desk, "http://127.0.0.1:8000")
    with pytest.raises(
        ExportRefusedError, match=r"exchange https://api\.kraken\.com, and this one has http://127"
    ):
        desk.export()
    assert changed(before, contents(desk.folder)) == set()


def claim(desk: Desk, base_url: str) -> None:
    """Let the ledger belong to an exchange."""
    with connect(desk.world.dsn) as connection:
        connection.execute("TRUNCATE exchange")
        connection.execute("INSERT INTO exchange (base_url) VALUES (%s)", (base_url,))


def test_a_path_in_a_manifest_leads_nobody_out_of_the_folder(desk: Desk, tmp_path: Path) -> None:
    desk.export()
    precious = tmp_path / "precious"
    precious.write_bytes((desk.folder / "XBTUSD_60/2026-09/XBTUSD_60.csv").read_bytes())
    text = (desk.folder / "manifest.json").read_text(encoding="utf-8")
    (desk.folder / "manifest.json").write_text(
        text.replace("XBTUSD_60/2026-09/XBTUSD_60.csv", "../precious"), encoding="utf-8"
    )
    before = contents(tmp_path)["precious"]
    done = desk.export()
    assert done.written == 1
    assert contents(tmp_path)["precious"] == before
    path = months_of(desk.folder, HOURLY)["2026-09"]["files"]["csv"]["path"]
    assert path == "XBTUSD_60/2026-09/XBTUSD_60.csv"


def test_minutes_of_a_month_with_more_holes_than_the_manifest_lists_are_all_in_the_ledger(desk: Desk) -> None:
    minutes = Series("XBTUSD", 1)
    desk.know(OCTOBER, minutes)
    opens = range(OCTOBER, OCTOBER + 2400 * 60, 120)
    desk.put(*opens, series=minutes)
    desk.export(minutes, end="2026-11-01")
    (october,) = months_of(desk.folder, minutes).values()
    assert october["rows"] == 1200
    assert (len(october["hole_ranges"]), october["hole_ranges_omitted"]) == (50, 1150)
    assert october["holes"] == {"missing": 44_640 - 1200}
    assert len(lines_of(desk.folder, minutes)) == 44_640


def test_a_store_that_goes_away_meanwhile_ends_the_export_and_it_continues_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, planned: int) -> None:
        del planned
        if done == 720:
            desk.server.stop()

    monkeypatch.setattr(exporter, "BUCKETS_AT_ONCE", 1)
    try:
        with pytest.raises(QuestDBUnavailableError):
            desk.export(progress=stop)
    finally:
        desk.server.start()
    assert list(months_of(desk.folder, HOURLY)) == ["2026-09"]
    done = desk.export()
    assert (done.written, done.unchanged) == (2, 1)


def test_what_closes_between_two_exports_is_added_and_what_was_pending_is_not_called_missing(
    desk: Desk,
) -> None:
    desk.export(now_s=NOW)
    (before,) = [line for line in lines_of(desk.folder, HOURLY) if line["ts"] == NOW // HOUR * HOUR - HOUR]
    assert before["status"] == "stored"
    done = desk.export(now_s=NOW + HOUR)
    assert (done.written, done.unchanged) == (1, 2)
    assert lines_of(desk.folder, HOURLY)[-1]["status"] == "pending"
    assert months_of(desk.folder, HOURLY)["2026-11"]["holes"] == {"pending": 1}


def test_rows_that_are_no_candles_of_the_grid_do_not_get_in(desk: Desk) -> None:
    desk.put(OCTOBER + 90, series=HOURLY)
    desk.put(OCTOBER + 7 * HOUR + 60, series=HOURLY)
    done = desk.export()
    assert (done.rows, dict(done.holes)) == (719 + 742 + 540, {"missing": 2})


def test_a_foreign_candle_without_all_figures_is_told_as_it_is_and_its_month_is_not_whole(desk: Desk) -> None:
    desk.put(SEPTEMBER, volume=None, source="somebody's")
    desk.export()
    line = lines_of(desk.folder, HOURLY)[0]
    assert (line["status"], line["volume"], line["source"]) == ("stored", None, "somebody's")
    september = months_of(desk.folder, HOURLY)["2026-09"]
    assert (september["rows"], september["sources"]) == (719, {"ohlc": 718, "somebody's": 1})
    assert (september["holes"], september["is_whole"]) == ({}, False)


def test_the_months_of_a_delisted_pair_are_whole_up_to_its_end(desk: Desk) -> None:
    with connect(desk.world.dsn) as connection:
        connection.execute(
            "UPDATE assets SET delisted_at = to_timestamp(%s), pair_status = NULL", (OCTOBER + 5 * HOUR + 90,)
        )
    desk.export()
    october = months_of(desk.folder, HOURLY)["2026-10"]
    assert list(months_of(desk.folder, HOURLY)) == ["2026-09", "2026-10"]
    assert (october["end"], october["buckets"]) == ("2026-10-01T05:00:00Z", 5)
    assert october["is_whole"]


def test_a_file_in_the_place_of_a_folder_is_named_with_its_cure(desk: Desk) -> None:
    desk.export(end="2026-10-01")
    (desk.folder / "XBTUSD_60/2026-10").write_bytes(b"")
    with pytest.raises(ExportError, match=r"cannot be written .*run the same export again; it continues"):
        desk.export()


def test_the_example_of_the_document_runs_with_urls_of_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OHLCV_CANDLES_URL", desk.server.url())
    monkeypatch.setenv("OHLCV_LEDGER_URL", desk.world.dsn)
    desk.world.catalogue(["XBTUSD", "ETHUSD"])
    text = next(
        token.content
        for token in tokens("docs/EXPORT.md")
        if token.type == "fence" and token.info == "python"
    )
    names: dict[str, Any] = {}
    exec(text.replace("/srv/exports/majors", str(desk.folder)), names)  # noqa: S102 (our own document)
    assert names["done"].written > 0
    assert "XBTUSD_60" in manifest_of(desk.folder)["series"]


def test_logins_that_may_only_read_and_a_closed_http_port_give_the_same_files(
    desk: Desk, tmp_path: Path
) -> None:
    draw = random.Random(15)
    for hour in range(50):
        prices = sorted(draw.uniform(1e-9, 1e9) for _ in range(4))
        names = ("low", "open", "close", "high")
        desk.put(
            SEPTEMBER + hour * HOUR, **dict(zip(names, prices, strict=True)), volume=draw.random(), vwap=None
        )
    desk.export()
    only_reads = f"{desk.world.dsn}&options=-c%20default_transaction_read_only%3Don"
    only_pgwire = desk.server.url().replace(f"http_port={desk.server.http_port}", "http_port=1")
    with open_stores(only_pgwire, only_reads, clock=lambda: NOW) as stores:
        export_candles(tmp_path / "other", "XBTUSD", 60, stores=stores)
    assert files(tmp_path / "other") == files(desk.folder)


def test_whole_months_can_be_taken_in_as_an_archive_and_others_prove_nothing(
    desk: Desk, archive: ArchiveWorld
) -> None:
    desk.export(folder=archive.folder / "export")
    before = desk.world.contents()
    done = archive.run(path="export", tickers=["XBTUSD"], intervals=[60])
    assert done["raised"] == []
    assert done["files_ingested"] == 1
    after = desk.world.contents()
    for name in ("ohlcv", "coverage_changes", "candle_restatements"):
        assert after[name] == before[name]
    assert desk.world.missing(HOURLY) == [(OCTOBER + 7 * HOUR, OCTOBER + 9 * HOUR)]


def test_an_export_of_the_past_is_as_it_was_then_and_does_not_mix_with_the_present(
    desk: Desk, tmp_path: Path
) -> None:
    moment = desk.pin("before")
    then = desk.export(folder=tmp_path / "then", as_of="before")
    desk.restate(OCTOBER + 20 * HOUR, close=1.25)
    now = desk.export()
    again = desk.export(folder=tmp_path / "again", as_of=moment)

    assert files(tmp_path / "again") == files(tmp_path / "then")
    assert (then.rows, again.rows) == (now.rows, now.rows)
    assert {
        name for name, data in files(desk.folder).items() if files(tmp_path / "then").get(name) != data
    } == {
        "XBTUSD_60/2026-10/XBTUSD_60.incomplete.csv",
        "XBTUSD_60/2026-10/candles.parquet",
        "XBTUSD_60/2026-10/ledger.jsonl.gz",
    }
    assert manifest_of(tmp_path / "then")["as_of"] == f"{moment.replace(tzinfo=None).isoformat()}Z"
    for folder, as_of in ((tmp_path / "then", None), (desk.folder, "before")):
        with pytest.raises(ExportRefusedError, match="holds an export with as_of"):
            desk.export(folder=folder, as_of=as_of)
    before = contents(tmp_path / "then")
    assert desk.export(folder=tmp_path / "then", as_of=moment).written == 0
    assert changed(before, contents(tmp_path / "then")) == set()


def test_what_an_unknown_snapshot_is_asked_for_makes_no_folder(desk: Desk) -> None:
    with pytest.raises(SnapshotError, match="there is no snapshot 'nowhere'"):
        desk.export(as_of="nowhere")
    assert not desk.folder.exists()


@pytest.mark.parametrize(
    ("first_trade_s", "holes"),
    [
        pytest.param(SEPTEMBER, {"missing": 719}, id="lost"),
        pytest.param(OCTOBER, {}, id="not expected any more"),
    ],
)
def test_a_month_whose_candles_are_gone_is_not_left_as_it_was(
    desk: Desk, first_trade_s: int, holes: dict[str, int]
) -> None:
    desk.export()
    desk.world.questdb.query("ALTER TABLE ohlcv DROP PARTITION LIST '2026-09'")
    with connect(desk.world.dsn) as connection:
        connection.execute("UPDATE series SET start_ts = to_timestamp(%s)", (OCTOBER,))
        connection.execute("UPDATE assets SET first_trade_at = to_timestamp(%s)", (first_trade_s,))
    desk.export()
    september = months_of(desk.folder, HOURLY)["2026-09"]
    assert (september["rows"], september["holes"], september["is_whole"]) == (0, holes, False)
    lines = [line for line in lines_of(desk.folder, HOURLY) if line["ts"] < OCTOBER]
    assert len(lines) == september["buckets"]
    assert {line["status"] for line in lines} <= {"missing", "empty_trades"}


def test_a_damaged_month_is_in_no_manifest_until_it_is_whole_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.export()
    (desk.folder / "XBTUSD_60/2026-09/ledger.jsonl.gz").write_bytes(b"")

    def full(path: Path, data: bytes) -> None:
        if path.parent.name == "2026-09":
            raise ExportError("the disk is full")
        write_whole(path, data)

    monkeypatch.setattr(exporter, "write_whole", full)
    with pytest.raises(ExportError, match="the disk is full"):
        desk.export()
    assert list(months_of(desk.folder, HOURLY)) == ["2026-10", "2026-11"]
