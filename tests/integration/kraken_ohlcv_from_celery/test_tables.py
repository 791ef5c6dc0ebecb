"""Tables as the old application really makes them: long candles, moments of runs, other vendors."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV
from tests.integration.old_application import ASSETPRICE, DAILY, HOURLY, MAPPING, START, at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.old_application import Old

DAY = 24


def mapping(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(MAPPING) | changes


@pytest.mark.parametrize("minutes", [1440, 10080, 21600])
def test_one_old_candle_of_a_long_interval_is_imported(old: Old, minutes: int) -> None:
    moment = datetime(2025, 5, 5, tzinfo=UTC)
    moment -= timedelta(seconds=int(moment.timestamp()) % (minutes * 60))
    old.candle(0, time=moment, minutes=minutes)
    assert old.bring_over(mapping(), "--write") == 0
    first_s = int(moment.timestamp())
    stored = old.world.stored(Series("XBTUSD", minutes), (first_s, first_s + minutes * 60))
    assert [(candle.close, candle.source) for candle in stored.values()] == [(100.0, "imported")]


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), id="the epoch"),
        pytest.param(datetime(2009, 12, 31, tzinfo=UTC), id="before Kraken"),
    ],
)
def test_a_candle_of_before_kraken_stays_behind_and_stops_nothing(
    old: Old, capsys: pytest.CaptureFixture[str], moment: datetime
) -> None:
    old.candle(0)
    old.candle(0, time=moment)
    assert old.bring_over(mapping(), "--write") == 0
    assert "candles from before Kraken existed, the first at" in capsys.readouterr().out
    assert list(old.stored()) == [0]


def test_several_quotes_and_day_partitions_come_over_each_to_its_series(
    old: Old, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = [f"  - {{ticker: XBT{one}, base: BTC, quote: {one}, tier: TIER1}}" for one in ("USD", "EUR")]
    (tmp_path / "assets.yaml").write_text("\n".join(["assets:", *assets]), encoding="utf-8")
    monkeypatch.setenv(ASSETS_FILE_ENV, str(tmp_path / "assets.yaml"))
    old.world.questdb.query("DROP TABLE assetprice")
    old.world.questdb.query(ASSETPRICE.replace("BY MONTH", "BY DAY"))
    old.candle(0)
    old.candle(0, 99.5, quote="EUR")
    old.candle(0, 100.5, minutes=1440)
    assert old.bring_over(mapping(assets={1: {"USD": "XBTUSD", "EUR": "XBTEUR"}}, ignore=[2]), "--write") == 0
    covered = (START, START + 86400)
    closes = {
        str(series): [candle.close for candle in old.world.stored(series, covered).values()]
        for series in (HOURLY, Series("XBTEUR", 60), DAILY)
    }
    assert closes == {"XBTUSD 60": [100.0], "XBTEUR 60": [99.5], "XBTUSD 1440": [100.5]}


def test_nanoseconds_come_over(old: Old) -> None:
    old.world.questdb.query("DROP TABLE assetprice")
    old.world.questdb.query(ASSETPRICE.replace("time TIMESTAMP,", "time TIMESTAMP_NS,"))
    old.candle(0)
    old.candle(0, asset_id=2)
    assert old.bring_over(mapping(), "--write") == 0
    assert old.stored() == {0: (100.0, "imported")}


@pytest.mark.parametrize("minutes", [10_080, 21_600])
def test_long_candles_in_nanoseconds_come_over(old: Old, minutes: int) -> None:
    old.world.questdb.query("DROP TABLE assetprice")
    old.world.questdb.query(ASSETPRICE.replace("time TIMESTAMP,", "time TIMESTAMP_NS,"))
    series = Series("XBTUSD", minutes)
    first_s = START // (60 * minutes) * 60 * minutes
    old.candle((first_s - START) / 3600, minutes=minutes)
    old.candle(0)
    old.candle(0, asset_id=2)
    assert old.bring_over(mapping(), "--write") == 0
    assert list(old.world.stored(series, (first_s, first_s + 60 * minutes))) == [first_s]
    assert old.stored() == {0: (100.0, "imported")}


@pytest.mark.parametrize("type_name", ["numeric", "bigint", "double precision"])
def test_gap_records_with_other_number_types_come_over(old: Old, type_name: str) -> None:
    for name in ("asset_id", "interval_minutes", "missing_candles"):
        old.ledger.execute(f"ALTER TABLE gap_records ALTER {name} TYPE {type_name}")
    for hour in range(10):
        if hour not in {3, 4}:
            old.candle(hour)
    old.gap(3, 5, "FAILED")
    assert old.bring_over(mapping(), "--write") == 0
    assert old.gaps() == [(3, 5, "DETECTED")]


def test_a_column_that_holds_no_time_is_refused_by_name(old: Old, capsys: pytest.CaptureFixture[str]) -> None:
    old.candle(0)
    assert old.bring_over(mapping(candles={**MAPPING["candles"], "columns": {"time": "volume"}})) == 2
    assert "column volume of table assetprice is DOUBLE, not TIMESTAMP" in capsys.readouterr().err


def test_an_interval_and_a_vendor_are_refused_by_name_and_stay_behind_by_name(
    old: Old, capsys: pytest.CaptureFixture[str]
) -> None:
    old.candle(0)
    old.candle(0, minutes=720)
    old.candle(1, source="some_vendor")
    old.candle(0, 99.25, source="some_vendor")
    old.gap(0, 12, "FILLED", minutes=720, missing=1)
    told, changed = [], mapping()
    for changes in ({}, {"ignore_intervals": [720]}, {"ignore_sources": ["some_vendor"]}):
        changed |= changes
        code = old.bring_over(changed, "--write")
        told.append((code, "".join(capsys.readouterr())))
    assert [code for code, _ in told] == [2, 2, 0]
    assert "interval 720, which Kraken does not serve: ignore it with ignore_intervals: [720]" in told[0][1]
    assert "holds source 'some_vendor', which the mapping does not name" in told[1][1]
    assert "ignore_sources" in told[1][1]
    assert sorted(re.findall(r"ignored: (.+), rows (\d+)", told[2][1])) == [
        ("interval 720", "1"),
        ("interval 720", "1"),
        ("source some_vendor", "2"),
    ]
    assert old.stored() == {0: (100.0, "imported")}


def test_two_assets_are_never_one_series(old: Old, capsys: pytest.CaptureFixture[str]) -> None:
    old.candle(0)
    assert old.bring_over(mapping(assets={1: {"USD": "XBTUSD"}, 2: {"USD": "XBTUSD"}}), "--write") == 2
    said = capsys.readouterr().err
    assert "asset 1 in USD and asset 2 in USD are both mapped to XBTUSD" in said
    assert old.stored() == {}


@pytest.mark.parametrize("part", ["candles", "gaps"])
def test_a_connection_that_does_not_exist_is_a_sentence_and_nothing_is_written(
    old: Old, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    old.candle(0)
    one = mapping()
    one[part]["connection"] = "no_such_connection"
    assert old.bring_over(one, "--write") == 2
    said = capsys.readouterr().err
    assert "no_such_connection" in said
    assert "define it, or correct the connection named in the mapping" in said
    assert said.count("\n") == 1
    assert old.stored() == {}


def test_records_that_end_at_the_moment_of_a_run_are_cut_to_the_grid(old: Old) -> None:
    for hour in range(80):
        if hour not in {3, 4, 73, 74}:
            old.candle(hour)
    old.gap(0, 0, "FAILED", end=at(74) + timedelta(minutes=2, seconds=3, microseconds=120_000), missing=74)
    old.gap(5, 0, "FILLED", end=at(9.5), missing=4)
    old.gap(3, 0, "UNFILLABLE", end=at(6.01), missing=3)
    old.gap(70, 0, "BACKFILLING", end=at(70.9), missing=0)
    assert old.bring_over(mapping(), "--write") == 0
    assert old.gaps() == [(3, 5, "DETECTED"), (5, 9, "FILLED"), (73, 74, "DETECTED")]


@pytest.mark.parametrize("zone_hours", [4, -2], ids=["west of Greenwich", "east of Greenwich"])
def test_daily_records_that_start_at_local_midnight_are_cut_to_the_grid(old: Old, zone_hours: int) -> None:
    for day in range(10):
        if day not in {4, 6}:
            old.candle(day * DAY, minutes=1440)
    start = at(3 * DAY + zone_hours)
    # To the moment of a run, and to another local midnight.
    old.gap(0, 0, "FAILED", minutes=1440, start=start, end=at(7 * DAY + 2.001), missing=4)
    old.gap(0, 0, "FILLED", minutes=1440, start=at(DAY + zone_hours), end=at(2 * DAY + zone_hours), missing=1)
    assert old.bring_over(mapping(), "--write") == 0
    found = [(a // DAY, b // DAY, status) for a, b, status in old.gaps()]
    assert [one for one in found if one[2] == "DETECTED"] == [(4, 5, "DETECTED"), (6, 7, "DETECTED")]
    assert [one[2] for one in found].count("FILLED") == 1


def test_a_dry_run_says_the_same_as_the_real_one(old: Old, capsys: pytest.CaptureFixture[str]) -> None:
    for hour in range(40):
        if hour not in {10, 11, 12, 20}:
            old.candle(hour)
    old.gap(1, 3, "FILLED")
    old.gap(1, 3, "FILLED")  # recorded twice
    old.gap(9, 12, "FILLED")  # not true
    old.gap(11, 15, "FAILED")
    old.gap(25, 27, "DETECTED")  # comes with the candles
    old.gap(20, 0, "FAILED", end=at(22.5), missing=2)
    said = []
    for options in ([], ["--write"]):
        assert old.bring_over(mapping(), *options) == 0
        said.append(capsys.readouterr().out.replace("Nothing was written. Add --write to write it.\n", ""))
        if not options:
            assert (old.stored(), old.gaps()) == ({}, [])
    assert said[0] == said[1]
    assert "rows 6, history 1, unproven 1, open 2, stored 1, known 1" in said[1]
