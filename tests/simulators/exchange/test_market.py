"""The simulated market: one set of trades, from which every candle of every interval follows."""

from __future__ import annotations

import sys
from collections import defaultdict
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

import pytest
import requests

from local.processes import start_process
from simulators.exchange_client import ExchangeAdmin

if TYPE_CHECKING:
    from pathlib import Path

INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
NOW_S = 1_795_437_296
HOUR_S = 3_600
DAY_S = 86_400
THICK, THIN, QUIET_DAYS, OLDEST = "ETHUSD", "WBTCUSD", "EGLDUSD", "ZECUSD"


def ask(url: str, method: str, **query: Any) -> Any:
    answer = requests.get(f"{url}/0/public/{method}", params=query, timeout=60).json(parse_float=Decimal)
    assert answer["error"] == []
    return answer["result"]


def rows_of(result: dict[str, Any]) -> list[list[Any]]:
    (key,) = set(result) - {"last"}
    rows: list[list[Any]] = result[key]
    return rows


def ohlc(exchange: ExchangeAdmin, ticker: str, interval: int) -> list[list[Any]]:
    return rows_of(ask(exchange.url, "OHLC", pair=ticker, interval=interval))


def trades_from(exchange: ExchangeAdmin, ticker: str, since_ns: int) -> list[list[Any]]:
    """All trades later than a cursor, page by page; a page may end between two trades of the same time."""
    found: dict[int, list[Any]] = {}
    cursor = since_ns
    while True:
        result = ask(exchange.url, "Trades", pair=ticker, since=cursor)
        new = {row[6]: row for row in rows_of(result) if row[6] not in found}
        if not new:
            return list(found.values())
        found |= new
        cursor = int(result["last"]) - 1


