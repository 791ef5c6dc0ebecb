"""Which days of a tier and interval are complete, told once per revision.

A day is looked at when something of it has changed: the ledger notes it in the transaction of the change
(``day_changes``). So the cost follows what changed, not the length of history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import SeriesBuckets
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.series_rows import SeriesRow, rows_of
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.verified_day import (
    DayChange,
    DayKey,
    Found,
    VerifiedDay,
    days_between,
    judged,
    newest_day_s,
    opens_of_day,
)
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.ledger.verified_days import (
    Changed,
    Watched,
    issue,
    leave,
    looking_at_days,
    note_loss,
    publish_again,
    read_verified,
    read_watched,
    watch,
    write_verified,
)

Kept: TypeAlias = Mapping[tuple[str, int], Sequence[Asset]]

FIRST_DAYS: Final = 7
"""Days of a tier and interval that are looked at when they are looked at for the first time."""

MAX_EVENTS: Final = 200
"""Days that a run publishes; what is left follows with the next run."""


def kept_series(connection: Connection) -> Kept:
    """Return the assets whose candles are kept by a schedule, by tier and interval."""
    kept: dict[tuple[str, int], list[Asset]] = {}
    for asset in read_assets(connection, tickers=None, tier="ALL"):
        if asset.upkeep.plan.schedule is not None:
            for interval in asset.upkeep.intervals:
                kept.setdefault((asset.tier, interval), []).append(asset)
    return kept


def look_at_days(
    connection: Connection,
    questdb: QuestDBClient,
    *,
    now_s: int,
    at_most: int = MAX_EVENTS,
    asked: ReportRequest | None = None,
) -> list[VerifiedDay]:
    """Look at the days that have changed, and take the revisions to be published.

    What is taken is noted before this returns: it is taken again until :func:`confirm` says that it was
    published.

    :param at_most: days to take, >= 1; the newest come first
    :param asked: days since ``verified_since`` of its tier and intervals are looked at, too, and published
        again; None = none are
    :return: complete days, oldest first
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    with looking_at_days(connection) as changed:
        kept = kept_series(connection)
        wanted = _to_look_at(connection, kept, changed, asked, now_s=now_s)
        known = read_verified(connection, list(wanted))
        found = _look(connection, questdb, kept, list(wanted), now_s=now_s)
        news = {
            key: judged(key, known.get(key), found.get(key), changes, now_s=now_s)
            for key, changes in wanted.items()
        }
        write_verified(
            connection, [one for key, one in news.items() if one is not None and one != known.get(key)]
        )
        return issue(connection, at_most=at_most)


