"""Start, find again and stop long-running child processes, each with its whole process group.

Every process gets its own session, so that one signal reaches it and all it has forked, and so that it
outlives the command that started it. A process is identified by pid *and* start time: a pid alone may
belong to a stranger after a crash or a reboot.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
POLL_S = 0.02
LOG_TAIL_LINES = 15
# Start times and boot times are read back with rounding; NTP moves the boot time by a little.
START_TIME_TOLERANCE_S = 1.0
BOOT_TIME_TOLERANCE_S = 60.0


class SandboxError(RuntimeError):
    """A service of the sandbox could not be started or reached; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ManagedProcess:
    """One process group led by ``pid``; works in the process that started it and in any later one.

    :ivar name: what it is, for messages
    :ivar pid: process id, also the id of its session and process group
    :ivar started_at: start time as the kernel tells it, epoch seconds
    :ivar booted_at: boot time of the machine when it was started, epoch seconds
    :ivar log_file: where its output goes
    :ivar log_offset: bytes in the log before this start
    """

    name: str
    pid: int
    started_at: float
    booted_at: float
    log_file: str
    log_offset: int

    def is_alive(self) -> bool:
        """Return whether the leader still runs; a zombie does not, a stranger with its pid is not it."""
        _reap(self.pid)
        try:
            process = psutil.Process(self.pid)
            is_ours: bool = abs(process.create_time() - self.started_at) < START_TIME_TOLERANCE_S
            return is_ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def has_arguments(self, argv: Sequence[str]) -> bool:
        """Return whether it was started with exactly these arguments."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).cmdline() == list(argv)
        return False

    def members(self) -> list[psutil.Process]:
        """Return the living processes of its session, the leader's orphans included."""
        if abs(psutil.boot_time() - self.booted_at) > BOOT_TIME_TOLERANCE_S:
            return []
        _reap(self.pid)
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                # A pid is not given out again while a session of that id has members, so a matching
                # session with a later start is ours even when the leader is dead.
                is_member = os.getsid(process.pid) == self.pid
                is_later = process.create_time() > self.started_at - START_TIME_TOLERANCE_S
                if is_member and is_later and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def output(self) -> str:
        """Return everything written since this start."""
        try:
            with Path(self.log_file).open("rb") as log:
                log.seek(self.log_offset)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for_line(self, pattern: str, *, timeout_s: float = 120.0) -> re.Match[str]:
        """Wait until the output since this start matches a pattern.

        :param pattern: regular expression, searched in the whole output, ``re.MULTILINE``
        :param timeout_s: seconds until giving up, > 0
        :return: the first match
        :raises SandboxError: if the process ends or the time is over before; holds the end of the log
        """
        compiled = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout_s
        while True:
            is_alive = self.is_alive()
            match = compiled.search(self.output())
            if match:
                return match
            if not is_alive:
                raise SandboxError(f"{self.name} ended while starting. {self._end_of_log()}")
            if time.monotonic() > deadline:
                raise SandboxError(f"{self.name} is not ready after {timeout_s:g} s. {self._end_of_log()}")
            time.sleep(POLL_S)

    def _end_of_log(self) -> str:
        tail = "\n".join(self.output().splitlines()[-LOG_TAIL_LINES:])
        return f"End of {self.log_file}:\n{tail}"

    def stop(self, *, grace_s: float = 15.0) -> None:
        """End the whole group: SIGTERM, then SIGKILL to what is left after ``grace_s`` seconds."""
        stop_all([self], grace_s=grace_s)

    def kill(self) -> None:
        """End the whole group at once with SIGKILL, as an out-of-memory killer would."""
        stop_all([self], grace_s=0.0, first_signal=signal.SIGKILL)

    def save(self, pid_file: Path) -> None:
        """Write the record to a pid file, atomically."""
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        scratch = pid_file.with_suffix(".tmp")
        scratch.write_text(json.dumps(asdict(self)) + "\n")
        scratch.replace(pid_file)


def load_process(pid_file: Path) -> ManagedProcess | None:
    """Return the process recorded in a pid file, or ``None`` when there is no usable record.

    :param pid_file: written by :meth:`ManagedProcess.save`; may be absent or cut off
    """
    try:
        return ManagedProcess(**json.loads(pid_file.read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def start_process(
    name: str,
    argv: Sequence[str],
    *,
    log_file: Path,
    env: Mapping[str, str] | None = None,
    pid_file: Path | None = None,
) -> ManagedProcess:
    """Start a program in its own session and the project's folder, output appended to a file, no input.

    :param name: what it is, for messages
    :param argv: program and arguments
    :param log_file: gets stdout and stderr; its folder is made
    :param env: the whole environment; ``None`` = this process's
    :param pid_file: where the record is kept, if it shall be found again by another process
    :raises SandboxError: if the program cannot be executed
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        offset = log.tell()
        try:
            child = subprocess.Popen(  # noqa: S603 (argv comes from this package, never from outside)
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=ROOT,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"{name} cannot be started: {error}") from error
    # The Popen object is let go on purpose: the group is watched by pid; _reap collects the exit status.
    child.returncode = 0
    process = ManagedProcess(
        name=name,
        pid=child.pid,
        started_at=psutil.Process(child.pid).create_time(),
        booted_at=psutil.boot_time(),
        log_file=str(log_file),
        log_offset=offset,
    )
    if pid_file is not None:
        process.save(pid_file)
    return process


def stop_all(
    processes: Iterable[ManagedProcess],
    *,
    grace_s: float = 15.0,
    first_signal: signal.Signals = signal.SIGTERM,
) -> None:
    """End several groups at the same time.

    :param processes: groups to end; those already gone are skipped
    :param grace_s: seconds for an orderly end, >= 0; then SIGKILL
    :param first_signal: what every member gets first
    """
    targets = list(processes)
    _signal_members(targets, first_signal)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and any(target.members() for target in targets):
        time.sleep(POLL_S)
    while any(target.members() for target in targets):
        _signal_members(targets, signal.SIGKILL)
        time.sleep(POLL_S)


def free_port(preferred: int | None = None) -> int:
    """Return a loopback TCP port that nobody listens on: the preferred one if possible.

    :param preferred: port of an earlier start, kept so that addresses stay the same; ``None`` or 0 = any
    """
    with hold_port(preferred) as held:
        return int(held.getsockname()[1])


def hold_port(preferred: int | None = None) -> socket.socket:
    """Return a socket that holds a free loopback TCP port, so that nobody is given the same one.

    :param preferred: port of an earlier start, kept so that addresses stay the same; ``None`` or 0 = any
    :return: bound, not listening; close it when the port's service is about to bind it
    """
    for candidate in (preferred, 0) if preferred else (0,):
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # As servers do: connections of a just stopped one in TIME_WAIT do not count as "in use". Not so for
        # any port: the system would give one out again that another socket of this kind holds.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if candidate else 0)
        try:
            held.bind(("127.0.0.1", candidate))
        except OSError:
            held.close()
            continue
        return held
    raise SandboxError("no free TCP port on 127.0.0.1")


def is_listened_on(port: int) -> bool:
    """Return whether somebody listens on a loopback TCP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _signal_members(processes: Iterable[ManagedProcess], number: signal.Signals) -> None:
    for process in processes:
        for member in process.members():
            with contextlib.suppress(psutil.Error):
                member.send_signal(number)


def _reap(pid: int) -> None:
    """Collect the exit status if the process is a finished child of ours, so that it is no zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
