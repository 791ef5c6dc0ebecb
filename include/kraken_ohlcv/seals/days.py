"""Whether sealed days hold what was sealed, every revision at its moment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import polars as pl

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.merkle import root_of
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.seal import DaySeal, SealReason
from kraken_ohlcv.core.verified_day import day_of, opens_of_day
from kraken_ohlcv.seals.finding import Finding, FindingKind
from kraken_ohlcv.seals.moments import described as moment_said
from kraken_ohlcv.seals.moments import moments_of
from kraken_ohlcv.seals.rebuild import STATUSES, Placing, Rebuilt, described, rebuild
from kraken_ohlcv.seals.tree import HINT_BYTES, line_leaves
from kraken_ohlcv.stores.candle_store import FRAME_SCHEMA
from kraken_ohlcv.stores.history import Records

NO_BUCKETS: Final = (root_of([]), b"")
"""Root and hints of a day without buckets."""
SOURCES: Final = ("ohlc", "trades", "archive", "archive_provisional", "imported")


class DayRevision(NamedTuple):
    """A revision of a sealed day.

    :ivar seal: what the log says
    :ivar hints: what is kept beside it to name buckets by, see :data:`kraken_ohlcv.seals.tree.HINT_BYTES`
    :ivar moments: when its candles had been stored, see :mod:`kraken_ohlcv.seals.moments`; None = not kept
    """

    seal: DaySeal
    hints: bytes
    moments: str | None


def check_days(
    records: Records, series: Series, revisions: Sequence[DayRevision], added: pl.DataFrame
) -> Iterator[Finding]:
    """Return what of some days is not as it was sealed.

    :param records: of the series, of a range that holds all buckets of the days
    :param revisions: all of each of some days, in the order of the log
    :param added: ``ts_s`` and ``stored_us`` of candles recorded as brought into buckets without one
    """
    days: dict[int, list[DayRevision]] = {}
    for revision in revisions:
        days.setdefault(revision.seal.day_s, []).append(revision)
    for those in days.values():
        yield from check_sequence([revision.seal for revision in those])
    standing = [_since_accepted(those) for those in days.values()]
    # The first revisions of all days together, then the second ones: each pass holds a day once.
    for number in range(max(map(len, standing), default=0)):
        chosen = [those[number] for those in standing if len(those) > number]
        yield from _compare(records, series, chosen, added)


def check_strays(
    records: Records, series: Series, seals: Sequence[DaySeal], clean: Collection[Range]
) -> Iterator[Finding]:
    """Return candles of sealed days that open at no bucket; no write of ours makes one.

    One that was there before the day was sealed is none of them, as far as anything tells.

    :param records: as of :func:`check_days`
    :param seals: of the days, in the order of the log
    :param clean: months in which there was none when candles were counted last
    """
    sealed_us = {seal.day_s: seal.as_of_us for seal in seals}
    # Two in a second: one of them opens within it.
    is_odd = (pl.col("ts_s") % records.step != 0) | pl.col("ts_s").is_duplicated()
    odd = records.now.filter(is_odd).group_by("ts_s").agg(pl.col("stored_us").max()).sort("ts_s")
    for ts_s, stored_us in odd.iter_rows():
        day_s = day_of(ts_s, records.step)
        is_later = stored_us is not None and stored_us > sealed_us.get(day_s, stored_us)
        if day_s in sealed_us and (is_later or month_of(ts_s) in clean):
            stands = "a candle that opens at no bucket of the series"
            yield Finding(
                kind=FindingKind.CANDLE_UNRECORDED, series=series, day_s=day_s, ts_s=ts_s, stands=stands
            )


def check_sequence(seals: Sequence[DaySeal]) -> Iterator[Finding]:
    """Return where the revisions of a day do not follow each other.

    :param seals: all of a day of a series, in the order of the log
    """
    for expected, seal in enumerate(seals, start=1):
        if seal.revision != expected:
            yield _broken(seal, f"revision {expected}", f"revision {seal.revision}")
            return
    first = seals[0]
    if first.root_before is not None:
        yield _broken(first, "no root before the first revision", first.root_before)
    for before, seal in pairwise(seals):
        if seal.root_before != before.root:
            yield _broken(seal, f"root {before.root} before it", f"{seal.root_before}")
        elif seal.as_of_us <= before.as_of_us:
            yield _broken(seal, "a later moment", "an earlier one")


def _broken(seal: DaySeal, sealed: str, stands: str) -> Finding:
    return Finding(
        kind=FindingKind.REVISION_BROKEN,
        series=seal.series,
        day_s=seal.day_s,
        number=seal.number,
        sealed=sealed,
        stands=stands,
    )


def _since_accepted(revisions: Sequence[DayRevision]) -> Sequence[DayRevision]:
    """Return the revisions from the newest accepted one on: what stood before, nothing tells."""
    places = [n for n, one in enumerate(revisions) if SealReason.ACCEPTED in one.seal.reasons]
    return revisions[places[-1] if places else 0 :]


def _compare(
    records: Records, series: Series, revisions: Sequence[DayRevision], added: pl.DataFrame
) -> Iterator[Finding]:
    odd: dict[int, Finding] = {}
    left = revisions
    for placing in Placing:
        found = rebuild(records, series, [revision.seal for revision in left], placing)
        others, same = [], []
        for place, one in enumerate(left):
            root, hints = found.roots.get(place, NO_BUCKETS)
            if root.hex() != one.seal.root:
                others.append(one)
                odd.setdefault(one.seal.number, _difference(records, found, place, one))
            else:
                same.append(place)
                odd.pop(one.seal.number, None)
                yield from _beside(found, place, one, hints)
        whole = found.buckets.filter(pl.col("seal").is_in(same)).select("ts_s")
        come = found.come.join(added, on=["ts_s", "stored_us"], how="anti").join(whole, on="ts_s", how="semi")
        yield from _unrecorded(records, series, come)
        # Where a day has fewer buckets, they may begin elsewhere.
        left = [one for one in others if one.seal.buckets < _n_buckets(one.seal)]
        if not left:
            break
    yield from odd.values()


def _n_buckets(seal: DaySeal) -> int:
    start_s, end_s = opens_of_day(seal.day_s, seal.series.interval_minutes)
    return (end_s - start_s) // step_s(seal.series.interval_minutes)


def _beside(found: Rebuilt, place: int, revision: DayRevision, hints: bytes) -> Iterator[Finding]:
    """Say what beside the root of a day is not as it is to be."""
    seal = revision.seal
    rows = found.buckets.filter(seal=place)["status"]
    stored, missing = ((rows == status).sum() for status in (BucketStatus.STORED, BucketStatus.MISSING))
    if (stored, missing) != (seal.stored, seal.missing):
        yield Finding(
            kind=FindingKind.ENTRY_ALTERED,
            series=seal.series,
            day_s=seal.day_s,
            number=seal.number,
            sealed=f"{seal.stored} stored, {seal.missing} missing",
            stands=f"{stored} stored, {missing} missing",
        )
    if hints != revision.hints:
        yield Finding(
            kind=FindingKind.HINTS_ALTERED, series=seal.series, day_s=seal.day_s, number=seal.number
        )
    if revision.moments is not None:
        yield from _moments(
            seal, revision.moments, found.buckets.filter(seal=place, status=str(BucketStatus.STORED))
        )


def _moments(seal: DaySeal, text: str, stored: pl.DataFrame) -> Iterator[Finding]:
    """Say which candle, the first, was stored at another moment than is kept beside the seal."""
    try:
        kept = moments_of(text)
    except ValueError:
        kept = []
    now = stored["stored_us"].to_list()
    places = [n for n, both in enumerate(zip(kept, now, strict=False)) if both[0] != both[1]]
    if not places and len(kept) == len(now):
        return
    first = places[0] if places else None
    more = f", and {len(places) - 1} more candles of the day" if len(places) > 1 else ""
    yield Finding(
        kind=FindingKind.MOMENT_CHANGED,
        series=seal.series,
        day_s=seal.day_s,
        ts_s=None if first is None else stored["ts_s"][first],
        number=seal.number,
        sealed=f"moments of {len(kept)} candles" if first is None else moment_said(kept[first]),
        stands=f"{len(now)} candles" if first is None else f"{moment_said(now[first])}{more}",
    )


def _unrecorded(records: Records, series: Series, come: pl.DataFrame) -> Iterator[Finding]:
    """Name candles that came since without a record."""
    for ts_s in come["ts_s"].sort():
        yield Finding(
            kind=FindingKind.CANDLE_UNRECORDED,
            series=series,
            day_s=day_of(ts_s, records.step),
            ts_s=ts_s,
            stands=described(_present(records, ts_s)),
        )


def _present(records: Records, ts_s: int) -> dict[str, object]:
    """Return the candle that stands now in a bucket."""
    return records.now.filter(ts_s=ts_s).with_columns(status=pl.lit("stored")).row(0, named=True)


def _difference(records: Records, found: Rebuilt, place: int, revision: DayRevision) -> Finding:
    """Return what differs in a day: the first bucket, if the hints name one."""
    seal, hints, _ = revision
    rows = found.buckets.with_columns(leaf=found.leaves).filter(seal=place)
    sealed = [hints[at : at + HINT_BYTES] for at in range(0, len(hints), HINT_BYTES)]
    if rows.height != seal.buckets or len(sealed) != seal.buckets:
        return Finding(
            kind=FindingKind.DAY_CHANGED,
            series=seal.series,
            day_s=seal.day_s,
            number=seal.number,
            sealed=f"{seal.buckets} buckets and {len(sealed)} hints",
            stands=f"{rows.height} buckets",
        )
    others = [n for n, leaf in enumerate(rows["leaf"]) if leaf[:HINT_BYTES] != sealed[n]]
    if not others:
        return Finding(kind=FindingKind.DAY_CHANGED, series=seal.series, day_s=seal.day_s, number=seal.number)
    row = rows.row(others[0], named=True)
    was = _guessed(records, seal.series, row, sealed[others[0]])
    more = f", and {len(others) - 1} more buckets of the day" if len(others) > 1 else ""
    return Finding(
        kind=FindingKind.CANDLE_CHANGED,
        series=seal.series,
        day_s=seal.day_s,
        ts_s=row["ts_s"],
        number=seal.number,
        sealed=was or "something that no record tells",
        stands=f"{described(row)}{more}",
    )


def _guessed(records: Records, series: Series, row: dict[str, object], hint: bytes) -> str | None:
    """Return what a bucket held when it was sealed, if it is one of what comes to mind."""
    ts_s = row["ts_s"]
    figures = [name for name in FRAME_SCHEMA if name not in {"ts_s", "stored_us"}]
    known = pl.concat([
        records.now.filter(ts_s=ts_s).select(figures),
        records.replaced.versions.filter(ts_s=ts_s).select(figures),
    ])
    renamed = [known.with_columns(source=pl.lit(source)) for source in SOURCES]
    stored = pl.concat([known, *renamed]).with_columns(status=pl.lit("stored"))
    without = pl.DataFrame({"status": list(map(str, STATUSES))})
    tried = pl.concat([stored, without], how="diagonal").with_columns(
        ticker=pl.lit(series.ticker), ts=pl.lit(row["ts"])
    )
    leaves = line_leaves(series.interval_minutes, tried)
    places = [n for n, leaf in enumerate(leaves) if leaf[:HINT_BYTES] == hint]
    return described(tried.row(places[0], named=True)) if places else None
