"""The pairs the simulated exchange lists, and how lively each of them is.

A pair is either *thick* (at least eight trades in every hour, at least one in every quarter of it) or *thin*
(whole hours without a trade, with ``+days`` also whole days). Nothing lies in between: a pair that traded in
99.9 % of its hours would be a busy one with a hole nobody scripted.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

DAY_S = 86_400
HOUR_S = 3_600
THICK_FLOOR = 8
THICK_CEILING = 20
QUIET_DAY_SHARE = 0.06
SYNTHETIC_RATE = 2
UNIX_EPOCH_ORDINAL = 719_163
OLD_LISTING_DAYS = 3_653
# The sum of price times volume over 15 days must fit 63 bits: 1e12 units per dollar leave room for 9 M$.
NOTIONAL_DIGITS = 12
VOLUME_DIGITS = 8

# ticker, typical price, decimals of a price, trades an hour (thick) or share of quiet hours (thin)
_MARKET = """
XBTUSD 60000 1 19 | ETHUSD 2500 2 18 | USDTUSD 1 5 16 | USDCUSD 1 4 14 | BNBUSD 600 2 12
XRPUSD 0.6 5 17 | ADAUSD 0.45 6 15 | XDGUSD 0.12 7 16 | AVAXUSD 28 2 13 | SOLUSD 150 2 18
POLUSD 0.4 4 11 | DOTUSD 5 4 13 | TRXUSD 0.15 6 12 | DAIUSD 1 5 thin 0.3 | WBTCUSD 60000 1 thin 0.45
SHIBUSD 0.00002 8 14 | LTCUSD 80 2 14 | LINKUSD 12 5 15 | BCHUSD 400 2 12 | ATOMUSD 6 4 11
UNIUSD 8 3 13 | XLMUSD 0.1 6 14 | ETCUSD 22 3 11 | ALGOUSD 0.15 5 12 | AAVEUSD 120 2 13
FILUSD 4.5 3 11 | ICPUSD 9 3 10 | NEARUSD 5 3 13 | APTUSD 8 4 11 | GRTUSD 0.2 5 10
SUSD 0.5 4 10 | SANDUSD 0.3 5 11 | MANAUSD 0.4 5 11 | AXSUSD 6 3 10 | EGLDUSD 30 2 thin 0.35 +days
XTZUSD 0.8 4 12 | CROUSD 0.09 5 11 | FLOWUSD 0.7 3 10 | CHZUSD 0.07 5 10 | KSMUSD 20 2 thin 0.2
CAKEUSD 2 4 thin 0.5 +days | ENSUSD 18 3 10 | ZECUSD 35 2 thin 0.25 +old | COMPUSD 50 2 10
SNXUSD 2 3 11 | SUSHIUSD 0.8 3 10 | YFIUSD 6000 1 thin 0.6 | MKRUSD 1500 2 10 | VETUSD 0.03 5 11
THETAUSD 1.2 4 10 | 1INCHUSD 0.3 3 10 | CRVUSD 0.4 4 11 | BATUSD 0.2 5 10 | ENJUSD 0.2 5 thin 0.4
GALAUSD 0.03 5 12 | LRCUSD 0.2 5 10 | ZRXUSD 0.4 5 10 | BALUSD 2.5 3 thin 0.5 | KNCUSD 0.6 3 10
QTUMUSD 3 4 thin 0.3 | ANKRUSD 0.03 6 10 | STORJUSD 0.5 4 10 | BNTUSD 0.7 4 thin 0.55 | CELOUSD 0.6 4 10
NMRUSD 15 3 10 | BANDUSD 1.3 4 thin 0.4 +days | UMAUSD 2.5 3 10 | RUNEUSD 5 4 11 | FARMUSD 50 2 thin 0.6 +days
PERPUSD 0.8 4 10 | ALPHAUSD 0.08 5 10 | BADGERUSD 3 3 thin 0.5 | RENUSD 0.05 5 10 | OMGUSD 0.5 4 10
SRMUSD 0.05 5 thin 0.45 | OCEANUSD 0.6 4 11 | SKLUSD 0.05 5 10 | TRBUSD 60 2 10 | XVSUSD 7 3 thin 0.3
YFIIUSD 400 2 thin 0.5 +days
"""
INTERNAL_NAMES = {
    "XBTUSD": "XXBTZUSD",
    "ETHUSD": "XETHZUSD",
    "XRPUSD": "XXRPZUSD",
    "LTCUSD": "XLTCZUSD",
    "ETCUSD": "XETCZUSD",
    "XLMUSD": "XXLMZUSD",
    "ZECUSD": "XZECZUSD",
    "USDTUSD": "USDTZUSD",
}
_BASE_CODES = {"XBT": "XXBT", "ETH": "XETH", "XRP": "XXRP", "LTC": "XLTC", "ETC": "XETC", "XLM": "XXLM"}
_BASE_CODES |= {"ZEC": "XZEC", "XDG": "XXDG"}
ALIASES = {"DOGEUSD": "XDGUSD", "BTCUSD": "XBTUSD"}
PEOPLE_SAY = {"XBT": "BTC", "XDG": "DOGE"}


@dataclass(frozen=True, slots=True)
class Pair:
    """What is fixed about a pair.

    :ivar ticker: Kraken's altname
    :ivar internal_name: key of the pair in replies
    :ivar price: typical price, USD
    :ivar decimals: digits of a price after the point; a trade's price is a multiple of 10**-decimals
    :ivar trades_per_hour: mean number of trades in an hour
    :ivar quiet_hour_share: share of hours without a trade, on days with trades; 0 for a thick pair
    :ivar quiet_day_share: share of days without a trade
    :ivar is_thick: whether every hour has at least eight trades
    :ivar listed_s: moment of the first trade rounded down to the second, epoch seconds
    """

    ticker: str
    internal_name: str
    price: float
    decimals: int
    trades_per_hour: float
    quiet_hour_share: float
    quiet_day_share: float
    is_thick: bool
    listed_s: int

    @property
    def base_name(self) -> str:
        """The base currency as people see it, ``XBT``."""
        return self.ticker.removesuffix("USD")

    @property
    def wsname(self) -> str:
        """Name in AssetPairs for people, ``XBT/USD``; a request may use it."""
        return f"{self.base_name}/USD"

    @property
    def display_name(self) -> str:
        """Name of answers to requests with ``assetVersion=1``, ``BTC/USD``; a request may use it, too."""
        return f"{PEOPLE_SAY.get(self.base_name, self.base_name)}/USD"

    @property
    def base_code(self) -> str:
        """Kraken's internal code of the base currency, ``XXBT``."""
        return _BASE_CODES.get(self.base_name, self.base_name)

    @property
    def volume_decimals(self) -> int:
        """Digits of a traded volume after the point; the rest of Kraken's eight is zero.

        Cheap coins trade in coarser steps, so that price times volume summed over the longest candle stays
        an exact 64-bit integer.
        """
        return min(VOLUME_DIGITS, NOTIONAL_DIGITS - self.decimals)

    @property
    def quiet_share(self) -> float:
        """Share of all hours without a trade."""
        return 1 - (1 - self.quiet_hour_share) * (1 - self.quiet_day_share)


