"""The form of a frame: which buckets have a row, what an empty one shows, long or wide, for which library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import polars as pl

from kraken_ohlcv.core.bucket_status import EMPTY, BucketStatus
from kraken_ohlcv.core.candle import PRICES
from kraken_ohlcv.core.errors import BadRequestError, SetUpError
from kraken_ohlcv.reader.buckets import Buckets
from kraken_ohlcv.stores.candle_frames import CANDLE_SCHEMA

OnMissing: TypeAlias = Literal["raise", "mark", "drop"]
Empty: TypeAlias = Literal["omit", "rows", "fill_close"]
Layout: TypeAlias = Literal["long", "wide"]
Library: TypeAlias = Literal["polars", "pandas", "arrow"]

AVAILABLE_AT: Final = "available_at"
HOLES: Final = (BucketStatus.MISSING, BucketStatus.PENDING, BucketStatus.UNKNOWN)
"""What cannot be read."""
ALWAYS: Final = ("ticker", "ts", "status")
"""Columns that each frame has, whatever is asked for; the first only with several tickers."""
_HOLE: Final = float("nan")
"""Marks a bucket behind which no close may be carried on; QuestDB stores no such value."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a frame is to look like.

    :ivar on_missing: ``raise`` = refuse holes; ``mark`` = a row with its status; ``drop`` = no row
    :ivar empty: of a bucket proven empty: ``omit`` = no row; ``rows`` = a row without figures; ``fill_close``
        = the close before it as all prices, volume and trades 0
    :ivar columns: those wanted beside ``ts`` and ``status``, in their order; None = all
    """

    on_missing: OnMissing = "raise"
    empty: Empty = "omit"
    columns: tuple[str, ...] | None = None

    @property
    def figures(self) -> tuple[str, ...]:
        """Return the columns of candles that are needed."""
        if self.columns is None:
            return tuple(name for name in CANDLE_SCHEMA if name != "ts")
        return (*self.columns, "close") if self.empty == "fill_close" else self.columns

    @classmethod
    def of(cls, on_missing: str, empty: str, columns: Sequence[str] | None, known: Sequence[str]) -> Shape:
        """Return a shape.

        :param known: columns that there are
        :raises BadRequestError: if a word or a column is none of those known
        """
        chosen = None if columns is None else tuple(columns)
        if isinstance(columns, str):
            raise BadRequestError(f"columns is {columns!r}: give a list of names")
        if unknown := [name for name in chosen or () if name not in known]:
            raise BadRequestError(f"column {unknown[0]!r} is not one of {', '.join(known)}")
        return cls(one_of("on_missing", on_missing, OnMissing), one_of("empty", empty, Empty), chosen)

    def frame(self, buckets: Buckets, close: float | None) -> tuple[pl.DataFrame, float | None]:
        """Return the rows of some buckets.

        :param close: of the bucket before them, quote units; None = not known
        :return: the rows, and the close after them; of ``fill_close`` only
        """
        holes = HOLES if self.on_missing == "drop" else ()
        if self.empty != "fill_close":
            return buckets.frame((*holes, *(EMPTY if self.empty == "omit" else ()))), None
        frame, close = _filled(buckets.frame(), close)
        return frame.filter(~pl.col("status").is_in(list(holes))) if holes else frame, close

    def finished(self, frame: pl.DataFrame, step: int, *, is_long: bool) -> pl.DataFrame:
        """Return a frame with the columns that were asked for.

        :param step: bucket length, seconds
        :param is_long: whether it has a column ``ticker``
        """
        whole = frame.with_columns((pl.col("ts") + pl.duration(seconds=step)).alias(AVAILABLE_AT))
        wanted = (AVAILABLE_AT, *self.figures) if self.columns is None else self.columns
        names = [*(["ticker"] if is_long else []), "ts", *wanted, "status"]
        return whole.select(list(dict.fromkeys(names)))


def one_of(name: str, given: str, words: Any) -> Any:
    """Return a word that was given.

    :param words: Literal of the words allowed
    :raises BadRequestError: if it is none of them
    """
    if given not in get_args(words):
        raise BadRequestError(f"{name} is {given!r}: use one of {', '.join(map(repr, get_args(words)))}")
    return given


def _filled(frame: pl.DataFrame, close: float | None) -> tuple[pl.DataFrame, float | None]:
    """Return a frame whose empty buckets repeat the close before them, as far as that is known.

    A hole ends what is known: behind it a bucket stays without figures until a candle follows.
    """
    if frame.is_empty():
        return frame, close
    is_empty = pl.col("status").cast(pl.String).is_in(sorted(EMPTY))
    seen = pl.when(is_empty).then(None).otherwise(pl.col("close").fill_null(_HOLE))
    known = frame.select(known=seen.forward_fill().fill_null(_HOLE if close is None else close))["known"]
    filled = frame.with_columns(known.fill_nan(None)).with_columns(
        *(
            pl.when(is_empty).then(pl.col("known")).otherwise(pl.col(name)).alias(name)
            for name in PRICES
            if name in frame.columns
        ),
        *(
            pl.when(is_empty & pl.col("known").is_not_null()).then(0).otherwise(pl.col(name)).alias(name)
            for name in ("volume", "trades")
            if name in frame.columns
        ),
    )
    return filled.drop("known"), filled["known"][-1]


def widened(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return one row per open time, with the columns of each ticker as ``close_XBTUSD``.

    :param frames: by ticker; all with the same columns, ``ts`` first
    """
    whole: pl.DataFrame | None = None
    for ticker, frame in frames.items():
        named = frame.rename({
            name: f"{name}_{ticker}" for name in frame.columns if name not in {"ts", AVAILABLE_AT}
        })
        if whole is None:
            whole = named
            continue
        keys = [name for name in ("ts", AVAILABLE_AT) if name in frame.columns]
        whole = whole.join(named, on=keys, how="full", coalesce=True)
    return pl.DataFrame() if whole is None else whole.sort("ts")


def handed_over(frame: pl.DataFrame, library: Library) -> Any:
    """Return a frame as a library has it.

    :param library: ``pandas`` = a DataFrame with times of type ``datetime64[us, UTC]``; ``arrow`` = a Table
    :raises SetUpError: if the library is not installed
    """
    if library == "polars":
        return frame
    try:
        if library == "arrow":
            return frame.to_arrow()
        import pandas as pd  # noqa: PLC0415 (slow to import, and not everybody has it)
    except ModuleNotFoundError as error:
        name = "pyarrow" if library == "arrow" else "pandas"
        raise SetUpError(f"{name} is not installed: pip install {name}, or read a polars frame") from error
    return pd.DataFrame({column.name: _of_pandas(pd, column) for column in frame})


def _of_pandas(pd: Any, column: pl.Series) -> Any:
    """Return a column for pandas without pyarrow, which polars' own conversion needs."""
    if isinstance(column.dtype, pl.Datetime):
        return pd.Series(column.dt.replace_time_zone(None).to_numpy()).dt.tz_localize("UTC")
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        return pd.Categorical(column.cast(pl.String).to_list())
    if column.dtype == pl.Int64 and column.null_count():
        return pd.array(column.to_list(), dtype="Int64")
    return column.to_numpy() if column.dtype.is_numeric() else column.to_list()
