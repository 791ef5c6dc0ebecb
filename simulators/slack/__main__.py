"""Start the Slack stand-in: ``python -m simulators.slack --help``."""

from __future__ import annotations

import argparse

from starlette.applications import Starlette
from starlette.routing import Route

from simulators.slack.admin import Admin
from simulators.slack.api import Api
from simulators.slack.channels import Channels
from simulators.slack.faults import FaultScript
from simulators.slack.heartbeats import Heartbeats
from simulators.slack.page import Page
from simulators.web_server import serve


def main() -> None:
    """Serve the stand-in until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m simulators.slack", description="A Slack stand-in.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0 lets the kernel choose")
    options = parser.parse_args()
    channels, faults = Channels(), FaultScript()
    routes = [
        Route("/", Page(channels).show, methods=["GET"]),
        *Api(channels, faults).routes(),
        *Admin(channels, faults).routes(),
        *Heartbeats().routes(),
    ]
    serve(Starlette(routes=routes), name="slack", host=options.host, port=options.port)


if __name__ == "__main__":
    main()
