"""The life of pairs: what AssetPairs and a pair's own answers say of it; one rule for every run and check."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from kraken_ohlcv.clients.errors import KrakenError, KrakenNotBelievedError, UnknownPairError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.exchange.models import AssetPair, AssetPairs
from kraken_ohlcv.core.assets import LineProblem
from kraken_ohlcv.core.incident import IncidentClass, PairProblem, Problem
from kraken_ohlcv.core.problems import pair_problem
from kraken_ohlcv.core.selection import SAME, Listed, choose, idle
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted, named
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.incidents import observe_pairs, read_open
from kraken_ohlcv.stores.ledger.plan import Kept, list_kept, read_plan, take_pairs
from kraken_ohlcv.stores.ledger.session import Connection, execute_many

log = logging.getLogger(__name__)

LISTED: Final = frozenset({"online", "cancel_only", "post_only", "limit_only", "reduce_only"})
"""AssetPairs statuses of a pair that the exchange has; what orders it takes does not matter for candles.

With another one (``delisted``, ``maintenance``, ``work_in_progress``, ``hidden``, or one not known today) a
pair is judged like one absent from AssetPairs: by its own answers.
"""

MOST_VANISHED: Final = 0.5
"""AssetPairs is not believed when a larger share of our pairs is missing from it at once."""
FEWEST_VANISHED: Final = 3
"""Fewer than that may leave together, however few we have."""
MOST_SUGGESTED: Final = 3
"""With more tickers one edit away, none of them is likely."""

LEGACY: Final = re.compile("^[XZ]([A-Z]{3})$")
"""Kraken's codes of its first assets."""

LISTING: Final = (PairProblem.UNKNOWN, PairProblem.LEFT)
"""Kinds of problem that AssetPairs and a pair's own answers tell."""
BAD_LINES: Final = (PairProblem.BAD_LINE,)
MOST_LINES: Final = 20
"""So many lines that cannot be used have an incident each; the others have one together."""
OTHER_LINES: Final = "other lines"
SHORT_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
"""What may stand in the key of an incident."""


def is_gone(asset: Asset, status: str | None) -> bool | None:
    """Return whether AssetPairs alone says that a pair is gone; None = only the pair's own answer tells.

    :param asset: as known so far
    :param status: its status in AssetPairs, or None when it is absent there
    Rule: only a pair's own "unknown asset pair" says that it left, and only its own trades that it is back. A
        pair that was never listed, and has nothing stored, has no answers to tell from those of another pair.
    """
    is_listed = status in LISTED
    is_news = is_listed == (asset.delisted_s is not None)
    return None if is_news and asset.is_known else not is_listed


def ask_pairs(connection: Connection, kraken: KrakenClient) -> AssetPairs:
    """Ask AssetPairs, and refuse an answer that cannot be true.

    :param kraken: client of the exchange
    :return: what AssetPairs says, by ticker
    :raises KrakenNotBelievedError: if most of our pairs are missing from it at once
    :raises KrakenError: if AssetPairs gives no usable answer
    Rule: delistings come in batches, but never take most of a catalogue at once.
    """
    pairs = kraken.get_asset_pairs()
    expected = [one for one in read_assets(connection, tickers=None, tier="ALL") if one.delisted_s is None]
    there = {*pairs, *pairs.odd}
    vanished = [asset.ticker for asset in expected if asset.ticker not in there and not _is_missed(asset)]
    if len(vanished) >= FEWEST_VANISHED and len(vanished) > MOST_VANISHED * len(expected):
        raise KrakenNotBelievedError(
            f"{len(vanished)} of our {len(expected)} pairs vanished from AssetPairs at once; not believed: "
            f"{named(vanished)}; if they have really left Kraken, set listed: false on their lines in "
            "assets.yaml"
        )
    _take_pairs(connection, pairs)
    return pairs


