"""Start the Slack stand-in: ``python -m sandbox.slack --help``."""

from __future__ import annotations

import argparse

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.slack.admin import Admin
from sandbox.slack.api import Api
from sandbox.slack.channels import Channels
from sandbox.slack.faults import FaultScript
from sandbox.slack.page import Page
from sandbox.web_server import serve


def main() -> None:
    """Serve the stand-in until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.slack", description="A Slack stand-in.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0 lets the kernel choose")
    options = parser.parse_args()
    channels, faults = Channels(), FaultScript()
    routes = [
        Route("/", Page(channels).show, methods=["GET"]),
        *Api(channels, faults).routes(),
        *Admin(channels, faults).routes(),
    ]
    serve(Starlette(routes=routes), name="slack", host=options.host, port=options.port)


if __name__ == "__main__":
    main()
