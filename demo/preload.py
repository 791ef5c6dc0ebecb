"""Fill QuestDB with damaged history of the simulated exchange, and let it have been kept for long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.candles import Candles, Series, Values, fetch_truth, store
from demo.scenes import DELISTED, HOURLY_DAYS, SCENES, Scene, daily_days
from kraken_ohlcv.core.assets import read_catalogue
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import migrate_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin

HOURLY = 60
DAILY = 1440
DAY_S = 86_400
HOUR_S = 3_600
LONGEST_DEMO_S = 900
OUTDATED_SHARE = 0.75


class SceneError(RuntimeError):
    """A scene does not fit the simulated market: its candles do not exist there."""


@dataclass(frozen=True, slots=True)
class Preloaded:
    """What was there before Airflow looked.

    :ivar now_s: the exchange's clock then, epoch seconds
    :ivar rows: number of candles stored
    :ivar truth: the exchange's candles by series
    :ivar stored: what is left of them in QuestDB by series
    :ivar outdated: number of candles stored in an older version
    """

    now_s: int
    rows: int
    truth: dict[Series, Candles]
    stored: dict[Series, Candles]
    outdated: int


def preload(
    exchange: ExchangeAdmin,
    questdb: QuestDBServer,
    tickers: Sequence[str],
    *,
    scenes: Sequence[Scene] = SCENES,
) -> Preloaded:
    """Prepare the market, then store its history without what the scenes take away.

    :param exchange: the simulator, fresh
    :param questdb: a running server; its candle table is made anew
    :param tickers: pairs to store, in the catalogue's order
    :param scenes: the damage
    :raises SceneError: if a scene names a pair or candle that the market does not have
    """
    keep_clear_of_the_hour(exchange)
    now_s = int(exchange.now_s())
    truth = fetch_truth(exchange, _wanted(tickers, now_s))
    # Only now: a delisted pair's history is what was stored while it was traded.
    exchange.set_pair(DELISTED, "vanished")
    damaged = dict(truth)
    for scene in scenes:
        series = Series(scene.ticker, scene.interval)
        if series not in truth:
            raise SceneError(f"scene {scene.story!r}: {series} is not preloaded")
        damaged[series] = damage(series, truth[series], scene, now_s)
    rows = store(questdb, damaged)
    return Preloaded(now_s, rows, truth, damaged, sum(len(scene.outdated) for scene in scenes))


def keep_for_long(ledger_uri: str) -> None:
    """Let the assets have been in the catalogue for longer than the lookback and than anything is due.

    A history that a new asset comes with is neither late nor left alone, and the demo shows both.

    :param ledger_uri: libpq URI of the ledger's database, which may be empty
    """
    migrate_ledger(ledger_uri)
    with connect(ledger_uri) as connection:
        sync_catalogue(connection, read_catalogue().entries)
        connection.execute("UPDATE assets SET added_at = now() - INTERVAL '1 year'")


def keep_clear_of_the_hour(exchange: ExchangeAdmin) -> None:
    """Set the exchange's clock back when an hour would end during the demo.

    A bucket that closes between two runs is rightly found missing by the second one, which is to show that
    a repeated run finds nothing.
    """
    now_s = exchange.now_s()
    left_s = HOUR_S - now_s % HOUR_S
    if left_s < LONGEST_DEMO_S:
        exchange.set_clock(now_s - (LONGEST_DEMO_S - left_s), running=True)


def damage(series: Series, candles: Candles, scene: Scene, now_s: int) -> Candles:
    """Return the candles that a scene leaves, some of them in an older version.

    :param series: whose candles
    :param candles: the true ones
    :param scene: what to take away
    :param now_s: the exchange's clock, epoch seconds
    :raises SceneError: if nothing is taken away by a part of the scene, or an outdated candle does not exist
    """
    newest_end_s = now_s - now_s % series.step_s
    left = dict(candles)
    for missing in scene.missing:
        start_s = newest_end_s - missing.ago * series.step_s
        end_s = start_s + missing.count * series.step_s
        taken = [ts for ts in left if start_s <= ts < end_s]
        if not taken:
            raise SceneError(f"scene {scene.story!r}: {series} has no candle {missing.ago} ago")
        for ts in taken:
            del left[ts]
    for ago in scene.outdated:
        ts = newest_end_s - ago * series.step_s
        if ts not in left or left[ts].trades < 2:  # noqa: PLR2004 (one trade fewer must leave one)
            raise SceneError(f"scene {scene.story!r}: {series} has no candle of two trades {ago} ago")
        left[ts] = outdated(left[ts])
    return left


def outdated(now: Values) -> Values:
    """Return what the exchange may have said of a candle before its last trades were in."""
    return now._replace(close=now.open, volume=now.volume * OUTDATED_SHARE, trades=now.trades - 1)


def history_start_s(series: Series, now_s: int, tickers: Sequence[str]) -> int:
    """Return the open time of the oldest bucket that is preloaded, if the pair was listed by then.

    :param series: whose
    :param now_s: the exchange's clock, epoch seconds
    :param tickers: all pairs, in the catalogue's order
    """
    days = HOURLY_DAYS if series.interval == HOURLY else daily_days(tickers.index(series.ticker))
    return now_s - now_s % series.step_s - days * DAY_S


def _wanted(tickers: Sequence[str], now_s: int) -> dict[Series, tuple[int, int]]:
    all_series = [Series(ticker, interval) for ticker in tickers for interval in (HOURLY, DAILY)]
    return {
        series: (history_start_s(series, now_s, tickers), now_s - now_s % series.step_s)
        for series in all_series
    }