def _take_pairs(connection: Connection, pairs: AssetPairs) -> None:
    """Bring the pairs that rules of the plan select into their tiers; what AssetPairs does not list stays."""
    plan, kept = read_plan(connection), list_kept(connection)
    before = {one.ticker: one for one in kept if one.kept_by == "rule"}
    if not plan.rules and not before:
        return
    own = {one.ticker for one in kept if one.kept_by == "line"}.union(plan.passed_over)
    chosen = choose(plan.rules, _known(pairs, before.values()), own=own, taken=before)
    let_go = sorted(before.keys() - {one.ticker for one in chosen} - own)
    note = "taken by rule {} of select".format
    take_pairs(
        connection,
        [
            {
                "ticker": one.ticker,
                "base": one.base,
                "quote": one.quote,
                "tier": one.tier,
                "note": note(one.rule),
            }
            for one in chosen
        ],
        let_go,
    )
    new = [one for one in chosen if one.ticker not in before]
    for tier in sorted({one.tier for one in new}):
        log.info("taken into %s: %s", tier, named([one.ticker for one in new if one.tier == tier]))
    if let_go:
        log.info("no rule takes %s any more; candles and gaps stay", named(let_go))


def _known(pairs: AssetPairs, kept: Iterable[Kept]) -> list[Listed]:
    """Return the pairs that a rule may take: those listed, and those kept by rules that are not listed."""
    absent = [Listed(one.ticker, one.base, one.quote, None) for one in kept if one.ticker not in pairs]
    return [*(Listed(pair.ticker, *codes_of(pair), pair.status) for pair in pairs.values()), *absent]


def idle_rules(connection: Connection, pairs: AssetPairs) -> list[str]:
    """Return what to say of rules of the plan that fit no pair, a sentence each.

    :param pairs: what AssetPairs says
    """
    rules = read_plan(connection).rules
    kept = [one for one in list_kept(connection) if one.kept_by == "rule"] if rules else []
    return idle(rules, _known(pairs, kept), taken={one.ticker for one in kept})


def codes_of(pair: AssetPair) -> tuple[str, str]:
    """Return base and quote of a pair as people write them.

    :param pair: one of AssetPairs
    :return: from its name for people such as ``XBT/USD``; without one Kraken's codes, whose leading X or Z of
        four letters (``XXBT``, ``ZUSD``) says no more than what kind of asset it is
    """
    base, slash, quote = pair.wsname.partition("/")
    if slash and base and quote:
        return base, quote
    return LEGACY.sub(r"\1", pair.base), LEGACY.sub(r"\1", pair.quote)


def judge_pairs(
    connection: Connection,
    kraken: KrakenClient,
    tickers: Collection[str],
    pairs: AssetPairs,
    *,
    now_s: int,
) -> None:
    """Decide what became of some pairs, and record it: the one place for every run and check.

    :param kraken: client of the exchange, asked where AssetPairs leaves doubt
    :param tickers: the assets that are judged
    :param pairs: what AssetPairs says; a pair whose entry cannot be read stays as it is
    """
    assets = read_assets(connection, tickers=list(tickers), tier="ALL") if tickers else []
    statuses = {ticker: pair.status for ticker, pair in pairs.items()}
    marks = []
    for asset in assets:
        if asset.ticker in pairs.odd:
            continue
        status = statuses.get(asset.ticker)
        is_delisted = _is_delisted(kraken, asset, status)
        is_unknown = is_delisted and status is None and not asset.is_known
        meant = suggestion(asset.ticker, pairs) if is_unknown else None
        seen = {"status": status, "is_delisted": is_delisted, "is_listed": status in LISTED, "meant": meant}
        marks.append({"ticker": asset.ticker, **seen})
    execute_many(connection, "mark_pair", marks, now_s=now_s)


def _is_delisted(kraken: KrakenClient, asset: Asset, status: str | None) -> bool:
    by_list = is_gone(asset, status)
    if by_list is not None:
        return by_list
    kraken.names[asset.ticker] = kraken.names.get(asset.ticker, asset.names)
    try:
        kraken.get_first_trade(asset.ticker)
    except UnknownPairError as error:
        log.warning("%s was delisted: %s", asset.ticker, error)
        return True
    except KrakenError as error:
        log.warning("%s: cannot determine whether it was delisted: %s", asset.ticker, error)
        return asset.delisted_s is not None
    log.warning("%s: AssetPairs says %s, but its trades are served", asset.ticker, status or "nothing")
    return False


