"""An exchange whose answers are altered on their way: a small server in front of the simulated one."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    Alteration = Callable[[Any], Any]


class AlteredExchange:
    """Passes calls on to an exchange, and alters the results of some endpoints.

    :param url: base URL of the exchange behind it
    """

    def __init__(self, url: str) -> None:
        outer, session = self, requests.Session()
        self._alterations: dict[str, Alteration] = {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                reply = session.get(f"{url}{self.path}", headers={"User-Agent": "test"}, timeout=60)
                body = outer._altered(self.path, reply.content)
                self.send_response(reply.status_code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def alter(self, endpoint: str, change: Alteration) -> None:
        """Alter the result of an endpoint from now on.

        :param endpoint: for example ``AssetPairs``
        :param change: takes the result and returns what is sent instead
        """
        self._alterations[endpoint] = change

    def restore(self) -> None:
        """Alter nothing any more."""
        self._alterations.clear()

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _altered(self, path: str, body: bytes) -> bytes:
        change = self._alterations.get(path.partition("?")[0].rpartition("/")[2])
        if change is None:
            return body
        envelope = json.loads(body)
        if envelope.get("error"):
            return body
        return json.dumps({**envelope, "result": change(envelope["result"])}).encode()
