"""Several workers: Celery on Redis instead of tasks in the scheduler's process."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.processes import SandboxError, free_port, start_process
from local.settings import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from local.processes import ManagedProcess

REDIS = "redis-server"


@dataclass(frozen=True)
class Workers:
    """Which workers run the tasks.

    :ivar broker_url: of Redis, with its password
    :ivar count: number of worker processes, > 0
    :ivar concurrency: tasks at once in each, > 0
    """

    broker_url: str
    count: int = 2
    concurrency: int = 2

    def components(self) -> dict[str, list[str]]:
        """Return the arguments of ``airflow`` by the worker's name."""
        names = [f"worker-{number}" for number in range(1, self.count + 1)]
        return {
            name: [
                *("celery", "worker", "--skip-serve-logs", "--without-gossip", "--without-mingle"),
                *("--celery-hostname", f"{name}@%h", "--concurrency", str(self.concurrency)),
            ]
            for name in names
        }

    def variables(self, database_uri: str) -> dict[str, str]:
        """Return what makes Airflow hand tasks to the workers.

        :param database_uri: SQLAlchemy URI of the metadata database, which keeps Celery's results too
        """
        return {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": self.broker_url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database_uri}",
        }


@dataclass(frozen=True)
class RedisServer:
    """A running Redis on loopback that keeps nothing on disk.

    :ivar broker_url: where workers find it, with its password
    """

    process: ManagedProcess
    broker_url: str

    def stop(self) -> None:
        """Stop it; what it held is gone."""
        self.process.stop()


def start_redis(directory: Path) -> RedisServer:
    """Start Redis with a password of its own.

    :param directory: of its settings and log; made if absent
    :raises SandboxError: if it is not installed or does not start
    """
    program = shutil.which(REDIS)
    if program is None:
        raise SandboxError(f"{REDIS} is not there. On Debian or Ubuntu: apt-get install {REDIS}")
    port, password = free_port(), secrets.token_hex(24)
    settings = directory / "redis.conf"
    lines = [f"port {port}", "bind 127.0.0.1", f"requirepass {password}", f'dir "{directory}"', 'save ""']
    write_atomically(settings, "\n".join(lines) + "\n", mode=0o600)
    process = start_process("Redis", [program, str(settings)], log_file=directory / "redis.log")
    process.wait_for_line("Ready to accept connections")
    return RedisServer(process, f"redis://:{password}@127.0.0.1:{port}/0")
