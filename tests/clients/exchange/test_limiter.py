"""The shared call slot: never two calls at once, never too close, nobody blocked by the dead."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.clients.errors import RateLimitLockError
from kraken_ohlcv.clients.exchange import limiter as rate_limit
from kraken_ohlcv.clients.exchange.limiter import LOCK_TIMEOUT_S, CallSlot
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from simulators.exchange_client import ExchangeAdmin

INTERVAL_S = 0.1
PROCESSES = 6

CALLER = f"""
import pathlib, sys, requests
from kraken_ohlcv.clients.exchange.limiter import CallSlot
dsn, url, endpoint, stop = sys.argv[1:]
slot = CallSlot(dsn, min_interval_s={INTERVAL_S})
while not pathlib.Path(stop).exists():
    with slot.hold():
        requests.get(f"{{url}}/0/public/{{endpoint}}", timeout=60)
"""

HOLDER = """
import sys, time
from kraken_ohlcv.clients.exchange.limiter import CallSlot
with CallSlot(sys.argv[1], min_interval_s=0.1).hold():
    print("holding", flush=True)
    time.sleep(60)
"""

FORKER = """
import os, sys
from kraken_ohlcv.clients.exchange.limiter import CallSlot
slot = CallSlot(sys.argv[1], min_interval_s=0.01)
with slot.hold():
    pass
child = os.fork()
with slot.hold():
    pass
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
with slot.hold():
    pass
