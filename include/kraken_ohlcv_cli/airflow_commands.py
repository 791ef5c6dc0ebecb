"""Commands of an Airflow installation: ``init``, ``set-up``, ``test-message``, ``import-celery``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kraken_ohlcv_cli.errors import need_airflow
from kraken_ohlcv_cli.options import CandlesUrl, LedgerUrl


def init(candles_url: CandlesUrl = None, ledger_url: LedgerUrl = None) -> None:
    """Bring ledger and candle table to this version without touching Airflow's database; may be repeated."""
    from kraken_ohlcv_cli.init import init_stores
    from kraken_ohlcv_cli.output import print_lines

    print_lines(init_stores(candles_url, ledger_url))


def set_up_stores(
    accept_exchange: Annotated[
        bool, typer.Option("--accept-exchange", help="Accept a new address of the ledger's exchange.")
    ] = False,
) -> None:
    """Bring Airflow's database, pools, ledger and candle table to this version; may be repeated."""
    need_airflow("set-up stores")
    from kraken_ohlcv_airflow.setup.stores import main

    main(["--accept-exchange"] if accept_exchange else [])


def set_up_users() -> None:
    """Write the passwords of the web server's users from AIRFLOW_PASSWORD_<NAME>."""
    need_airflow("set-up users")
    from kraken_ohlcv_airflow.setup.users import main

    main()


def test_message() -> None:
    """Send a test message to the channel of the alerts, as Airflow's connections name it."""
    need_airflow("test-message")
    import getpass
    import time

    from kraken_ohlcv.monitoring.channel_check import send_test_message
    from kraken_ohlcv_airflow.slack import slack_channel
    from kraken_ohlcv_cli.output import print_lines

    send_test_message(slack_channel(), by=getpass.getuser(), now_s=time.time())
    print_lines(["The test message was sent: look into the channel."])


def import_celery(
    mapping: Annotated[Path | None, typer.Argument(help="YAML, see docs/FROM_CELERY.md.")] = None,
    mark_imported: Annotated[
        bool, typer.Option("--mark-imported", help="Mark candles imported by version 0.1.0.")
    ] = False,
    tickers: Annotated[
        list[str] | None, typer.Option(help="With --mark-imported: only this one; may be repeated.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the changes; without it, nothing is changed.")
    ] = False,
) -> None:
    """Bring the candles and gap records of the Celery application over; may be repeated."""
    need_airflow("import-celery")
    from kraken_ohlcv_from_celery.__main__ import main

    given = [] if mapping is None else [str(mapping)]
    given += ["--mark-imported"] if mark_imported else []
    given += ["--tickers", *tickers] if tickers else []
    raise typer.Exit(main([*given, *(["--write"] if write else [])]))
