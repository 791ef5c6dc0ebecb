"""Candles against proofs from trades: asked about once more, then an incident until the data changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from kraken_ohlcv.core.incident import PairProblem, Problem
from kraken_ohlcv.core.problems import pair_problem
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.disputes import Dispute, read_disputes
from kraken_ohlcv.stores.ledger.incidents import observe_pairs
from kraken_ohlcv.stores.ledger.session import Connection


def to_recheck(
    connection: Connection, tickers: Sequence[str], intervals: Collection[int]
) -> dict[str, list[Range]]:
    """Return the ranges about which trades are to be asked once more.

    :param tickers: Kraken's altnames
    :param intervals: candle lengths of the run, minutes
    :return: by ticker, epoch seconds UTC; what was asked since its candles changed is not in it
    Rule: against a proof from trades the candle is suspect: one re-check with trades, then an incident.
    """
    found: dict[str, list[Range]] = defaultdict(list)
    for one in read_disputes(connection, tickers):
        if one.rechecked_s is None and one.series.interval_minutes in intervals:
            found[one.series.ticker].append(one.range)
    return dict(found)


def observe_disputes(connection: Connection, tickers: Sequence[str], *, now_s: int, url: str | None) -> None:
    """Open, update or end the incidents of pairs with candles that trades, asked twice, do not bear out.

    :param tickers: those looked at
    :param url: of the run, or None
    """
    by_ticker: dict[str, list[Dispute]] = defaultdict(list)
    for one in read_disputes(connection, tickers):
        if one.rechecked_s is not None:
            by_ticker[one.series.ticker].append(one)
    seen: dict[str, Problem | None] = dict.fromkeys(tickers)
    for ticker, those in by_ticker.items():
        rows = [f"{one.series}, {iso(one.start_s)} to {iso(one.end_s)}" for one in those]
        since_s = min(one.found_s for one in those)
        seen[ticker] = pair_problem(ticker, PairProblem.DISPUTED, rows=rows, since_s=since_s)
    observe_pairs(connection, seen, [PairProblem.DISPUTED], now_s=now_s, url=url)
