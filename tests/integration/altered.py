"""An exchange whose answers are altered on their way: a small server in front of the simulated one."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    Alteration = Callable[[Any], Any]
    Spoiling = Callable[[str, dict[str, str], bytes], bytes]


class AlteredExchange:
    """Passes calls on to an exchange, and alters the results of some endpoints.

    :param url: base URL of the exchange behind it
    :ivar spoil: takes an endpoint, the parameters asked with and the body, and returns the body that is sent
    """

    def __init__(self, url: str) -> None:
        outer, session = self, requests.Session()
        self._alterations: dict[str, Alteration] = {}
        self.spoil: Spoiling = lambda _, __, body: body

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
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
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
        self.spoil = lambda _, __, body: body

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _altered(self, path: str, body: bytes) -> bytes:
        called, _, query = path.partition("?")
        endpoint = called.rpartition("/")[2]
        body = self.spoil(endpoint, dict(parse_qsl(query)), body)
        change = self._alterations.get(endpoint)
        if change is None:
            return body
        envelope = json.loads(body)
        if envelope.get("error"):
            return body
        return json.dumps({**envelope, "result": change(envelope["result"])}).encode()