def still_complete(connection: Connection, questdb: QuestDBClient, key: DayKey) -> VerifiedDay | None:
    """Return what is known of a day that is complete at this moment, counted in the stores.

    A loss that nobody has noticed is noted: the reader goes without this revision, and so there is a next
    one, even if all is back before anybody else looks.

    :return: None when it is not, or no longer: its next revision will say when it is
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    known = read_verified(connection, [key]).get(key)
    if known is None or not known.is_complete:
        return None
    found = _look(connection, questdb, kept_series(connection), [key], now_s=key.day_s + DAY_S).get(key)
    if found is None:
        note_loss(connection, Series(known.tickers[0], key.interval_minutes), key.day_s)
        return None
    return replace(known, **found._asdict())


def _to_look_at(
    connection: Connection,
    kept: Kept,
    changed: Iterable[Changed],
    asked: ReportRequest | None,
    *,
    now_s: int,
) -> dict[DayKey, set[DayChange]]:
    """Return the days to look at, with what has happened to each."""
    newest_s = newest_day_s(now_s)
    watched = read_watched(connection)
    wanted: dict[DayKey, set[DayChange]] = {}
    since: dict[tuple[str, int], int] = {}
    scopes: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for (tier, interval), assets in kept.items():
        before = watched.get((tier, interval))
        since_s = newest_s - (FIRST_DAYS - 1) * DAY_S if before is None else before.since_s
        asked_s = None if asked is None else asked.verified_since_of(tier, interval)
        if asked_s is not None:
            publish_again(connection, tier, interval, since_s=asked_s)
            since_s = min(since_s, asked_s)
        now = Watched(since_s, {one.ticker: [one.first_trade_s, one.delisted_s] for one in assets})
        since[tier, interval] = now.since_s
        for asset in assets:
            scopes.setdefault((asset.ticker, interval), []).append((tier, interval))
        if now == before:
            continue
        watch(connection, tier, interval, now)
        for day_s in days_between(now.since_s, newest_s):
            wanted.setdefault(DayKey(tier, interval, day_s), set())
    for tier, interval in watched.keys() - kept.keys():
        leave(connection, tier, interval)
    for one in changed:
        for scope in scopes.get(one.series, []):
            first_s, last_s = max(one.first_s, since[scope]), min(one.last_s, newest_s)
            for day_s in days_between(first_s, last_s):
                wanted.setdefault(DayKey(*scope, day_s), set()).add(one.kind)
    return wanted


def _look(
    connection: Connection, questdb: QuestDBClient, kept: Kept, keys: Sequence[DayKey], *, now_s: int
) -> dict[DayKey, Found]:
    """Return what those among some days hold that are complete."""
    days: dict[tuple[str, int], set[int]] = {}
    for key in keys:
        days.setdefault((key.tier, key.interval_minutes), set()).add(key.day_s)
    rows = {scope: rows_of(kept.get(scope, ()), [scope[1]]) for scope in days}
    every = list(dict.fromkeys(row for those in rows.values() for row in those))
    if not every:
        return {}
    buckets = Buckets(connection, questdb, every, now_s=now_s)
    found: dict[DayKey, Found] = {}
    for scope, asked in days.items():
        those = _begun(buckets, rows[scope], sorted(asked))
        for month in months_in((day_s, day_s + DAY_S) for day_s in those):
            in_month = [day_s for day_s in those if month[0] <= day_s < month[1]]
            found |= _look_at_month(buckets, scope, rows[scope], in_month)
    return found


def _begun(buckets: Buckets, rows: Sequence[SeriesRow], days: Sequence[int]) -> list[int]:
    """Return those among some days in which any series has begun; before, none is complete."""
    starts = [start_s for row in rows if (start_s := buckets.start_s(row.series)) is not None]
    if not starts:
        return []
    interval = rows[0].interval_minutes
    return [day_s for day_s in days if opens_of_day(day_s, interval)[1] > min(starts)]


def _look_at_month(
    buckets: Buckets, scope: tuple[str, int], rows: Sequence[SeriesRow], days: Sequence[int]
) -> dict[DayKey, Found]:
    """Return what those among some days of a month hold that are complete."""
    covered = opens_of_day(days[0], scope[1])[0], opens_of_day(days[-1], scope[1])[1]
    parts: dict[int, list[tuple[str, int, int]]] = {day_s: [] for day_s in days}
    for one in buckets.read(rows, covered):
        for day_s in [*parts]:
            part = day_of_series(one, day_s)
            if part is None:
                # One series with a missing bucket is enough.
                del parts[day_s]
            elif part != NOTHING:
                parts[day_s].append((one.row.asset.ticker, *part))
    return {
        DayKey(*scope, day_s): Found(
            [ticker for ticker, _, _ in those], sum(n for _, n, _ in those), sum(n for _, _, n in those)
        )
        for day_s, those in parts.items()
        if those
    }


NOTHING: Final = (0, 0)
"""A series without any bucket expected on a day."""


def day_of_series(found: SeriesBuckets, day_s: int) -> tuple[int, int] | None:
    """Return what a series holds of a UTC day.

    A series that begins later is not complete, unless its pair never traded before: a reader would miss
    those candles (as in :func:`kraken_ohlcv.completeness.require.ask`).

    :param found: what its buckets are, at least those of the day
    :param day_s: first second of the day, epoch seconds UTC
    :return: candles stored and buckets proven empty, :data:`NOTHING` when none is expected; None when any is
        missing, disputed or not closed
    """
    interval, grid = found.row.interval_minutes, found.grid
    first_s, end_s = opens_of_day(day_s, interval)
    if found.row.asset.first_trade_s is not None:
        first_s = max(first_s, floor_s(found.row.asset.first_trade_s, interval))
    if grid.is_delisted:
        end_s = min(end_s, grid.closed_s)
        if grid.start_s == grid.closed_s:
            return NOTHING
    if first_s >= end_s:
        return NOTHING
    part = (first_s, end_s)
    n_stored = len(found.undisputed.within(part))
    n_empty = len(found.empty.all.within(part))
    # Of what lies before the start of the series, or is not closed, nothing is either.
    is_whole = n_stored + n_empty == (end_s - first_s) // step_s(interval)
    return (n_stored, n_empty) if is_whole else None
