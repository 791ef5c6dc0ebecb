"""Writes the texts of many rows at once, where parts of equal length are at equal places; pure.

Rows are not written value by value, but a part of all of them after the other, into one array of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.int64]
Bits: TypeAlias = NDArray[np.uint64]

HEX_DIGITS: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
"""A hexadecimal digit by its value."""
HEX_QUADS: Final = np.frombuffer(np.arange(2**16, dtype=">u2").tobytes().hex().encode(), dtype=np.uint32)
"""Four hexadecimal digits by their value."""
QUADS: Final = np.frombuffer("".join(f"{value:04d}" for value in range(10**4)).encode(), dtype=np.uint32)
"""Four decimal digits by their value."""

BIAS: Final = 1023
"""What is added to the exponent of a double when it is stored."""
FRACTION_BITS: Final = np.uint64(52)
USUAL: Final = range(1, 2 * BIAS + 1)
"""Exponents of usual doubles, as they are stored."""

NULL: Final = 0
ZERO: Final = 5
ODD: Final = 6
N_KINDS: Final = 7
"""Kinds of doubles. What is usual and positive is of kind 1 to 4: the number of digits of its exponent; what
is negative, its zero included, smaller than all usual ones, infinite or NaN is odd."""
KINDS: Final = np.full(2**12, ODD, dtype=np.int64)
"""Kind of a double by its sign and stored exponent."""
KINDS[USUAL.start : USUAL.stop] = [len(str(abs(stored - BIAS))) for stored in USUAL]
EXPONENTS: Final = {
    kind: np.array([f"{stored - BIAS:+d}" for stored in range(USUAL.stop)], dtype=f"S{1 + kind}")
    for kind in range(1, ZERO)
}
"""Exponents with their signs, by kind and as they are stored; cut off where they are of another kind."""
POWERS: Final = np.array([0, *(10**place for place in range(1, 19))], dtype=np.int64)

ROWS_AT_ONCE: Final = 2048
"""Rows that stay in the processor's cache while one part after the other is written."""


class Shape:
    """A text of fixed length, made of what all rows share and what each has of its own."""

    def __init__(self) -> None:
        """Begin with an empty text."""
        self._text = b""
        self._parts: list[tuple[int, NDArray[Any]]] = []

    def add(self, text: str) -> None:
        """Add what all rows share, in ASCII."""
        self._text += text.encode("ascii")

    def add_each(self, texts: NDArray[Any]) -> None:
        """Add what each row has of its own.

        :param texts: bytes of one length, as an item of any type, shape (n,)
        """
        self._parts.append((len(self._text), texts))
        self._text += bytes(texts.dtype.itemsize)

    def add_numbers(self, values: Numbers, digits: int) -> None:
        """Add decimal numbers.

        :param values: not negative, shape (n,)
        :param digits: how many each has
        """
        in_quads = digits - digits % 4
        for place in range(digits - 1, in_quads - 1, -1):
            self.add_each(HEX_DIGITS.take(values // 10**place % 10))
        for place in range(in_quads - 4, -1, -4):
            self.add_each(QUADS.take(values // 10**place % 10**4))

    def add_doubles(self, bits: Bits, kind: int) -> None:
        """Add doubles as :func:`kraken_ohlcv.core.bucket_line.hexed` writes them.

        :param bits: of each, shape (n,)
        :param kind: that of all of them, not :data:`ODD`
        """
        if kind == NULL:
            self.add("null")
        elif kind == ZERO:
            self.add('"0x0.0p+0"')
        else:
            quads = bits.astype(">u8").view(">u2").reshape(-1, 4)
            self.add('"0x1.')
            self.add_each(HEX_DIGITS.take(quads[:, 0] & 0xF))
            for place in (1, 2, 3):
                self.add_each(HEX_QUADS.take(quads[:, place]))
            self.add("p")
            self.add_each(EXPONENTS[kind][bits >> FRACTION_BITS])
            self.add('"')

    def texts(self, n: int) -> pl.Series:
        """Return the text of each row, as a column of type Binary.

        :param n: number of rows
        """
        length = len(self._text)
        offsets, parts = [offset for offset, _ in self._parts], [part for _, part in self._parts]
        names = [str(place) for place in range(len(parts))]
        own = np.dtype({
            "names": names, "formats": [part.dtype for part in parts], "offsets": offsets, "itemsize": length
        })  # fmt: skip
        made = np.empty((n, length), dtype=np.uint8)
        for begin in range(0, n, ROWS_AT_ONCE):
            some = made[begin : begin + ROWS_AT_ONCE]
            some[:] = np.frombuffer(self._text, dtype=np.uint8)
            places = some.view(own)[:, 0]
            for name, part in zip(names, parts, strict=True):
                places[name] = part[begin : begin + ROWS_AT_ONCE]
        return binary(made)


def binary(octets: NDArray[np.uint8]) -> pl.Series:
    """Return rows of bytes as a column of type Binary.

    :param octets: shape (n, length)
    """
    lists = pl.Series(octets, dtype=pl.Array(pl.UInt8, octets.shape[1])).cast(pl.List(pl.UInt8))
    return lists.cast(pl.Binary)


def bits_of(column: pl.Series) -> tuple[Bits, Numbers]:
    """Return the bits of the doubles of a column, and the kind of each."""
    doubles = column.cast(pl.Float64)
    is_null = doubles.is_null().to_numpy() if doubles.null_count() else None
    # Without a value it is NaN here.
    bits = doubles.to_numpy().view(np.uint64)
    kinds = KINDS[bits >> FRACTION_BITS]
    kinds[bits == 0] = ZERO
    if is_null is not None:
        kinds[is_null] = NULL
    return bits, kinds


def digits_of(values: Numbers) -> Numbers:
    """Return how many decimal digits each number has, 0 for a negative one."""
    digits: Numbers = np.searchsorted(POWERS, values, side="right")
    return digits


def places_by(keys: Numbers) -> Iterator[Numbers]:
    """Return the places of the rows with equal keys, key by key, each ascending."""
    rows = pl.DataFrame({"key": keys, "place": np.arange(len(keys))})
    for places in rows.group_by("key", maintain_order=True).agg("place")["place"]:
        yield places.to_numpy()