def _is_missed(asset: Asset) -> bool:
    """Return whether a pair was absent from AssetPairs before, but answered for itself."""
    return asset.seen_s is not None and asset.pair_status is None


def suggestion(ticker: str, listed: Collection[str]) -> str | None:
    """Return the listed ticker that a misspelt one probably means.

    :param ticker: as somebody wrote it
    :param listed: tickers that AssetPairs lists
    :return: with a known alias replaced (``BTCUSD`` means ``XBTUSD``), else those one edit away when they are
        few, or None
    """
    for alias, code in SAME.items():
        for meant in (re.sub(f"^{alias}", code, ticker), re.sub(f"{alias}$", code, ticker)):
            if meant in listed:
                return meant
    near = sorted(name for name in listed if _is_one_edit_away(ticker, name))
    return " or ".join(near) if 0 < len(near) <= MOST_SUGGESTED else None


def _is_one_edit_away(one: str, other: str) -> bool:
    """Return whether a character added, left out or exchanged, or two neighbours swapped, make them equal."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    n = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    if len(one) == len(other):
        is_swap = one[n : n + 2] == other[n : n + 2][::-1] and one[n + 2 :] == other[n + 2 :]
        return is_swap or one[n + 1 :] == other[n + 1 :]
    short, long = sorted((one[n:], other[n:]), key=len)
    return short == long[1:]


def observe_listing(connection: Connection, tickers: Collection[str], *, now_s: int, url: str | None) -> None:
    """Bring the incidents of unknown and delisted pairs up to what the ledger says of some assets.

    The incident of a pair that the catalogue no longer expects is over, whatever is judged.

    :param connection: the ledger, after :func:`judge_pairs`
    :param tickers: the assets that were judged
    :param url: where to look at the run, or None
    """
    expected = {asset.ticker: asset for asset in read_assets(connection, tickers=None, tier="ALL")}
    seen: dict[str, Problem | None] = {
        ticker: None for ticker in _open_tickers(connection, LISTING) if ticker not in expected
    }
    for ticker in expected.keys() & set(tickers):
        seen[ticker] = _problem(expected[ticker], now_s=now_s)
    observe_pairs(connection, seen, LISTING, now_s=now_s, url=url)


def observe_lines(
    connection: Connection, problems: Sequence[LineProblem], *, now_s: int, url: str | None
) -> None:
    """Bring the incidents about lines of the catalogue up to what was read.

    :param problems: lines that cannot be used
    :param url: where to look at the run, or None
    """
    bad: dict[str, Problem | None] = {}
    for problem in problems[:MOST_LINES]:
        is_name = problem.ticker is not None and SHORT_NAME.fullmatch(problem.ticker)
        name = problem.ticker if is_name and problem.ticker else f"line {problem.line}"
        bad[name] = pair_problem(name, PairProblem.BAD_LINE, said=problem.said, since_s=now_s)
    if others := problems[MOST_LINES:]:
        said = f"{counted(len(others), 'more line')} cannot be used; the first: {others[0].said}"
        bad[OTHER_LINES] = pair_problem(OTHER_LINES, PairProblem.BAD_LINE, said=said, since_s=now_s)
    cured = dict.fromkeys(_open_tickers(connection, BAD_LINES))
    observe_pairs(connection, {**cured, **bad}, BAD_LINES, now_s=now_s, url=url)


def _open_tickers(connection: Connection, kinds: Collection[PairProblem]) -> list[str]:
    """Return the tickers with an open incident of some kinds."""
    problems = [incident.problem for _, incident in read_open(connection).values()]
    return [
        problem.name
        for problem in problems
        if problem.incident_class is IncidentClass.PAIR and any(kind in problem.subjects for kind in kinds)
    ]


def _problem(asset: Asset, *, now_s: int) -> Problem | None:
    if asset.delisted_s is None:
        return None
    if not asset.is_unknown:
        left_s = asset.delisted_s
        return pair_problem(asset.ticker, PairProblem.LEFT, since=iso(left_s), since_s=left_s)
    said = f"Kraken lists it as {asset.pair_status}" if asset.pair_status else None
    kind, meant = PairProblem.UNKNOWN, asset.meant
    return pair_problem(asset.ticker, kind, said=said, suggestion=meant, since_s=now_s)
