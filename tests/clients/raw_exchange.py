"""A server that answers what a test says, byte for byte."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer.

    :ivar body: sent as it stands; anything but text or bytes becomes JSON
    :ivar status: HTTP status
    :ivar headers: additional ones
    :ivar says_longer: bytes announced in Content-Length beyond those sent
    :ivar before_s: silence before the answer
    :ivar drip_s: pause after each byte
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    says_longer: int = 0
    before_s: float = 0.0
    drip_s: float = 0.0

    def payload(self) -> bytes:
        """Return the bytes of the body."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class RawExchange:
    """Answers GET requests from a list, the last answer for ever; remembers what was asked."""

    def __init__(self) -> None:
        """Start listening on a free loopback port."""
        self.script: list[Scripted] = []
        self.paths: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.arrivals: list[float] = []
        self._guard = threading.Lock()
        exchange = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                exchange.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def will_answer(self, *answers: Any) -> None:
        """Set the next answers; what is no ``Scripted`` is sent as the body of HTTP 200."""
        self.script = [answer if isinstance(answer, Scripted) else Scripted(answer) for answer in answers]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Record a request and send the next answer."""
        with self._guard:
            self.arrivals.append(time.time())
            parts = urlsplit(handler.path)
            self.paths.append(parts.path)
            self.queries.append({key: values[0] for key, values in parse_qs(parts.query).items()})
            self.headers.append(dict(handler.headers))
            scripted = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        time.sleep(scripted.before_s)
        payload = scripted.payload()
        try:
            handler.send_response(scripted.status)
            for name, value in scripted.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(payload) + scripted.says_longer))
            handler.end_headers()
            for part in [payload[i : i + 1] for i in range(len(payload))] if scripted.drip_s else [payload]:
                handler.wfile.write(part)
                time.sleep(scripted.drip_s)
        except OSError:
            handler.close_connection = True  # the client has given up, as some tests want
        if scripted.says_longer:
            handler.close_connection = True

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
