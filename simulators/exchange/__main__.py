"""Start the exchange simulator: ``python -m simulators.exchange --help``."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route

from simulators.archive.server import ArchiveServer
from simulators.exchange.admin import Admin
from simulators.exchange.clock import NS_PER_S, Clock, moment_ns
from simulators.exchange.front import Front
from simulators.exchange.limiter import RateLimiter
from simulators.exchange.market import Market
from simulators.exchange.public import SimulatedExchange
from simulators.exchange.recording import RecordingError, read_recording
from simulators.exchange.replay import ReplayedExchange
from simulators.web_server import serve


def main() -> None:
    """Serve an exchange until told to stop."""
    options = _options()
    exchange = _simulated(options) if options.replay is None else _replayed(options.replay)
    front = Front(exchange, RateLimiter(is_on=options.rate_limit))
    routes = [Route("/0/public/{endpoint}", front.public, methods=["GET"])]
    if isinstance(exchange, SimulatedExchange):
        archive = ArchiveServer(exchange.market)
        routes += [*archive.routes(), *Admin(front, also_reset=archive.reset).routes()]
    else:
        routes += Admin(front).routes()
    serve(Starlette(routes=routes), name="exchange", host=options.host, port=options.port)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.exchange", description="A Kraken exchange simulator."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0 lets the kernel choose")
    parser.add_argument("--seed", type=int, default=7, help="decides every trade")
    parser.add_argument(
        "--clock", type=_moment, help="first moment of its clock, ISO with offset; default: real time"
    )
    parser.add_argument("--freeze", action="store_true", help="the clock stands still until moved")
    parser.add_argument("--anchor", type=date.fromisoformat, help="listing dates count back from this day")
    parser.add_argument(
        "--rate-limit",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="refuse callers that are too fast",
    )
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FOLDER",
        help="answer from recorded replies, found through index.json; no market is made then",
    )
    parser.add_argument(
        "--since",
        choices=("inclusive", "exclusive"),
        default="inclusive",
        help="whether OHLC serves the row that opens exactly at since (sources differ)",
    )
    return parser.parse_args()


def _moment(text: str) -> int:
    try:
        return moment_ns(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _simulated(options: argparse.Namespace) -> SimulatedExchange:
    clock = Clock(options.clock, is_running=not options.freeze)
    today = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=clock.now_ns() // NS_PER_S)).date()
    market = Market(options.seed, options.anchor or today, clock)
    return SimulatedExchange(market, since_is_inclusive=options.since == "inclusive")


def _replayed(folder: Path) -> ReplayedExchange:
    try:
        return ReplayedExchange(read_recording(folder))
    except RecordingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
