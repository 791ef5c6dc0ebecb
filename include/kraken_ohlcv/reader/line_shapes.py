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
Kinds: TypeAlias = NDArray[np.uint8]

DIGITS: Final = np.frombuffer(b"0123456789", dtype=np.uint8)
"""A decimal digit by its value."""
QUAD: Final = 4
QUADS: Final = np.frombuffer("".join(f"{value:04d}" for value in range(10**4)).encode(), dtype=np.uint32)
"""Four decimal digits by their value."""

BIAS: Final = 1023
"""What is added to the exponent of a double when it is stored."""
FRACTION_BITS: Final = np.uint64(52)
LOW_HALF: Final = np.uint64(2**32 - 1)
USUAL: Final = range(1, 2 * BIAS + 1)
"""Exponents of usual doubles, as they are stored."""

NULL: Final = 0
ZERO: Final = 5
ODD: Final = 6
N_KINDS: Final = 7
"""Kinds of doubles. What is usual and positive is of kind 1 to 4: the number of digits of its exponent; what
is negative, its zero included, smaller than all usual ones, infinite or NaN is odd."""
KINDS: Final = np.full(2**12, ODD, dtype=np.uint8)
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

    def add_each(self, texts: NDArray[Any], *, again: int = 0) -> None:
        """Add what each row has of its own.

        :param texts: bytes of one length, as an item of any type, shape (n,)
        :param again: how many of their first bytes are there already
        """
        self._parts.append((len(self._text) - again, texts))
        self._text += bytes(texts.dtype.itemsize - again)

    def add_numbers(self, values: Numbers, digits: int) -> None:
        """Add decimal numbers.

        :param values: not negative, shape (n,)
        :param digits: how many each has
        """
        if digits < QUAD:
            for place in range(digits - 1, -1, -1):
                self.add_each(DIGITS.take(values // 10**place % 10))
            return
        for place in range(digits - QUAD, -QUAD, -QUAD):
            quads = values // 10 ** max(place, 0) % 10**QUAD
            self.add_each(QUADS.take(quads), again=max(-place, 0))

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
            self.add('"0x1.')
            self.add_each(_eight_hex_digits(bits >> np.uint64(20) & LOW_HALF))
            self.add_each(_eight_hex_digits(bits & LOW_HALF), again=3)
            self.add("p")
            self.add_each(EXPONENTS[kind].take(_upper(bits)))
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


def _eight_hex_digits(values: Bits) -> NDArray[Any]:
    """Return the eight hexadecimal digits of each number below 2^32, as they lie in memory.

    :param values: shape (n,)
    """
    # Each half byte goes to a byte of its own.
    digits = values << 16
    digits |= values
    digits &= 0x0000FFFF0000FFFF
    moved = digits << 8
    digits |= moved
    digits &= 0x00FF00FF00FF00FF
    np.left_shift(digits, 4, out=moved)
    digits |= moved
    digits &= 0x0F0F0F0F0F0F0F0F
    is_letter = np.add(digits, 0x0606060606060606, out=moved)
    is_letter >>= 4
    is_letter &= 0x0101010101010101
    digits += 0x3030303030303030
    digits += is_letter * (ord("a") - ord("9") - 1)
    return digits.astype(">u8")


def binary(octets: NDArray[np.uint8]) -> pl.Series:
    """Return rows of bytes as a column of type Binary.

    :param octets: shape (n, length)
    """
    lists = pl.Series(octets, dtype=pl.Array(pl.UInt8, octets.shape[1])).cast(pl.List(pl.UInt8))
    return lists.cast(pl.Binary)


def bits_of(column: pl.Series) -> tuple[Bits, Kinds]:
    """Return the bits of the doubles of a column, and the kind of each."""
    doubles = column.cast(pl.Float64)
    is_null = doubles.is_null().to_numpy() if doubles.null_count() else None
    # Without a value it is NaN here.
    bits = doubles.to_numpy().view(np.uint64)
    kinds = KINDS.take(_upper(bits))
    kinds[bits == 0] = ZERO
    if is_null is not None:
        kinds[is_null] = NULL
    return bits, kinds


def _upper(bits: Bits) -> Numbers:
    """Return the sign and the stored exponent of each double."""
    return (bits >> FRACTION_BITS).view(np.int64)


def digits_of(values: Numbers) -> Numbers:
    """Return how many decimal digits each number has, 0 for a negative one."""
    digits: Numbers = np.searchsorted(POWERS, values, side="right")
    return digits


def places_by(keys: Numbers) -> Iterator[Numbers]:
    """Return the places of the rows with equal keys, key by key, each ascending."""
    rows = pl.DataFrame({"key": keys, "place": np.arange(len(keys))})
    for places in rows.group_by("key", maintain_order=True).agg("place")["place"]:
        yield places.to_numpy()
