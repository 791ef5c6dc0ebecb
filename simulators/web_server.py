"""Serve one ASGI application on one address until the process is asked to stop.

Both stand-ins of the sandbox (the exchange and Slack) need the same three things that a plain ``uvicorn.run``
does not give: a port chosen by the kernel and told in one line on standard output once connections are
accepted, silence otherwise, and a way to cut a connection in the middle of a call.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Receive, Scope, Send

# Longer than any pause between two calls of a client that keeps its connection: a server that closes first
# makes the client's next call fail now and then, which would look like a fault nobody asked for.
KEEP_ALIVE_S = 75
CUT_KEY = "sandbox.transport"


class _Server(uvicorn.Server):
    """A uvicorn server that says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, ready_line: str) -> None:
        super().__init__(config)
        self._ready_line = ready_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready_line, flush=True)


def serve(app: ASGIApp, *, name: str, host: str, port: int) -> None:
    """Serve ``app`` until SIGINT or SIGTERM, after printing ``<name> listening on http://<host>:<port>``.

    :param app: the ASGI application
    :param name: word the ready line begins with
    :param host: address to listen on
    :param port: TCP port, 0 lets the kernel choose
    :raises OSError: if the port is taken
    """
    listener = socket.create_server((host, port), backlog=512)
    config = uvicorn.Config(
        _remember_transport(app),
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    ready_line = f"{name} listening on http://{host}:{listener.getsockname()[1]}"
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config, ready_line).run(sockets=[listener])


async def cut_connection(scope: Scope, receive: Receive) -> None:
    """Reset the client's connection without any (further) answer.

    :param scope: the call's ASGI scope
    :param receive: the call's ASGI channel; waited on until the server has noticed
    """
    transport: asyncio.Transport = scope[CUT_KEY]
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _remember_transport(app: ASGIApp) -> ASGIApp:
    """Put the connection into the scope; ASGI has no word for "hang up", so uvicorn's own object is used."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        cycle: Any = getattr(send, "__self__", None)
        scope[CUT_KEY] = cycle.transport
        await app(scope, receive, send)

    return wrapped
