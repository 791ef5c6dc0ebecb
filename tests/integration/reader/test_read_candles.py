"""What a reader gets of the real stores: columns, several tickers, refusals with cures, borders of time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from kraken_ohlcv import (
    BucketStatus,
    IncompleteError,
    complete_until,
    coverage,
    iter_candles,
    read_candles,
)
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.errors import BadRequestError, OhlcvError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from tests.integration.damage import NOW, Damaged, History, candle
from tests.integration.ledger_pages import add_gap
from tests.integration.reader.test_random_damage import INSERT, close_of, damage

if TYPE_CHECKING:
    from kraken_ohlcv.reader.stores import Stores

AAA = Series("AAAUSD", 60)
BBB = Series("BBBUSD", 60)
HERE = NOW // 3600 * 3600
ALL = set(range(-900, 0))


def open_at(bucket: int) -> datetime:
    """Return the open time of an hour, counted from the running one."""
    return utc(HERE + bucket * 3600)


@pytest.fixture
def whole(stores: Stores, ledger_uri: str) -> Stores:
    """Give stores with 900 whole hours of two pairs, the second of which was quiet for two of them."""
    second = Damaged(BBB, -900, ALL - {-20, -19}, [(-20, -19, "trades"), (-19, -18, "archive")])
    damage(stores, ledger_uri, History([Damaged(AAA, -900, ALL), second], {}))
    return stores


def holed(stores: Stores, dsn: str, *holes: int, known: int = -900) -> None:
    """Store all hours but some."""
    damage(stores, dsn, History([Damaged(AAA, known, {one for one in ALL if one >= known} - set(holes))], {}))


def test_a_frame_has_times_figures_source_and_status_of_each_bucket(whole: Stores) -> None:
    frame = read_candles("AAAUSD", 60, open_at(-3), open_at(0), stores=whole)

    time = pl.Datetime("us", "UTC")
    prices = ("open", "high", "low", "close", "vwap", "volume")
    assert list(frame.schema) == ["ts", "available_at", *prices, "trades", "source", "status"]
    assert {frame.schema[name] for name in ("ts", "available_at")} == {time}
    assert {frame.schema[name] for name in prices} == {pl.Float64()}
    first = frame.row(0, named=True)
    assert (first["ts"], first["available_at"]) == (open_at(-3), open_at(-2))
    assert (first["close"], first["trades"], first["source"]) == (close_of(HERE - 3 * 3600), 3, "ohlc")
    assert frame["status"].to_list() == [BucketStatus.STORED] * 3


def test_columns_come_as_asked_for_and_never_without_time_and_status(whole: Stores) -> None:
    frame = read_candles("AAAUSD", 60, columns=["close", "available_at"], stores=whole)

    assert frame.columns == ["ts", "close", "available_at", "status"]
    assert frame.height == 900


def test_several_tickers_stand_below_each_other_in_the_order_asked_for(whole: Stores) -> None:
    frame = read_candles(["BBBUSD", "AAAUSD"], 60, open_at(-21), open_at(-17), stores=whole)

    assert frame.columns[:2] == ["ticker", "ts"]
    assert frame["ticker"].to_list() == ["BBBUSD"] * 2 + ["AAAUSD"] * 4
    assert frame.filter(pl.col("ticker") == "BBBUSD")["ts"].to_list() == [open_at(-21), open_at(-18)]


def test_wide_has_a_row_per_time_and_a_status_per_ticker(whole: Stores) -> None:
    frame = read_candles(
        ["BBBUSD", "AAAUSD"], 60, open_at(-21), open_at(-17), empty="fill_close", columns=["close", "volume"],
        layout="wide", stores=whole,
    )  # fmt: skip

    assert frame.columns == [
        "ts",
        *(f"{n}_{t}" for t in ("BBBUSD", "AAAUSD") for n in ("close", "volume", "status")),
    ]
    before = close_of(HERE - 21 * 3600)
    assert frame["close_BBBUSD"].to_list() == [before] * 3 + [close_of(HERE - 18 * 3600)]
    assert frame["volume_BBBUSD"].to_list() == [1.5, 0.0, 0.0, 1.5]
    assert frame["status_BBBUSD"].to_list() == ["stored", "empty_trades", "empty_archive", "stored"]
    assert frame["status_AAAUSD"].to_list() == ["stored"] * 4


def test_more_tickers_than_a_statement_names_are_read_alike(stores: Stores, ledger_uri: str) -> None:
    few = {"AAAUSD", "BBBUSD", "T200USD"}
    many = ["AAAUSD", "BBBUSD", *(f"T{n}USD" for n in range(100, 510))]
    damage(stores, ledger_uri, History([], {}))
    entries = [CatalogueEntry(ticker=one, base=one[:-3], quote="USD", tier="TIER1") for one in many]
    sync_catalogue(stores.ledger, entries)
    rows = [candle(Series(one, 60), HERE - 50 * 3600, close=float(len(one))) for one in sorted(few)]
    # Another pair's, which nobody asks for.
    rows.append(candle(Series("ZZZUSD", 60), HERE - 50 * 3600))
    stores.questdb.write_batch("ohlcv", INSERT, rows)

    frame = read_candles(many, 60, open_at(-51), open_at(-49), on_missing="mark", stores=stores)

    assert frame.height == 2 * len(many)
    assert frame["ticker"].unique(maintain_order=True).to_list() == many
    stored = frame.filter(pl.col("status") == "stored")
    assert dict(zip(stored["ticker"], stored["close"], strict=True)) == {one: float(len(one)) for one in few}


def test_a_filled_bucket_repeats_the_close_before_the_range(whole: Stores) -> None:
    frame = read_candles("BBBUSD", 60, open_at(-19), open_at(-18), empty="fill_close", stores=whole)

    row = frame.row(0, named=True)
    before = close_of(HERE - 21 * 3600)
    assert [row[name] for name in ("open", "high", "low", "close")] == [before] * 4
    assert (row["volume"], row["trades"], row["vwap"], row["status"]) == (0.0, 0, None, "empty_archive")


def test_a_frame_of_pandas_has_the_same_values_and_aware_times(whole: Stores) -> None:
    ours = read_candles("BBBUSD", 60, open_at(-21), open_at(-17), empty="rows", stores=whole)

    theirs = read_candles(
        "BBBUSD", 60, open_at(-21), open_at(-17), empty="rows", library="pandas", stores=whole
    )

    assert list(theirs.columns) == ours.columns
    assert [one.to_pydatetime() for one in theirs["ts"]] == ours["ts"].to_list()
    assert str(theirs["ts"].dtype) == "datetime64[us, UTC]"
    assert theirs["close"].dropna().to_list() == ours["close"].drop_nulls().to_list()
    assert theirs["trades"].isna().to_list() == ours["trades"].is_null().to_list()
    assert theirs["status"].astype(str).to_list() == ours["status"].to_list()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param("2026-11-22", "2026-11-23", id="text without a time"),
        pytest.param(date(2026, 11, 22), date(2026, 11, 23), id="dates"),
        pytest.param("2026-11-22T01:00+01:00", datetime(2026, 11, 23, tzinfo=UTC), id="another zone"),
        pytest.param("2026-11-21T23:00:01", "2026-11-23T00:59:59", id="buckets that lie in it whole"),
    ],
)
def test_a_range_is_named_in_any_form_of_a_time(whole: Stores, start: Any, end: Any) -> None:
    frame = read_candles("AAAUSD", 60, start, end, stores=whole)

    assert (frame["ts"].min(), frame["available_at"].max()) == (
        datetime(2026, 11, 22, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert frame.height == 24


GAPS = [
    pytest.param({}, "DETECTED: the next run of DAG backfill_tier1_daily fetches it", id="detected"),
    pytest.param({"status": "BACKFILLING"}, "a run is fetching it right now", id="being filled"),
    pytest.param(
        {"status": "FAILED", "error_message": "EService:Busy", "next_attempt_at": NOW + 3600},
        "FAILED (EService:Busy): DAG backfill_tier1_daily tries again from 2026-11-23T13:34:56 on",
        id="failed",
    ),
    pytest.param(
        {"status": "FAILED"}, "run DAG backfill_tier1_daily with retry_failed", id="failed for good"
    ),
    pytest.param(
        {"status": "UNFILLABLE"},
        "run DAG backfill_tier1_daily with repair_from archive and trades, or ingest AAAUSD_60.csv (2026Q4) "
        "with DAG ingest_ohlcvt_archive",
        id="outside of the API window",
    ),
    pytest.param(
        {"status": "UNFILLABLE", "unfillable_reason": "not_published"},
        "is not published yet",
        id="not published",
    ),
    pytest.param(
        {"status": "UNFILLABLE", "unfillable_reason": "pair_delisted"},
        "the pair left Kraken; ingest",
        id="delisted",
    ),
    pytest.param(
        {"status": "UNFILLABLE", "unfillable_reason": "nobody_has_it"}, "accept it", id="nobody has it"
    ),
    pytest.param(
        {"accepted_by": "kim", "accepted_at": NOW, "accepted_reason": "outage"},
        "kim accepted that it stays missing (outage)",
        id="accepted",
    ),
]


@pytest.mark.parametrize(("gap", "cure"), GAPS)
def test_a_refusal_names_range_gap_and_cure(
    stores: Stores, ledger_uri: str, gap: dict[str, Any], cure: str
) -> None:
    holed(stores, ledger_uri, -50, -49, -47)
    gap_id = add_gap(stores.ledger, AAA, (HERE - 50 * 3600, HERE - 46 * 3600), **gap)

    with pytest.raises(IncompleteError) as refused:
        read_candles("AAAUSD", 60, open_at(-100), open_at(-10), stores=stores)

    (hole,) = refused.value.holes
    assert (hole.ticker, hole.interval_minutes, hole.buckets, hole.gap_id) == ("AAAUSD", 60, 3, gap_id)
    assert (hole.start_s, hole.end_s) == (HERE - 50 * 3600, HERE - 46 * 3600)
    assert hole.status is BucketStatus.MISSING
    said = str(refused.value)
    assert cure in said
    assert "AAAUSD 60: 3 buckets missing from 2026-11-21T10:00:00 to 2026-11-21T14:00:00" in said


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        pytest.param(
            -100, -10, "not detected yet: the next run of DAG backfill_tier1_daily", id="not detected"
        ),
        pytest.param(
            -920, -890, "never loaded: ingest AAAUSD_60.csv (2026Q4)", id="before the series begins"
        ),
        pytest.param(-10, 0, "not due yet, expected by 2026-11-24T02:", id="not due"),
        pytest.param(
            -10, 3, "from 2026-11-23T12:00:00 to 2026-11-23T15:00:00: not closed yet", id="of the future"
        ),
    ],
)
def test_a_hole_without_a_gap_says_what_it_waits_for(
    stores: Stores, ledger_uri: str, start: int, end: int, said: str
) -> None:
    holed(stores, ledger_uri, -50, *([-2] if end == 0 else []))

    with pytest.raises(IncompleteError) as refused:
        read_candles("AAAUSD", 60, open_at(start), open_at(end), stores=stores)

    assert said in str(refused.value)


def test_a_bucket_that_is_not_due_and_in_no_schedule_promises_no_run(stores: Stores, ledger_uri: str) -> None:
    holed(stores, ledger_uri)

    with pytest.raises(IncompleteError) as refused:
        read_candles("AAAUSD", 15, open_at(-1), open_at(0), stores=stores)

    (hole,) = refused.value.holes
    assert (hole.status, hole.buckets) == (BucketStatus.PENDING, 4)
    assert hole.cure.startswith("no schedule keeps 15 minutes of TIER1: trigger a backfill")


def test_a_refusal_names_ten_holes_and_counts_the_others(stores: Stores, ledger_uri: str) -> None:
    holed(stores, ledger_uri, *range(-200, -160, 3))

    with pytest.raises(IncompleteError) as refused:
        read_candles("AAAUSD", 60, stores=stores)

    assert len(refused.value.holes) == 14
    assert str(refused.value).count("not detected yet") == 10
    assert "; and 4 more holes. " in str(refused.value)
    assert str(refused.value).startswith("14 buckets cannot be read. ")


def test_without_an_end_a_frame_ends_where_candles_are_due(stores: Stores, ledger_uri: str) -> None:
    holed(stores, ledger_uri, -3, -1)

    frame = read_candles("AAAUSD", 60, open_at(-5), stores=stores)

    # The candle behind the pending one is left out, too: nothing is read over.
    assert frame["ts"].to_list() == [open_at(-5), open_at(-4)]


def test_before_its_first_trade_a_pair_has_no_buckets(stores: Stores, ledger_uri: str) -> None:
    holed(stores, ledger_uri, known=-10)
    first_trade = "UPDATE assets SET first_trade_at = to_timestamp(%s) WHERE ticker = 'AAAUSD'"
    stores.ledger.execute(first_trade, (HERE - 12 * 3600 + 60,))

    frame = read_candles("AAAUSD", 60, open_at(-2000), open_at(0), on_missing="mark", stores=stores)

    assert frame["ts"].min() == open_at(-12)
    assert frame["status"].to_list() == ["missing"] * 2 + ["stored"] * 10


def test_after_a_pair_has_left_nothing_is_missing(stores: Stores, ledger_uri: str) -> None:
    left = Damaged(AAA, -900, set(range(-900, -30)))
    damage(stores, ledger_uri, History([left], {"AAAUSD": NOW - (HERE - 30 * 3600) - 60}))

    frame = read_candles("AAAUSD", 60, open_at(-40), open_at(5), stores=stores)

    assert frame["ts"].to_list() == [open_at(bucket) for bucket in range(-40, -30)]


def test_behind_the_newest_candle_of_a_pair_not_expected_nothing_is_known(
    stores: Stores, ledger_uri: str
) -> None:
    damage(stores, ledger_uri, History([Damaged(AAA, -900, set(range(-900, -30)))], {}))
    stores.ledger.execute("UPDATE assets SET listed = false WHERE ticker = 'AAAUSD'")

    assert read_candles("AAAUSD", 60, open_at(-40), stores=stores).height == 10
    with pytest.raises(IncompleteError, match="does not expect the pair any more"):
        read_candles("AAAUSD", 60, open_at(-40), open_at(-20), stores=stores)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"tickers": "NONEUSD"}, "ticker 'NONEUSD' is not in the catalogue", id="ticker"),
        pytest.param({"tickers": []}, "no ticker is named", id="no ticker"),
        pytest.param({"tickers": ["AAAUSD", "AAAUSD"]}, "'AAAUSD' is named twice", id="a ticker twice"),
        pytest.param({"tickers": [None]}, "ticker None is no text", id="ticker of no text"),
        pytest.param({"interval_minutes": 7}, "interval 7 is not one of Kraken's, in whole", id="interval"),
        pytest.param({"interval_minutes": 60.0}, "interval 60.0 is not one of", id="interval as a float"),
        pytest.param({"interval_minutes": "60"}, "interval '60' is not one of", id="interval as a text"),
        pytest.param({"start": "yesterday"}, "start 'yesterday' is no time: write it like", id="start"),
        pytest.param({"start": 1_795_392_000}, "start 1795392000 is no time", id="start as a number"),
        pytest.param({"as_of": 1_795_392_000}, "as_of 1795392000 is no time", id="as_of as a number"),
        pytest.param(
            {"start": "2026-11-02", "end": "2026-11-01"}, "end 2026-11-01T00:00:00 is before", id="order"
        ),
        pytest.param(
            {"on_missing": "ignore"}, "on_missing is 'ignore': use one of 'raise', 'mark', 'drop'", id="mode"
        ),
        pytest.param(
            {"empty": "fill"}, "empty is 'fill': use one of 'omit', 'rows', 'fill_close'", id="empty"
        ),
        pytest.param({"layout": "tall"}, "layout is 'tall'", id="layout"),
        pytest.param({"library": "numpy"}, "library is 'numpy'", id="library"),
        pytest.param(
            {"columns": ["price"]}, "column 'price' is not one of ts, available_at, open,", id="column"
        ),
        pytest.param(
            {"columns": "close"}, "columns is 'close': give a list of names", id="columns as a text"
        ),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_by_name(
    whole: Stores, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_candles(**{"tickers": "AAAUSD", "interval_minutes": 60, "stores": whole, **arguments})

    assert said in str(refused.value)


def test_several_tickers_are_refused_where_one_is_asked_for(whole: Stores) -> None:
    both: Any = ["AAAUSD", "BBBUSD"]
    with pytest.raises(BadRequestError, match=r"ticker \['AAAUSD', 'BBBUSD'\] is no text"):
        complete_until(both, 60, stores=whole)
    with pytest.raises(BadRequestError, match=r"ticker \['AAAUSD', 'BBBUSD'\] is no text"):
        next(iter_candles(both, 60, stores=whole))


@pytest.mark.parametrize("late", [datetime.max.replace(tzinfo=UTC), date.max, "9999-12-31T23:59:59.9"])
def test_the_end_of_all_time_is_a_time_like_any_other(whole: Stores, late: Any) -> None:
    with pytest.raises(IncompleteError, match=r"from 2026-11-23T12:00:00 to 9999-01-01.*: not closed yet"):
        read_candles("AAAUSD", 60, open_at(-3), late, stores=whole)

    assert read_candles("AAAUSD", 60, open_at(-3), late, on_missing="mark", stores=whole).height == 3
    assert read_candles("AAAUSD", 60, late, stores=whole).is_empty()
    assert coverage("AAAUSD", 60, late, late, stores=whole)["buckets"].to_list() == [0]


def test_a_candle_off_the_grid_belongs_to_no_bucket(whole: Stores) -> None:
    whole.questdb.write_batch("ohlcv", INSERT, [candle(AAA, HERE - 5 * 3600 + 60)])

    assert read_candles("AAAUSD", 60, open_at(-9), open_at(0), stores=whole).height == 9
    assert coverage("AAAUSD", 60, open_at(-9), open_at(0), stores=whole)["off_grid"].to_list() == [1]


def test_a_candle_stored_twice_is_refused_with_the_cure(whole: Stores) -> None:
    whole.questdb.query("ALTER TABLE ohlcv DEDUP DISABLE")
    whole.questdb.write_batch("ohlcv", INSERT, [candle(AAA, HERE - 5 * 3600)])

    with pytest.raises(OhlcvError, match=r"holds the candle of 2026-11-23T07:00:00 twice.*DEDUP ENABLE"):
        read_candles("AAAUSD", 60, open_at(-9), open_at(0), stores=whole)


def test_the_watermark_is_the_first_bucket_that_cannot_be_read(stores: Stores, ledger_uri: str) -> None:
    holed(stores, ledger_uri, -50, -1)
    assert complete_until("AAAUSD", 60, stores=stores) == open_at(-50)

    stores.questdb.write_batch("ohlcv", INSERT, [candle(AAA, HERE - 50 * 3600)])
    assert complete_until("AAAUSD", 60, stores=stores) == open_at(-1)

    stores.questdb.write_batch("ohlcv", INSERT, [candle(AAA, HERE - 3600)])
    assert complete_until("AAAUSD", 60, stores=stores) == open_at(0)


def test_a_series_that_was_never_loaded_is_complete_until_never(stores: Stores, ledger_uri: str) -> None:
    damage(stores, ledger_uri, History([], {}))

    assert complete_until("AAAUSD", 60, stores=stores) is None


def test_figures_of_a_range_add_up_and_count_what_was_never_loaded(stores: Stores, ledger_uri: str) -> None:
    damaged = Damaged(AAA, -900, ALL - {-100, -90, -80, -1}, [(-100, -99, "trades"), (-70, -69, "trades")])
    damage(stores, ledger_uri, History([damaged], {}))

    (row,) = coverage("AAAUSD", 60, open_at(-910), open_at(0), stores=stores).to_dicts()

    assert row == {
        "ticker": "AAAUSD", "start": open_at(-910), "end": open_at(0), "buckets": 910, "stored": 896,
        "empty_trades": 1, "empty_ohlc": 0, "empty_archive": 0, "missing": 12, "pending": 1,
        "never_loaded": 10, "disputed": 1, "restated": 0, "off_grid": 0, "verified_pct": 98.5698,
    }  # fmt: skip
