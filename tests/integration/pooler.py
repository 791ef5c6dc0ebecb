"""A pooler before PostgreSQL in transaction mode: all clients share one session."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SSL_REQUEST: Final = 80877103
IDLE: Final = b"I"


@dataclass
class Pooler:
    """What stands between the clients and one session of the server.

    :ivar listener: takes clients
    :ivar server: the session's socket
    :ivar taken: held by the client whose transaction is open
    """

    listener: socket.socket
    server: socket.socket
    taken: threading.Lock = field(default_factory=threading.Lock)

    @property
    def port(self) -> int:
        """Return the port on loopback."""
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        """Take clients until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, EOFError):
            while _startup(client) == SSL_REQUEST:
                client.sendall(b"N")
            settings = {
                "server_version": "16.0",
                "client_encoding": "UTF8",
                "standard_conforming_strings": "on",
            }
            told = [_message(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items()]
            client.sendall(_message(b"R", struct.pack("!i", 0)) + b"".join(told) + _message(b"Z", IDLE))
            while True:
                kind, body = _read(client)
                if kind == b"X":
                    return
                with self.taken:
                    while not self._pass_on(client, kind, body):
                        kind, body = _read(client)

    def _pass_on(self, client: socket.socket, kind: bytes, body: bytes) -> bool:
        """Pass a message to the server, its answer back, and return whether the transaction is over."""
        self.server.sendall(_message(kind, body))
        if kind not in {b"Q", b"S"}:
            return False
        while True:
            said, what = _read(self.server)
            client.sendall(_message(said, what))
            if said == b"Z":
                return what == IDLE


@contextlib.contextmanager
def pooler(socket_directory: str, *, user: str, database: str) -> Iterator[Pooler]:
    """Give a running pooler to a server that trusts everybody on its unix socket.

    :param socket_directory: the server's
    :param user: role of the shared session
    :param database: its database
    """
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        server.connect(f"{socket_directory}/.s.PGSQL.5432")
        fields = f"user\0{user}\0database\0{database}\0\0".encode()
        server.sendall(struct.pack("!ii", len(fields) + 8, 196608) + fields)
        while _read(server)[0] != b"Z":
            pass
        one = Pooler(listener, server)
        threading.Thread(target=one.serve, daemon=True).start()
        yield one
        listener.shutdown(socket.SHUT_RDWR)


def _startup(client: socket.socket) -> int:
    (length,) = struct.unpack("!i", _exactly(client, 4))
    body = _exactly(client, length - 4)
    return int(struct.unpack("!i", body[:4])[0])


def _read(source: socket.socket) -> tuple[bytes, bytes]:
    kind = _exactly(source, 1)
    (length,) = struct.unpack("!i", _exactly(source, 4))
    return kind, _exactly(source, length - 4)


def _exactly(source: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = source.recv(length - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