def number_for(seed: int, *key: str | int) -> int:
    """Return a 64-bit number that depends on nothing but the seed and the key.

    :param seed: the market's seed
    :param key: what the number is for
    """
    text = "/".join(str(part) for part in (seed, *key))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def listed_pairs(seed: int, anchor: date) -> dict[str, Pair]:
    """Return the pairs of the market by ticker.

    :param seed: the market's seed
    :param anchor: day from which listing dates count back: one to four years, ten for one thin pair
    """
    entries = [entry.split() for line in _MARKET.strip().splitlines() for entry in line.split("|")]
    return {entry[0]: _pair(entry, seed, anchor) for entry in entries}


def synthetic_pair(number: int, seed: int, anchor: date) -> Pair:
    """Return one of the many small pairs made on demand: young, two trades in every hour.

    :param number: 1 or more, part of the ticker
    :param seed: the market's seed
    :param anchor: day from which listing dates count back
    """
    ticker = f"SYN{number:04d}USD"
    return Pair(
        ticker=ticker,
        internal_name=ticker,
        price=1.0,
        decimals=4,
        trades_per_hour=SYNTHETIC_RATE,
        quiet_hour_share=0.0,
        quiet_day_share=0.0,
        is_thick=False,
        listed_s=_listed_s(ticker, seed, anchor, youngest_days=60, span_days=140),
    )


def _pair(entry: list[str], seed: int, anchor: date) -> Pair:
    ticker, price, decimals, *rest = entry
    is_thick = rest[0] != "thin"
    quiet_hours = 0.0 if is_thick else float(rest[1])
    youngest, span = (OLD_LISTING_DAYS, 1) if "+old" in rest else (366, 3 * 365)
    thin_rate = round((1 - quiet_hours) * 2.6, 2)
    return Pair(
        ticker=ticker,
        internal_name=INTERNAL_NAMES.get(ticker, ticker),
        price=float(price),
        decimals=int(decimals),
        trades_per_hour=float(rest[0]) if is_thick else thin_rate,
        quiet_hour_share=quiet_hours,
        quiet_day_share=QUIET_DAY_SHARE if "+days" in rest else 0.0,
        is_thick=is_thick,
        listed_s=_listed_s(ticker, seed, anchor, youngest_days=youngest, span_days=span),
    )


def _listed_s(ticker: str, seed: int, anchor: date, *, youngest_days: int, span_days: int) -> int:
    """Return a moment some days before the anchor; never midnight, so that the first candles are cut."""
    choice = number_for(seed, ticker, "listing")
    day = anchor.toordinal() - UNIX_EPOCH_ORDINAL - youngest_days - choice % span_days
    hour = 13 + (choice // span_days) % 6
    return day * DAY_S + hour * HOUR_S + (choice // 10_000) % 1_200