assert not slot._connection.closed
"""


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 (only the programs above)
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def make_slot(ledger_uri: str) -> Iterator[Callable[..., CallSlot]]:
    """Give a maker of slots on one ledger, each with a connection of its own."""
    slots: list[CallSlot] = []

    def make(interval_s: float = INTERVAL_S, **options: object) -> CallSlot:
        slots.append(CallSlot(ledger_uri, min_interval_s=interval_s, clock_margin_s=0.0, **options))  # type: ignore[arg-type]
        return slots[-1]

    yield make
    for slot in slots:
        slot.close()


def enter(slot: CallSlot) -> float:
    """Make an empty call and return when it started, seconds of the monotonic clock."""
    with slot.hold():
        return time.monotonic()


def test_six_processes_one_killed_in_a_call_never_call_too_close(
    exchange: ExchangeAdmin, ledger_uri: str, tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    exchange.fault("latency", endpoint="SystemStatus", seconds=30)
    callers = [run_python(CALLER, ledger_uri, exchange.url, "Time", str(stop)) for _ in range(PROCESSES - 1)]
    victim = run_python(CALLER, ledger_uri, exchange.url, "SystemStatus", str(stop))
    try:
        wait_for(lambda: bool(exchange.calls("SystemStatus")), "the victim never called")
        victim.kill()
        killed_at = time.time()
        before = len(exchange.calls())
        wait_for(lambda: len(exchange.calls()) > before + 20, "the others do not go on")
        stop.touch()
        for caller in callers:
            assert caller.wait(timeout=PATIENCE_S) == 0, caller.communicate()[1]
    finally:
        for process in (victim, *callers):
            process.kill()
            process.communicate()
    arrivals = sorted(call["at"] for call in exchange.calls())
    assert len(arrivals) > 20
    assert min(b - a for a, b in pairwise(arrivals)) >= INTERVAL_S
    assert next(at for at in arrivals if at > killed_at) - killed_at < 10, "the victim's lock outlived it"


def test_killed_holder_frees_the_slot(make_slot: Callable[..., CallSlot], ledger_uri: str) -> None:
    holder = run_python(HOLDER, ledger_uri)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        holder.kill()
        began = time.monotonic()
        assert enter(make_slot()) - began < LOCK_TIMEOUT_S / 10  # the distance, not the patience of the line
    finally:
        holder.kill()
        holder.communicate()


def test_living_holder_keeps_others_out(
    make_slot: Callable[..., CallSlot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "SESSION_SETTINGS", "SET lock_timeout = '300ms'")
    waiting = make_slot(0.01)
    with make_slot(0.01).hold():
        began = time.monotonic()
        with pytest.raises(RateLimitLockError, match="other processes held it for 300 s"):
            enter(waiting)
        assert time.monotonic() - began >= 0.3
    enter(waiting)


def test_calls_of_one_process_keep_the_interval(make_slot: Callable[..., CallSlot]) -> None:
    slot = make_slot()
    starts = [enter(slot) for _ in range(6)]
    assert min(b - a for a, b in pairwise(starts)) >= INTERVAL_S - 0.001


def test_reservation_is_committed_before_the_call(
    make_slot: Callable[..., CallSlot], ledger_uri: str
) -> None:
    with (
        make_slot(5.0).hold(),
        psycopg.connect(ledger_uri, autocommit=True) as other,
    ):
        row = other.execute("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM api_slot").fetchone()
    assert row is not None
    assert 5 < row[0] <= 7  # the interval, and what the call may need to arrive


def test_interval_counts_from_the_latest_moment_a_slow_call_can_have_arrived(
    make_slot: Callable[..., CallSlot],
) -> None:
    slot = make_slot(0.3)
    with slot.hold():
        time.sleep(0.12)  # name lookup and handshakes, before the request itself is sent
        arrived_at = time.monotonic()
    assert enter(slot) - arrived_at >= 0.3 - 0.001


def test_answer_that_takes_long_does_not_slow_the_next_call_down(
    make_slot: Callable[..., CallSlot], ledger_uri: str
) -> None:
    slot = make_slot(0.3)
    with slot.hold():
        time.sleep(2.4)
    with psycopg.connect(ledger_uri, autocommit=True) as other:
        assert other.execute("SELECT next_at <= clock_timestamp() FROM api_slot").fetchone() == (True,)


def test_push_back_moves_everybody_and_never_nearer(make_slot: Callable[..., CallSlot]) -> None:
    enter(make_slot())
    began = time.monotonic()
    make_slot().push_back(0.8)
    make_slot().push_back(0.01)
    assert enter(make_slot()) - began >= 0.8


def test_push_back_from_inside_a_call_is_not_shortened_by_its_end(
    make_slot: Callable[..., CallSlot],
) -> None:
    slot = make_slot()
    with slot.hold():
        began = time.monotonic()
        slot.push_back(0.8)
    assert enter(make_slot()) - began >= 0.8


def test_push_back_reaches_a_caller_who_is_waiting_already(make_slot: Callable[..., CallSlot]) -> None:
    enter(make_slot(1.0))
    waiting = make_slot()
    started: list[float] = []
    thread = threading.Thread(target=lambda: started.append(enter(waiting)))
    began = time.monotonic()
    thread.start()
    time.sleep(0.1)
    make_slot().push_back(1.5)
    thread.join(timeout=PATIENCE_S)
    assert started
    assert started[0] - began >= 1.5


@pytest.mark.parametrize(
    ("pause_s", "is_free"),
    [
        pytest.param(60.0, True, id="a long pause is waited for outside the lock"),
        pytest.param(2.0, False, id="a short one inside, so that the order of callers stays"),
    ],
)
def test_pause_is_waited_for(
    make_slot: Callable[..., CallSlot], ledger_uri: str, pause_s: float, is_free: bool
) -> None:
    seen: list[tuple[float, bool]] = []

    def pretend(seconds: float) -> None:
        with psycopg.connect(ledger_uri, autocommit=True) as other:
            row = other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
            seen.append((seconds, row == (0,)))
            other.execute("UPDATE api_slot SET next_at = clock_timestamp()")

    make_slot().push_back(pause_s)
    enter(make_slot(sleep=pretend))
    assert [is_unlocked for _, is_unlocked in seen] == [is_free]
    assert pause_s - 1 < seen[0][0] <= pause_s


def test_pause_longer_than_a_task_waits_is_told_at_once(make_slot: Callable[..., CallSlot]) -> None:
    slot = make_slot()
    slot.push_back(2000)
    with pytest.raises(RateLimitLockError, match=r"the next call is allowed in (2000|1999) s only"):
        enter(slot)


def test_interrupted_wait_frees_the_slot(make_slot: Callable[..., CallSlot]) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    make_slot().push_back(0.5)
    with pytest.raises(KeyboardInterrupt):
        enter(make_slot(sleep=interrupt))
    enter(make_slot())


def test_failed_call_frees_the_slot(make_slot: Callable[..., CallSlot]) -> None:
    slot = make_slot()
    with pytest.raises(ValueError, match="answer"), slot.hold():
        raise ValueError("bad answer")
    enter(make_slot())
    enter(slot)


def test_names_do_not_wait_for_each_other(make_slot: Callable[..., CallSlot]) -> None:
    with make_slot(30.0, name="kraken").hold():
        began = time.monotonic()
        assert enter(make_slot(name="other")) - began < 30


def test_one_connection_serves_all_calls_until_it_is_closed(
    make_slot: Callable[..., CallSlot], ledger_uri: str
) -> None:
    slot = make_slot(0.01)
    for _ in range(3):
        enter(slot)
    assert len(backends(ledger_uri)) == 1
    slot.close()
    wait_for(lambda: backends(ledger_uri) == [], "the connection stays open")
    enter(slot)


def test_connection_lost_between_calls_is_made_again(
    make_slot: Callable[..., CallSlot], ledger_uri: str
) -> None:
    slot = make_slot()
    enter(slot)
    terminate(ledger_uri)
    enter(slot)
    terminate(ledger_uri)
    slot.push_back(0.01)


def test_connection_lost_during_a_call_fails_nobody_and_keeps_the_distance(
    make_slot: Callable[..., CallSlot], ledger_uri: str
) -> None:
    slot = make_slot(0.3)
    with slot.hold():
        began = time.monotonic()
        terminate(ledger_uri)
    assert enter(slot) - began >= 0.3 - 0.001


def test_ledger_out_of_reach_is_one_clear_error(ledger_uri: str) -> None:
    slot = CallSlot("postgresql://postgres@127.0.0.1:1/ohlcv")
    with pytest.raises(RateLimitLockError, match="call slot kraken: PostgreSQL is out of reach"):
        enter(slot)


def test_forked_child_leaves_its_parents_connection_alone(ledger_uri: str) -> None:
    forker = run_python(FORKER, ledger_uri)
    _, errors = forker.communicate(timeout=PATIENCE_S)
    assert forker.returncode == 0, errors


def backends(uri: str) -> list[int]:
    """Return the server processes of other connections to this database."""
    with psycopg.connect(uri, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return [row[0] for row in rows]


def terminate(uri: str) -> None:
    """End all other connections to this database, as a restart of the server would."""
    pids = backends(uri)
    assert pids
    with psycopg.connect(uri, autocommit=True) as connection:
        for pid in pids:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
