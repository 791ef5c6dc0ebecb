"""Start, stop and use the sandbox: ``python -m local COMMAND``, see the names at the end."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from local.addresses import print_addresses
from local.installed_postgres import choose_postgres
from local.postgres import PSQL
from local.processes import SandboxError
from local.scratch import remove_abandoned
from local.settings import MODES, Mode, ModeHome
from local.stack import Exchange, Stack, choose_exchange

if TYPE_CHECKING:
    from collections.abc import Sequence


def up(mode: Mode | None) -> int:
    """Start everything of a mode and print its addresses; says so when it runs already.

    :param mode: ``None`` = live, or replay when ``KRAKEN_REPLAY`` is set
    :return: exit code
    """
    meant: Mode = "demo"
    exchange = Exchange()
    if mode != "demo":
        meant, exchange = choose_exchange(os.environ)
    if mode not in (None, meant):
        raise SandboxError(
            f"Mode {mode} needs KRAKEN_REPLAY=FOLDER." if mode == "replay" else "Unset KRAKEN_REPLAY."
        )
    home = ModeHome(meant)
    remove_abandoned()
    with home.locked():
        choose_postgres(home, os.environ)
        stack = Stack(home, exchange)
        if stack.is_complete():
            print(f"Mode {meant} runs already.")
        else:
            started = time.monotonic()
            stack.up()
            print(f"Mode {meant} is up after {time.monotonic() - started:.0f} s.")
        print_addresses(stack)
    if problem := stack.exchange_problem():
        print(problem)
    return 0


def down(mode: Mode | None) -> int:
    """Stop everything of a mode, or of all modes; the data stays.

    :return: exit code
    """
    for each in MODES if mode is None else (mode,):
        home = ModeHome(each)
        if not home.path.exists():
            continue
        with home.locked():
            if Stack(home).down():
                print(f"Mode {each} is stopped; its data stays in {home.path}.")
    return 0


def status(mode: Mode | None) -> int:
    """Print what runs of each mode that was ever started.

    :return: exit code
    """
    for each in MODES if mode is None else (mode,):
        home = ModeHome(each)
        if not home.path.exists():
            print(f"{each}: never started")
            continue
        stack = Stack(home)
        services = stack.services()
        print(
            f"{each}: "
            + ", ".join(f"{name} {'runs' if runs else 'stopped'}" for name, runs in services.items())
        )
        if services["api-server"]:
            print_addresses(stack)
    return 0


def demo(_: Mode | None) -> int:
    """Run the demo.

    :return: exit code
    """
    remove_abandoned()
    from demo import run  # noqa: PLC0415 (imports what up and down do without)

    exit_code = run.main()
    if os.environ.get("DEMO_EXIT") != "1":
        print_addresses(Stack(ModeHome("demo")))
    return exit_code


def airflow(arguments: Sequence[str]) -> NoReturn:
    """Become Airflow's own command line, on the Airflow that runs.

    :param arguments: for example ``dags trigger backfill_tier1_daily``
    :raises SandboxError: if no mode runs
    """
    environment = running_stack("api-server").airflow_environment()
    # Log lines would stand in front of the JSON that `-o json` prints.
    environment |= {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "airflow", *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606 (the caller's own command line)


def set_up(arguments: Sequence[str]) -> NoReturn:
    """Become the package's own set-up, on the stores that run.

    :param arguments: for example ``--accept-exchange``
    :raises SandboxError: if no mode runs
    """
    command = [sys.executable, "-m", "kraken_ohlcv_airflow.setup.stores", *arguments]
    environment = running_stack("api-server").airflow_environment()
    os.execve(sys.executable, command, environment)  # noqa: S606 (the caller's own command line)


def psql(arguments: Sequence[str]) -> NoReturn:
    """Become PostgreSQL's own shell, on the ledger or the candles of the mode that runs.

    :param arguments: ``ledger`` or ``candles``, then psql's own, for example ``-c "SELECT 1"``
    :raises SandboxError: if it is neither, or no mode runs
    """
    store, *rest = arguments or [""]
    if store not in ("ledger", "candles"):
        raise SandboxError(f"psql reaches ledger or candles, not {store!r}.")
    stack = running_stack("postgres" if store == "ledger" else "questdb")
    address = stack.ledger_uri if store == "ledger" else stack.candles_uri
    fields = conninfo_to_dict(address)
    # Others see the arguments of a program, but not its environment.
    password = {"PGPASSWORD": str(fields.pop("password"))} if "password" in fields else {}
    command = ["psql", make_conninfo("", **fields), *rest]
    os.execve(PSQL, command, {**os.environ, **password})  # noqa: S606 (the caller's own command line)


def kraken_ohlcv(arguments: Sequence[str]) -> NoReturn:
    """Become the package's own command line, on the stores that run.

    :param arguments: for example ``status``
    :raises SandboxError: if no mode runs
    """
    stack = running_stack("questdb")
    urls = {CANDLES_URL_ENV: stack.candles_url, LEDGER_URL_ENV: stack.ledger_uri}
    command = [sys.executable, "-m", "kraken_ohlcv_cli", *arguments]
    os.execve(sys.executable, command, {**os.environ, **urls})  # noqa: S606 (the caller's own command line)


def running_stack(service: str) -> Stack:
    """Return the mode with a running service.

    :param service: as ``status`` names it
    :raises SandboxError: if there is none
    """
    for mode in MODES:
        home = ModeHome(mode)
        if home.path.exists() and (stack := Stack(home)).services()[service]:
            return stack
    raise SandboxError("No Airflow runs: start it with `make up`.")


COMMANDS = {"up": up, "down": down, "status": status, "demo": demo}
SHELLS = {"airflow": airflow, "psql": psql, "set-up": set_up, "kraken-ohlcv": kraken_ohlcv}


def main(argv: Sequence[str]) -> int:
    """Run one command.

    :param argv: arguments without the program's name
    :return: exit code; 1 with one sentence on stderr when something does not start
    """
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, *SHELLS])
    parser.add_argument("--mode", choices=MODES, help="up: default live; down, status: default all")
    try:
        if argv and argv[0] in SHELLS:
            SHELLS[argv[0]](argv[1:])  # all that follows belongs to the program
        arguments = parser.parse_args(argv)
        return COMMANDS[arguments.command](arguments.mode)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
