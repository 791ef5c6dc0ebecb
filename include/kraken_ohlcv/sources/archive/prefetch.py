"""Makes the next item of a stream while the one at hand is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Generator[Item]:
    """Return the items of an iterator, each made in another thread while the one before is worked on.

    What the work waits for, a server for example, costs the stream no time; two items are in memory at most.

    :param items: none of them None; used by one thread at a time
    :return: the same items; what the iterator raises comes in its place
    """
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
