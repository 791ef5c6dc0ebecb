"""Items of a stream are made while those before are worked on, and come as if they were not."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.sources.archive.prefetch import ahead
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_items_come_in_their_order_and_end() -> None:
    assert list(ahead(iter(range(1000)))) == list(range(1000))
    assert list(ahead(iter([]))) == []


def test_the_next_item_is_made_while_one_is_worked_on() -> None:
    is_second_made = Event()

    def made() -> Iterator[str]:
        yield "first"
        is_second_made.set()
        yield "second"

    items = ahead(made())
    assert next(items) == "first"
    assert is_second_made.wait(PATIENCE_S)
    assert list(items) == ["second"]


def test_what_the_stream_raises_comes_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(OSError, match="gone"):
        next(items)


def test_a_stream_that_is_given_up_is_read_no_further() -> None:
    taken: list[int] = []

    def counted() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    items = ahead(counted())
    next(items)
    items.close()
    assert taken == [0, 1]
