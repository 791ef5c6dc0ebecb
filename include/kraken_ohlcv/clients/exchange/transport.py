"""Send one GET request and bring back status and body, within a bounded time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import requests
import urllib3

from kraken_ohlcv.clients.errors import KrakenMalformedReplyError, KrakenTransientError
from kraken_ohlcv.clients.exchange.classify import clip
from kraken_ohlcv.clients.http import timeouts

CHUNK: Final = 16384
"""Bytes as sent; gzip makes at most a thousand times as many of them."""

LARGEST_BODY: Final = 32 * 2**20
"""Bytes after decompression; the largest answer, AssetPairs of all pairs, has about two millions."""

ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate"})
"""One alone: of two, one within the other, nothing would bound what a few bytes become."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, not yet judged.

    :ivar status: HTTP status
    :ivar body: decompressed
    :ivar retry_after: value of that header, if sent
    """

    status: int
    body: bytes
    retry_after: str | None = None


def fetch(
    session: requests.Session, url: str, parameters: Mapping[str, str], *, timeout_s: float, call: str
) -> Reply:
    """Return what a GET request brings, whatever its status.

    Redirects are not followed: that would be a second call in one slot, perhaps to another host.

    :param session: sends the request
    :param url: without query
    :param parameters: of the query
    :param timeout_s: seconds for the whole answer, also one that keeps trickling in; > 0
    :param call: what is asked, for messages
    :raises KrakenTransientError: if there is no complete answer within the time
    :raises KrakenMalformedReplyError: if the answer is larger than any of Kraken's, or compressed twice
    """
    deadline = time.monotonic() + timeout_s
    try:
        with session.get(
            url,
            params=dict(parameters),
            timeout=timeouts(timeout_s),
            allow_redirects=False,
            stream=True,
        ) as response:
            encoding = response.headers.get("Content-Encoding", "").strip().lower()
            if encoding not in ENCODINGS:
                raise KrakenMalformedReplyError(f"{call}: the answer is encoded as {clip(encoding)!r}")
            body = bytearray()
            # read1 returns what has arrived; read would wait for a full chunk however long that takes.
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise KrakenMalformedReplyError(
                        f"{call}: the answer exceeds {LARGEST_BODY} bytes, more than any of Kraken's; "
                        "it was not read to its end"
                    )
                if time.monotonic() > deadline:
                    raise KrakenTransientError(f"{call}: the answer was not complete after {timeout_s:g} s")
            return Reply(response.status_code, bytes(body), response.headers.get("Retry-After"))
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise KrakenTransientError(f"{call}: no answer from {url} within {timeout_s:g} s") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise KrakenTransientError(
            f"{call}: the call to {url} failed ({_reason(error)}); "
            f"check the network and the connection's host"
        ) from None  # what lies below it says the same five times over, each with a traceback of its own


def _reason(error: BaseException) -> str:
    """Return the innermost cause in a few words, without the pool's addresses and retry counts."""
    seen = [error]
    while (inner := seen[-1].__cause__ or seen[-1].__context__) is not None:
        seen.append(inner)
    system = next((found for found in reversed(seen) if isinstance(found, OSError) and found.strerror), None)
    return str(system.strerror) if system is not None else f"{type(seen[-1]).__name__}: {seen[-1]}"
