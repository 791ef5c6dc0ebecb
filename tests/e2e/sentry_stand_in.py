"""A server that takes what Sentry's client sends, and keeps it."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class SentryStandIn:
    """Envelopes received so far.

    :ivar dsn: for ``SENTRY_DSN``
    :ivar envelopes: raw text of each, oldest first
    """

    def __init__(self, port: int) -> None:
        self.dsn = f"http://publickey@127.0.0.1:{port}/1"
        self.envelopes: list[str] = []

    def events(self) -> list[dict[str, Any]]:
        """Return the error events of all envelopes, oldest first.

        Rule: Sentry's "Envelopes": a line of headers, then per item a line of headers and its payload.
        """
        found = []
        for envelope in self.envelopes:
            lines = envelope.splitlines()[1:]
            for header, payload in zip(lines[::2], lines[1::2], strict=False):
                if json.loads(header)["type"] == "event":
                    found.append(json.loads(payload))
        return found


@contextmanager
def sentry_stand_in() -> Iterator[SentryStandIn]:
    """Serve on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            sentry.envelopes.append(body.decode())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sentry = SentryStandIn(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield sentry
    server.shutdown()
    server.server_close()
    thread.join()
