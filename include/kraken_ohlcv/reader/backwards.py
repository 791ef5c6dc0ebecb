"""The buckets of a series from the newest back, in pieces that grow: most searches end in the first one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from kraken_ohlcv.reader.buckets import Buckets, read_buckets
from kraken_ohlcv.reader.scope import Part
from kraken_ohlcv.reader.stores import Stores

FIRST_LOOK: Final = 64
"""Buckets of the first piece."""


def read_backwards(
    stores: Stores,
    part: Part,
    *,
    now_s: int,
    columns: Sequence[str] | None = None,
    at_us: int | None = None,
) -> Iterator[Buckets]:
    """Return the buckets of a part, piece by piece, the newest piece first.

    :param stores: both stores
    :param part: what to look at
    :param columns: of the candles, beside ``ts``; None = all
    :param at_us: the moment of the ledger's clock that is read, epoch microseconds; None = now
    :return: pieces, none of them empty; each is read when its turn comes
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    begin_s, end_s = part.covered
    n = FIRST_LOOK
    while end_s > begin_s:
        start_s = max(begin_s, end_s - n * part.step)
        back = replace(part, covered=(start_s, end_s))
        pieces = list(read_buckets(stores, [back], now_s=now_s, columns=columns, at_us=at_us))
        for (one,) in reversed(pieces):
            yield one
        end_s, n = start_s, min(n * FIRST_LOOK, stores.frames.most_rows)
