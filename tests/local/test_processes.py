"""Process supervision: groups, orphans, reused pids, logs."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from local.processes import SandboxError, free_port, hold_port, load_process, start_process

if TYPE_CHECKING:
    from pathlib import Path

PARENT_AND_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
time.sleep(60)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_stop_ends_the_whole_group_also_without_its_leader(tmp_path: Path) -> None:
    process = start_process("family", python(PARENT_AND_CHILD), log_file=tmp_path / "log")
    child = int(process.wait_for_line(r"child (\d+)")[1])
    os.kill(process.pid, signal.SIGKILL)
    while process.is_alive():
        pass
    assert psutil.pid_exists(child)
    process.stop()
    assert process.members() == []


def test_process_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    process = start_process("deaf", python(DEAF), log_file=tmp_path / "log")
    process.wait_for_line("^ready$")
    process.stop(grace_s=0.1)
    assert not process.is_alive()


def test_is_found_again_by_its_pid_file(tmp_path: Path) -> None:
    started = start_process("kept", python(DEAF), log_file=tmp_path / "log", pid_file=tmp_path / "kept.pid")
    found = load_process(tmp_path / "kept.pid")
    assert found == started
    started.kill()
    assert found is not None
    assert not found.is_alive()


@pytest.mark.parametrize("content", ["", '{"name": "x"', "[]", '{"pid": 1}'])
def test_broken_pid_file_is_no_process(content: str, tmp_path: Path) -> None:
    pid_file = tmp_path / "broken.pid"
    assert load_process(pid_file) is None
    pid_file.write_text(content)
    assert load_process(pid_file) is None


def test_stranger_with_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    process = start_process("stranger", python(DEAF), log_file=tmp_path / "log")
    process.wait_for_line("^ready$")
    stale = dataclasses.replace(process, started_at=process.started_at + 100)
    rebooted = dataclasses.replace(process, booted_at=process.booted_at - 1000)
    for record in (stale, rebooted):
        record.stop()
        assert process.is_alive()
    assert not stale.is_alive()
    process.kill()


def test_output_of_an_earlier_start_is_not_taken_for_this_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in (1, 2):
        process = start_process("talker", python(f"print('port {number}')"), log_file=log)
        assert process.wait_for_line(r"port (\d)")[1] == str(number)


def test_failing_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    process = start_process("broken", python("raise SystemExit('no such thing')"), log_file=tmp_path / "log")
    with pytest.raises(SandboxError, match=r"broken ended while starting(.|\n)*no such thing"):
        process.wait_for_line("never")
    with pytest.raises(SandboxError, match="cannot be started"):
        start_process("absent", ["/does/not/exist"], log_file=tmp_path / "log")


def test_ports_that_are_held_are_given_out_once() -> None:
    held = [hold_port() for _ in range(2000)]
    ports = [one.getsockname()[1] for one in held]
    try:
        assert len(set(ports)) == len(ports)
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(("127.0.0.1", ports[0]))
    finally:
        for one in held:
            one.close()
    with socket.socket() as server:
        server.bind(("127.0.0.1", ports[0]))
        server.listen()


def test_preferred_port_is_kept_when_free_and_left_when_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port
