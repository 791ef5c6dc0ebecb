"""Send one GET request and bring back status and body, within a bounded time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import requests
import urllib3

from kraken_hooks.errors import KrakenTransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_TIMEOUT_S: Final = 5.0
CHUNK: Final = 65536


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, not yet judged.

    :ivar status: HTTP status
    :ivar body: decompressed
    :ivar retry_after: value of that header, if sent
    """

    status: int
    body: bytes
    retry_after: str | None


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
    """
    deadline = time.monotonic() + timeout_s
    try:
        with session.get(
            url,
            params=dict(parameters),
            timeout=(min(CONNECT_TIMEOUT_S, timeout_s), timeout_s),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            # read1 returns what has arrived; read would wait for a full chunk however long that takes.
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                body += chunk
                if time.monotonic() > deadline:
                    raise KrakenTransientError(f"{call}: the answer was not complete after {timeout_s:g} s")
            return Reply(response.status_code, bytes(body), response.headers.get("Retry-After"))
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise KrakenTransientError(f"{call}: no answer from {url} within {timeout_s:g} s") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise KrakenTransientError(
            f"{call}: the call to {url} failed ({_reason(error)}); "
            f"check the network and the connection's host"
        ) from error


def _reason(error: BaseException) -> str:
    """Return the innermost cause in a few words, without the pool's addresses and retry counts."""
    seen = [error]
    while (inner := seen[-1].__cause__ or seen[-1].__context__) is not None:
        seen.append(inner)
    system = next((found for found in reversed(seen) if isinstance(found, OSError) and found.strerror), None)
    return str(system.strerror) if system is not None else f"{type(seen[-1]).__name__}: {seen[-1]}"
