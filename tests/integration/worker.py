"""Run a backfill, or one fill of it, in a process of its own: to be killed, or to live in another time zone.

``python -m tests.integration.worker ORDER`` with a JSON order, see :class:`Order`; connections come from the
environment. Prints ``halted`` when it stops at a step, ``finished`` at the end.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.run import RunKey
from local.processes import ManagedProcess, start_process
from simulators.exchange_client import ExchangeAdmin
from tests.integration.world import Planned, World, at_step, request_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Order:
    """What a worker is to do.

    :ivar url: the simulated exchange
    :ivar dsn: the ledger
    :ivar tickers: TIER1
    :ivar params: params of the run
    :ivar halt_before: step at which to stop and wait to be killed, or None
    :ivar halt_after: how often that step is passed before
    :ivar run: DAG id and run id of a planned run whose fills are to be done, or None to do a whole run
    :ivar items: its plan of OHLC calls
    :ivar walks: its plan of walks through trades, None until it is made
    """

    url: str
    dsn: str
    tickers: list[str]
    params: dict[str, Any] = field(default_factory=dict)
    halt_before: str | None = None
    halt_after: int = 0
    run: list[str] | None = None
    items: list[dict[str, Any]] = field(default_factory=list)
    walks: list[dict[str, Any]] | None = None


def start_worker(order: Order, directory: Path, *, env: dict[str, str] | None = None) -> ManagedProcess:
    """Start a worker.

    :param order: what to do
    :param directory: its log goes there
    :param env: the whole environment; None = this process's
    """
    return start_process(
        "worker",
        [sys.executable, "-m", "tests.integration.worker", json.dumps(asdict(order))],
        log_file=directory / "worker.log",
        env=env,
    )


def _halt() -> None:
    print("halted", flush=True)
    signal.pause()


def _work(order: Order) -> None:
    world = World(ExchangeAdmin(order.url), order.dsn, order.tickers)
    if order.halt_before is not None:
        world.before_step = at_step(order.halt_before, _halt, after=order.halt_after)
    if order.run is None:
        world.run(**order.params)
    else:
        planned = Planned(RunKey(*order.run), request_of(**order.params), order.items, walks=order.walks)
        world.fill(planned)
    print("finished", flush=True)


if __name__ == "__main__":
    _work(Order(**json.loads(sys.argv[1])))