def rebuilt(trades: list[list[Any]], step_s: int) -> dict[int, list[Any]]:
    """Candles of trades in exact decimals, independent of the simulator's arithmetic."""
    buckets: dict[int, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for price, volume, time, *_ in trades:
        buckets[int(Decimal(time) // step_s) * step_s].append((Decimal(price), Decimal(volume)))
    candles = {}
    for ts, deals in buckets.items():
        prices = [price for price, _ in deals]
        volume = sum((volume for _, volume in deals), Decimal(0))
        vwap = sum((price * volume for price, volume in deals), Decimal(0)) / volume
        candles[ts] = [prices[0], max(prices), min(prices), prices[-1], vwap, volume, len(deals)]
    return candles


def agrees(row: list[Any], candle: list[Any]) -> bool:
    open_, high, low, close, vwap, volume, count = candle
    tick = Decimal(row[5])
    return [Decimal(text) for text in row[1:5]] == [open_, high, low, close] and (
        vwap.quantize(tick, ROUND_DOWN) == tick and Decimal(row[6]) == volume and row[7] == count
    )


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("ticker", [THICK, THIN, "SHIBUSD"])
def test_every_candle_is_the_exact_aggregate_of_the_trades(
    exchange: ExchangeAdmin, ticker: str, interval: int
) -> None:
    step_s = interval * 60
    rows = ohlc(exchange, ticker, interval)
    start_s = max(rows[0][0], NOW_S // step_s * step_s - min(40, 4 * 21600 // interval) * step_s)
    candles = rebuilt(trades_from(exchange, ticker, start_s * 10**9 - 1), step_s)
    assert candles
    close = None
    for row in rows:
        candle = candles.get(row[0])
        if candle is not None:
            assert agrees(row, candle), (row, candle)
        elif row[0] >= start_s:
            assert row[1:5] == [close or row[1]] * 4
            assert (Decimal(row[5]), row[6], row[7]) == (0, "0.00000000", 0)
        close = row[4]


@pytest.mark.parametrize("interval", INTERVALS)
def test_an_answer_holds_720_committed_rows_and_the_running_one_or_all_since_listing(
    exchange: ExchangeAdmin, interval: int
) -> None:
    step_s = interval * 60
    listed = {pair["ticker"]: pair["listed_s"] for pair in exchange.pairs()}
    for ticker in (THICK, THIN, OLDEST):
        result = ask(exchange.url, "OHLC", pair=ticker, interval=interval)
        rows = rows_of(result)
        running_s = NOW_S // step_s * step_s
        first_s = max(running_s - 720 * step_s, listed[ticker] // step_s * step_s)
        assert [row[0] for row in rows] == list(range(first_s, running_s + 1, step_s))
        assert result["last"] == running_s - step_s


def test_a_too_old_since_reaches_no_further_and_a_late_one_keeps_the_running_row(
    exchange: ExchangeAdmin,
) -> None:
    everything = ohlc(exchange, THICK, 60)
    last = everything[-2][0]
    assert len(everything) == 721
    for since, expected in [
        (1, everything),
        (last, everything[-2:]),
        (last + 1, everything[-1:]),
        (NOW_S + 5 * HOUR_S, everything[-1:]),
    ]:
        assert rows_of(ask(exchange.url, "OHLC", pair=THICK, interval=60, since=since)) == expected


def test_the_oldest_row_in_the_window_of_a_quiet_stretch_carries_the_close_from_before_it(
    exchange: ExchangeAdmin,
) -> None:
    window_start_s = NOW_S // HOUR_S * HOUR_S - 720 * HOUR_S
    before = exchange.candles(THICK, 60, window_start_s - HOUR_S, window_start_s)
    exchange.quiet(THICK, window_start_s, window_start_s + 3 * HOUR_S)
    row = ohlc(exchange, THICK, 60)[0]
    assert row == [window_start_s, *[before[0][4]] * 4, "0.00", "0.00000000", 0]


def test_trade_ids_are_contiguous_from_one_over_the_whole_history(exchange: ExchangeAdmin) -> None:
    first = rows_of(ask(exchange.url, "Trades", pair=QUIET_DAYS, since=0, count=1))
    assert [row[6] for row in first] == [1]
    listed = next(pair["listed_s"] for pair in exchange.pairs() if pair["ticker"] == QUIET_DAYS)
    assert int(first[0][2]) == listed
    trades = trades_from(exchange, QUIET_DAYS, 0)
    assert [row[6] for row in trades] == list(range(1, len(trades) + 1))
    times = [row[2] for row in trades]
    assert times == sorted(times)
    newest = rows_of(ask(exchange.url, "Trades", pair=QUIET_DAYS))
    assert newest == trades[-1000:]


def test_pages_follow_each_other_by_cursor_without_loss_or_repeat(exchange: ExchangeAdmin) -> None:
    since = (NOW_S - DAY_S) * 10**9
    whole = trades_from(exchange, THICK, since)
    assert 200 < len(whole) < 1_000
    pages, cursor = [], str(since)
    while page := rows_of(result := ask(exchange.url, "Trades", pair=THICK, since=cursor, count=7)):
        pages.append(page)
        cursor = result["last"]
    assert result["last"] == cursor
    served = {row[6]: row for page in pages for row in page}
    # An exclusive cursor skips the rest of a group of equal times at a page's end, as Kraken's does.
    skipped = [row for row in whole if row[6] not in served]
    assert [served[row[6]] for row in whole if row[6] in served] == [
        row for row in whole if row not in skipped
    ]
    times = {row[6]: row[2] for row in whole}
    assert all(times[row[6]] == times[row[6] - 1] for row in skipped)


def test_some_trades_are_twins_and_some_stand_at_the_last_instant_of_a_minute(
    exchange: ExchangeAdmin,
) -> None:
    trades = trades_from(exchange, THICK, (NOW_S - 30 * DAY_S) * 10**9)
    assert len(trades) > 5_000
    assert len({tuple(row[:3]) for row in trades}) < len(trades)
    assert len({row[6] for row in trades}) == len(trades)
    assert any(row[2] % 60 >= Decimal("59.9999999") for row in trades)
    assert any(row[2] % 60 == 0 for row in trades)


def test_thick_pairs_have_no_quiet_quarter_of_an_hour_and_thin_ones_many_quiet_hours(
    exchange: ExchangeAdmin,
) -> None:
    pairs = exchange.pairs()
    assert len(pairs) == 80
    n_thin = n_with_quiet_days = 0
    for pair in pairs:
        quiet = sum(row[7] == 0 for row in ohlc(exchange, pair["ticker"], 60)[:-1])
        if pair["quiet_share"] == 0:
            assert min(row[7] for row in ohlc(exchange, pair["ticker"], 60)[1:-1]) >= 8
            assert all(row[7] for row in ohlc(exchange, pair["ticker"], 15)[:-1])
        else:
            n_thin += 1
            assert 0.08 * 720 < quiet < 0.68 * 720
            days = ohlc(exchange, pair["ticker"], 1440)[:-1]
            quiet_days = sum(row[7] == 0 for row in days)
            assert quiet_days == 0 or quiet_days > 0.02 * len(days)
            n_with_quiet_days += quiet_days > 0
    assert n_thin >= 15
    assert n_with_quiet_days >= 2


def test_nothing_later_than_the_clock_is_served_and_history_stays_when_it_moves(
    exchange: ExchangeAdmin,
) -> None:
    before = ohlc(exchange, THICK, 60)
    since = (NOW_S - 7_200) * 10**9
    trades = trades_from(exchange, THICK, since)
    assert max(row[2] for row in trades) <= NOW_S
    exchange.advance(100 * HOUR_S)
    after = ohlc(exchange, THICK, 60)
    assert after[: 720 - 100] == before[100:720]
    assert after[-1][0] == before[-1][0] + 100 * HOUR_S
    grown = trades_from(exchange, THICK, since)
    assert grown[: len(trades)] == trades
    assert len(grown) > len(trades) + 800
    exchange.advance(-100 * HOUR_S)
    assert ohlc(exchange, THICK, 60) == before


def test_the_running_candle_grows_with_the_clock(exchange: ExchangeAdmin) -> None:
    counts = []
    for minute in range(0, 60, 10):
        exchange.set_clock(NOW_S // HOUR_S * HOUR_S + minute * 60)
        counts.append(ohlc(exchange, THICK, 60)[-1][7])
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] >= 4


@pytest.mark.parametrize("interval", [60, 1440, 10080])
def test_quiet_hours_vanish_from_every_answer_and_the_ids_close_up(
    exchange: ExchangeAdmin, interval: int
) -> None:
    start_s = NOW_S // DAY_S * DAY_S - 10 * DAY_S
    end_s = start_s + 3 * DAY_S
    whole = trades_from(exchange, THICK, (start_s - DAY_S) * 10**9)
    exchange.quiet(THICK, start_s, end_s)
    left = trades_from(exchange, THICK, (start_s - DAY_S) * 10**9)
    expected = [row[:6] for row in whole if not start_s <= row[2] < end_s]
    assert len(expected) < len(whole)
    assert [row[:6] for row in left] == expected
    assert [row[6] for row in left] == list(range(left[0][6], left[0][6] + len(left)))
    newest = rows_of(ask(exchange.url, "Trades", pair=THICK, count=1))
    assert newest == left[-1:]
    candles = rebuilt(left, interval * 60)
    rows = {row[0]: row for row in ohlc(exchange, THICK, interval)}
    step_s = interval * 60
    for ts in range(-(-start_s // step_s) * step_s, NOW_S, step_s):
        assert agrees(rows[ts], candles[ts]) if ts in candles else rows[ts][7] == 0
    exchange.clear_quiet()
    assert trades_from(exchange, THICK, (start_s - DAY_S) * 10**9)[-100:] == whole[-100:]


def test_quiet_far_back_lowers_all_later_ids_by_the_trades_taken_out(exchange: ExchangeAdmin) -> None:
    start_s = NOW_S // DAY_S * DAY_S - 200 * DAY_S
    end_s = start_s + 5 * DAY_S
    removed = sum(row[7] for row in exchange.candles(THICK, 60, start_s, end_s))
    newest = rows_of(ask(exchange.url, "Trades", pair=THICK, count=1))
    exchange.quiet(THICK, start_s, end_s)
    (after,) = rows_of(ask(exchange.url, "Trades", pair=THICK, count=1))
    assert removed > 1_000
    assert after == [*newest[0][:6], newest[0][6] - removed]


def test_the_truth_is_the_same_candles_without_window_and_without_flat_rows(exchange: ExchangeAdmin) -> None:
    for interval in (60, 1440, 10080):
        rows = ohlc(exchange, THIN, interval)
        truth = exchange.candles(THIN, interval, rows[0][0], NOW_S)
        assert truth == [row for row in rows[:-1] if row[7]]
    listed = next(pair["listed_s"] for pair in exchange.pairs() if pair["ticker"] == OLDEST)
    whole = exchange.candles(OLDEST, 1440, 0, NOW_S)
    assert whole[0][0] == listed // DAY_S * DAY_S
    assert len(whole) > 3_600


def test_the_history_depends_on_seed_and_anchor_and_not_on_the_clock(
    exchange: ExchangeAdmin, tmp_path: Path
) -> None:
    fixed = ["--freeze", "--anchor", "2026-11-23", "--no-rate-limit"]
    with_seed = {}
    for name, seed, clock in [("same", 7, "2025-01-01T00:00:00Z"), ("other", 8, "2026-11-23T12:34:56Z")]:
        process = start_process(
            name,
            [sys.executable, "-m", "simulators.exchange", "--seed", str(seed), "--clock", clock, *fixed],
            log_file=tmp_path / f"{name}.log",
        )
        try:
            admin = ExchangeAdmin(process.wait_for_line(r"listening on (http://\S+)")[1])
            with_seed[name] = trades_from(admin, OLDEST, 1_735_000_000 * 10**9)
            assert admin.now_s() in (NOW_S, 1_735_689_600)
        finally:
            process.stop()
    here = trades_from(exchange, OLDEST, 1_735_000_000 * 10**9)
    assert len(with_seed["same"]) > 100
    assert with_seed["same"] == here[: len(with_seed["same"])]
    assert with_seed["other"][:100] != here[:100]


def test_a_pair_does_not_exist_before_its_listing(exchange: ExchangeAdmin) -> None:
    pair = max(exchange.pairs(), key=lambda pair: pair["listed_s"])
    exchange.set_clock(pair["listed_s"] - 1)
    answer = requests.get(f"{exchange.url}/0/public/OHLC", params={"pair": pair["ticker"]}, timeout=60).json()
    assert answer["error"] == ["EQuery:Unknown asset pair"]
    assert pair["internal_name"] not in ask(exchange.url, "AssetPairs")
    exchange.set_clock(pair["listed_s"] + 1)
    rows = ohlc(exchange, pair["ticker"], 60)
    assert [row[0] for row in rows] == [pair["listed_s"] // HOUR_S * HOUR_S]
    assert rows[0][7] == 1


def test_synthetic_pairs_come_by_the_thousand_and_go_with_a_reset(exchange: ExchangeAdmin) -> None:
    assert exchange.synthetic(2)[-1] == "SYN0002USD"
    tickers = exchange.synthetic(1_400)
    assert tickers[0] == "SYN0003USD"
    assert len(ask(exchange.url, "AssetPairs")) == 1_482
    days = ohlc(exchange, tickers[-1], 1440)
    assert 60 <= len(days) <= 202
    assert all(row[7] for row in days[:-1])
    exchange.reset()
    assert len(ask(exchange.url, "AssetPairs")) == 80
