"""What answers held that could not be used: named once, kept with the run; more than 1 % is an incident."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from kraken_ohlcv.core.incident import PairProblem, Problem
from kraken_ohlcv.core.problems import MAX_LINES, pair_problem
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.incidents import observe_pairs
from kraken_ohlcv.stores.ledger.runs import read_run
from kraken_ohlcv.stores.ledger.session import Connection, column, execute

log = logging.getLogger(__name__)

PAIRS: Final = "AssetPairs"
"""Source of what is odd about a pair itself: an error of a run that is about it."""

TRADES: Final = "Trades"
"""Source of what a walk through pages of trades has met, even in several stretches of calls."""

MUCH_SHARE: Final = 0.01
"""More than this share of odd rows is the pair's own incident."""


def note_oddities(
    connection: Connection,
    run: RunKey,
    *,
    ticker: str,
    source: str,
    n_rows: int,
    odd: Sequence[str],
    notes: Sequence[str],
    n_odd: int | None = None,
) -> None:
    """Name what an answer, or a walk through pages, held that could not be used; without any, do nothing.

    :param source: where it came from, for example ``OHLC 60`` or ``Trades``
    :param n_rows: rows that were looked at
    :param odd: a sentence per row that cannot be used
    :param notes: a sentence per thing that was ignored
    :param n_odd: how many rows cannot be used, when ``odd`` shows only the first of them
    """
    odd, notes = list(dict.fromkeys(odd)), list(dict.fromkeys(notes))
    for sentence in (*notes, *odd[:MAX_LINES]):
        log.warning("%s %s: %s", ticker, source, sentence)
    if odd or notes:
        found = {
            "ticker": ticker,
            "source": source,
            "n_rows": n_rows,
            "n_odd": len(odd) if n_odd is None else n_odd,
            "odd": odd[:MAX_LINES],
            "notes": notes[:MAX_LINES],
        }
        execute(connection, "add_oddity", run, found=found)


def _merged(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry per ticker and source: the latest answer, but of a walk all its stretches together."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        key = one["ticker"], one["source"]
        before = merged.get(key)
        if before is None or one["source"] != TRADES:
            merged[key] = one
            continue
        sums = {name: before[name] + one[name] for name in ("n_rows", "n_odd", "odd", "notes")}
        merged[key] = one | sums
    return list(merged.values())


def sentences(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return the warnings of a run: one per ticker and source with odd rows, one per thing ignored.

    :param found: oddities of the run
    """
    merged = _merged(found)
    warnings = [
        f"{one['ticker']} {one['source']}: {one['n_odd']} of {one['n_rows']} rows cannot be used and are "
        f"left out; the first: {one['odd'][0]}"
        for one in merged
        if one["odd"] and one["source"] != PAIRS
    ]
    return [*warnings, *dict.fromkeys(note for one in merged for note in one["notes"])]


def errors(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return the errors of a run: one per pair of its own whose entry in AssetPairs cannot be used.

    :param found: oddities of the run
    """
    return list(dict.fromkeys(one["odd"][0] for one in found if one["source"] == PAIRS))


def observe_oddities(connection: Connection, run: RunKey, *, now_s: int, url: str | None) -> None:
    """Open, update or end the incidents of the pairs that a run has asked for.

    :param run: the run, all of whose fills have ended
    :param url: where to look at the run, or None
    """
    recorded = read_run(connection, run)
    if recorded is None:
        return
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in _merged(recorded.remarks.get("odd", [])):
        found[one["ticker"]].append(one)
    seen: dict[str, Problem | None] = dict.fromkeys(column(connection, "read_asked", run))
    for ticker, parts in found.items():
        much = [one for one in parts if one["n_odd"] > MUCH_SHARE * one["n_rows"]]
        rows = [f"{one['source']}: {row}" for one in much for row in one["odd"]]
        odd = pair_problem(ticker, PairProblem.ODD_DATA, rows=rows, since_s=now_s)
        seen[ticker] = odd if rows else None
    observe_pairs(connection, seen, [PairProblem.ODD_DATA], now_s=now_s, url=url)
