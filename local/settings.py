"""What each mode keeps between starts: ports, the exchange's first day, passwords and keys."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from local.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

Mode = Literal["demo", "replay", "live"]
MODES: tuple[Mode, ...] = get_args(Mode)
USERS = ("admin", "viewer")


@dataclass
class State:
    """What must stay the same over restarts of one mode.

    :ivar ports: port by service; the ledger refers to the exchange by its address
    :ivar exchange_url: base URL of a real exchange, ``None`` = simulated
    :ivar replay: folder of recorded answers that the simulator serves, if any
    :ivar anchor: ISO date the simulated history ends in; the same anchor gives the same trades
    :ivar metadata_ready_for: what Airflow's database was last prepared for (version, pools)
    :ivar airflow_settings: digest of the settings that Airflow's processes were started with
    """

    ports: dict[str, int] = field(default_factory=dict)
    exchange_url: str | None = None
    replay: str | None = None
    anchor: str | None = None
    metadata_ready_for: str | None = None
    airflow_settings: str | None = None


@dataclass(frozen=True)
class Secrets:
    """Made once a mode, kept in a file that only its owner can read.

    :ivar passwords: password by user name
    :ivar jwt_secret: signs the tokens of users and tasks, 64 bytes
    :ivar fernet_key: encrypts connections stored in Airflow's database
    :ivar api_secret_key: signs the web server's sessions
    """

    passwords: dict[str, str]
    jwt_secret: str
    fernet_key: str
    api_secret_key: str

    @property
    def questdb_password(self) -> str:
        """Return what QuestDB's HTTP asks for: one that no web page knows, unlike that of PGWire."""
        return hashlib.sha256(f"questdb {self.api_secret_key}".encode()).hexdigest()[:24]


class ModeHome:
    """The folder of one mode: ``.sandbox/<mode>``, or under ``OHLCV_SANDBOX``."""

    def __init__(self, mode: Mode, *, sandbox: Path | None = None) -> None:
        """Store the place; nothing is made.

        :param mode: ``demo``, ``replay`` or ``live``
        :param sandbox: parent folder; ``None`` = ``OHLCV_SANDBOX``, else ``.sandbox`` of the project
        """
        self.mode = mode
        self.path = (sandbox or sandbox_directory()) / mode

    @property
    def logs(self) -> Path:
        """Folder of the services' logs."""
        return self.path / "logs"

    def pid_file(self, name: str) -> Path:
        """Return where a process's record is kept."""
        return self.path / "pids" / f"{name}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands on this mode out, waiting for one that is at work."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"Waiting for another command that works on mode {self.mode}.", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load_state(self) -> State:
        """Return the kept state, or an empty one at first."""
        try:
            return State(**json.loads((self.path / "state.json").read_text()))
        except FileNotFoundError:
            return State()

    def save_state(self, state: State) -> None:
        """Keep the state."""
        write_atomically(self.path / "state.json", json.dumps(asdict(state), indent=2) + "\n")

    def postgres_url(self) -> str | None:
        """Return the URL of the PostgreSQL that was named for the mode, None = the embedded one."""
        try:
            return (self.path / "postgres-url").read_text().strip()
        except FileNotFoundError:
            return None

    def keep_postgres_url(self, url: str | None) -> None:
        """Remember the URL of a PostgreSQL, in a file that only its owner can read.

        :param url: None = the embedded one
        """
        file = self.path / "postgres-url"
        if url is None:
            file.unlink(missing_ok=True)
        else:
            write_atomically(file, f"{url}\n", mode=0o600)

    def secrets(self) -> Secrets:
        """Return the mode's passwords and keys, made at first use."""
        file = self.path / "secrets.json"
        if file.exists():
            return Secrets(**json.loads(file.read_text()))
        made = Secrets(
            passwords={user: secrets.token_urlsafe(12) for user in USERS},
            jwt_secret=secrets.token_hex(64),
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            api_secret_key=secrets.token_hex(32),
        )
        write_atomically(file, json.dumps(asdict(made), indent=2) + "\n", mode=0o600)
        return made


def sandbox_directory() -> Path:
    """Return the folder of all modes: ``OHLCV_SANDBOX`` or ``.sandbox`` of the project."""
    configured = os.environ.get("OHLCV_SANDBOX")
    return Path(configured).resolve() if configured else ROOT / ".sandbox"


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file so that readers see the old or the new text, never a part.

    :param path: the file; its folder is made
    :param text: the whole content
    :param mode: access rights, set before anything is written
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    scratch.replace(path)
