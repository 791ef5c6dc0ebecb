"""All commands together; what a command does is imported when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from kraken_ohlcv import __version__
from kraken_ohlcv_cli import (
    airflow_commands,
    data_commands,
    look_commands,
    paper_commands,
    proof_commands,
    verify_commands,
)

HELP = """Kraken OHLCV candles: what is complete, what is missing, what a repair costs; candles as files.

Commands change no candle and no gap; runs are started in Airflow.
Exit codes: 0 good, 1 incomplete or a failed check, 2 usage."""


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _group(HELP)
config = _group("Check the configuration.")
snapshot = _group("Name moments at which candles can be read again.")
set_up = _group("Prepare an Airflow installation.")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"kraken-ohlcv {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command()(look_commands.status)
app.command()(look_commands.gaps)
app.command()(look_commands.plan)
app.command()(data_commands.read)
app.command()(data_commands.price)
app.command()(data_commands.export)
app.command()(paper_commands.statement)
app.command()(paper_commands.incident)
app.command()(verify_commands.verify)
app.command()(proof_commands.proof)
app.add_typer(snapshot, name="snapshot")
snapshot.command("pin")(data_commands.pin)
snapshot.command("list")(data_commands.list_snapshots)
snapshot.command("check")(data_commands.check_snapshot)
app.add_typer(config, name="config")
config.command()(look_commands.check)
app.command()(airflow_commands.init)
app.add_typer(set_up, name="set-up")
set_up.command("stores")(airflow_commands.set_up_stores)
set_up.command("users")(airflow_commands.set_up_users)
app.command("test-message")(airflow_commands.test_message)
app.command()(airflow_commands.import_celery)
