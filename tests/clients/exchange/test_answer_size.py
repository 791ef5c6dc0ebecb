"""How much of an answer is ever read."""

from __future__ import annotations

import gzip
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.clients.errors import KrakenMalformedReplyError
from kraken_ohlcv.clients.exchange.transport import LARGEST_BODY
from tests.clients.raw_exchange import Scripted

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from tests.clients.raw_exchange import RawExchange

MIB = 1 << 20


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Give a little gzip that becomes eight times the largest answer."""
    return gzip.compress(b'{"error":[],"result":"' + b" " * (8 * LARGEST_BODY) + b'"}')


def test_a_little_gzip_that_becomes_much_is_not_read_to_its_end(
    raw_hook: KrakenClient, raw_exchange: RawExchange, bomb: bytes
) -> None:
    assert len(bomb) < MIB
    raw_exchange.will_answer(Scripted(bomb, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        with pytest.raises(KrakenMalformedReplyError, match="exceeds 33554432 bytes"):
            raw_hook.get_server_time()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LARGEST_BODY


def test_an_answer_compressed_twice_is_not_read(
    raw_hook: KrakenClient, raw_exchange: RawExchange, bomb: bytes
) -> None:
    raw_exchange.will_answer(Scripted(gzip.compress(bomb), headers={"Content-Encoding": "gzip, gzip"}))
    with pytest.raises(KrakenMalformedReplyError, match="encoded as 'gzip, gzip'"):
        raw_hook.get_server_time()


def test_a_large_answer_within_the_limit_is_read(raw_hook: KrakenClient, raw_exchange: RawExchange) -> None:
    body = b'{"error":[],"result":{"unixtime":1795437296,"more":"' + b"x" * (LARGEST_BODY - MIB) + b'"}}'
    raw_exchange.will_answer(Scripted(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"}))
    assert raw_hook.get_server_time() == 1795437296
