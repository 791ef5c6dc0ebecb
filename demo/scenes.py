"""What the demo breaks, as a table: which candles are missing or outdated in which series, and why."""

from __future__ import annotations

from dataclasses import dataclass

API_WINDOW = 720
EVERYTHING = 1_000_000
HOURLY_DAYS = 120
DELISTED = "SNXUSD"


@dataclass(frozen=True, slots=True)
class Missing:
    """Consecutive absent candles.

    :ivar ago: the oldest one, in buckets before now; the newest closed bucket is 1 ago
    :ivar count: how many, going forward in time; those after now do not count
    """

    ago: int
    count: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Damage of one series.

    :ivar story: what happened, for the reader of the report
    :ivar ticker: altname
    :ivar interval: minutes
    :ivar missing: absent candles
    :ivar outdated: candles, in buckets ago, stored with fewer trades and less volume than they have now
    """

    story: str
    ticker: str
    interval: int
    missing: tuple[Missing, ...] = ()
    outdated: tuple[int, ...] = ()


def tail(count: int) -> Missing:
    """Return the newest candles."""
    return Missing(count, count)


def older_than(ago: int) -> Missing:
    """Return all candles but the newest ``ago``."""
    return Missing(EVERYTHING, EVERYTHING - ago)


EMPTY = Missing(EVERYTHING, EVERYTHING)

TIER1_HOURLY = (
    Scene(
        "inner holes, and two candles since restated",
        "XBTUSD",
        60,
        (Missing(30, 5), Missing(200, 1)),
        (100, 150),
    ),
    Scene("tail of three days", "ETHUSD", 60, (tail(72),)),
    Scene("tail of five days, a day lost inside", "USDTUSD", 60, (tail(120), Missing(400, 24))),
    Scene("never loaded", "USDCUSD", 60, (EMPTY,)),
    Scene("a hole across the API edge", "BNBUSD", 60, (Missing(750, 60),)),
    Scene("a hole beyond the API edge, another inside", "XRPUSD", 60, (Missing(1000, 24), Missing(20, 2))),
    Scene("only the last 15 days were ever loaded", "ADAUSD", 60, (older_than(360),)),
    Scene("three candles restated, one missing", "AVAXUSD", 60, (Missing(50, 1),), (60, 61, 62)),
    Scene("the newest candle missing", "SOLUSD", 60, (tail(1),)),
    Scene("the oldest candle in the API window missing", "LINKUSD", 60, (Missing(API_WINDOW, 1),)),
    Scene(
        "more holes than max_gaps_per_asset",
        "LTCUSD",
        60,
        tuple(Missing(37 * n, 1 + n % 3) for n in range(1, 15)),
    ),
    Scene("hours without trades, tail of two days", "DAIUSD", 60, (tail(48),)),
    Scene("hours without trades, tail of a day", "WBTCUSD", 60, (tail(24),)),
)
TIER1_DAILY = (
    Scene("an inner hole", "XBTUSD", 1440, (Missing(10, 3),)),
    Scene("a hole across the API edge", "ETHUSD", 1440, (Missing(730, 20),)),
    Scene("a hole beyond the API edge, another inside", "XRPUSD", 1440, (Missing(750, 10), Missing(40, 2))),
    Scene("tail of four days", "ADAUSD", 1440, (tail(4),)),
    Scene("two candles restated, one missing", "ATOMUSD", 1440, (Missing(12, 1),), (5, 30)),
    Scene("nothing new for 20 days: older than the lookback", "BCHUSD", 1440, (tail(20),)),
    Scene("never loaded", "SHIBUSD", 1440, (EMPTY,)),
)
ARCHIVED = Scene("a hole beyond the API edge, for the archive", "FILUSD", 1440, (Missing(740, 8),))
"""The quarter of Kraken's archive in which the hole begins closes it."""
TIER2_DAILY = (
    Scene("inner holes", "UNIUSD", 1440, (Missing(90, 3), Missing(33, 1))),
    Scene("tail of six days", "XLMUSD", 1440, (tail(6),)),
    Scene("a hole across the API edge", "ETCUSD", 1440, (Missing(725, 10),)),
    Scene("never loaded", "AAVEUSD", 1440, (EMPTY,)),
    ARCHIVED,
    Scene("nothing new for 30 days: older than the lookback", "ICPUSD", 1440, (tail(30),)),
    Scene("a candle restated, one missing", "NEARUSD", 1440, (Missing(3, 1),), (7,)),
    Scene("delisted, with a tail of three days", DELISTED, 1440, (tail(3),)),
    Scene("the oldest candle in the API window missing", "SANDUSD", 1440, (Missing(API_WINDOW, 1),)),
    Scene("only the last 100 days were ever loaded", "GRTUSD", 1440, (older_than(100),)),
    Scene("many small holes", "COMPUSD", 1440, tuple(Missing(29 * n, 1 + n % 4) for n in range(1, 13))),
    Scene("days without trades, tail of two days", "EGLDUSD", 1440, (tail(2),)),
    Scene("days without trades, an inner hole", "CAKEUSD", 1440, (Missing(77, 5),)),
)
SCENES = (*TIER1_HOURLY, *TIER1_DAILY, *TIER2_DAILY)


def daily_days(position: int) -> int:
    """Return how many days of daily candles a pair has at first: two to three years, by catalogue position.

    :param position: 0-based
    """
    return 760 + 67 * position % 330
