"""A whole Airflow on the benchmark's servers, and an exchange with as many small pairs as wanted."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from local.airflow import AirflowSettings, running_airflow
from local.connections import connections_of
from local.processes import free_port, start_process
from local.settings import ModeHome
from simulators.exchange_client import SIMULATED_SKEW_S, ExchangeAdmin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from bench.tools.services import Services
    from local.airflow_api import AirflowApi

LONGEST_S = 1800.0
"""A run that takes longer is given up."""


@contextmanager
def small_pairs(services: Services, now: datetime, n_pairs: int) -> Iterator[ExchangeAdmin]:
    """Give a simulated exchange with enough small pairs; the limiter alone decides how fast it is asked.

    :param services: where its log goes
    :param now: where its clock stands
    :param n_pairs: how many pairs ``SYN...USD`` it has beside its own ones
    :return: context manager of its admin client
    """
    clock = ["--clock", now.isoformat(), "--freeze", "--no-rate-limit"]
    process = start_process(
        "exchange",
        [sys.executable, "-m", "simulators.exchange", *clock],
        log_file=services.directory / "exchange.log",
    )
    try:
        exchange = ExchangeAdmin(process.wait_for_line(r"exchange listening on (http://\S+)")[1])
        exchange.synthetic(n_pairs)
        yield exchange
    finally:
        process.stop()


@contextmanager
def airflow_of(
    services: Services,
    exchange: ExchangeAdmin,
    plan: Mapping[str, Any],
    *,
    name: str,
    min_interval_s: float,
    dags_folder: Path,
    dag_ids: Collection[str],
    variables: Mapping[str, str] | None = None,
) -> Iterator[AirflowApi]:
    """Give a whole Airflow with an empty ledger and an empty candle store.

    :param services: its servers
    :param exchange: where candles come from
    :param plan: what ``OHLCV_ASSETS_FILE`` says
    :param name: beginning of the names of its databases
    :param min_interval_s: seconds between two calls
    :param dags_folder: where its DAGs are
    :param dag_ids: those that it must find
    :param variables: more environment variables of its processes
    :return: context manager of a client of its API
    """
    assets_file = services.directory / f"{name}.yaml"
    assets_file.write_text(yaml.safe_dump(dict(plan)), encoding="utf-8")
    ledger, metadata = f"{name}_ledger", f"{name}_airflow"
    for database in (ledger, metadata):
        services.postgres.create_database(database)
    services.empty_candle_store()
    settings = AirflowSettings(
        home=ModeHome("replay", sandbox=services.directory / name),
        port=free_port(),
        database_uri=services.postgres.uri(metadata),
        connections=connections_of(
            exchange_url=exchange.url,
            exchange_extra={"min_interval_s": min_interval_s, "max_clock_skew_s": SIMULATED_SKEW_S},
            questdb_ports=(services.questdb.pg_port, services.questdb.http_port),
            ledger=services.postgres.connection(ledger),
        ),
        more_variables={
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
            "OHLCV_ASSETS_FILE": str(assets_file),
            **(variables or {}),
        },
    )
    with running_airflow(settings, dag_ids) as api:
        yield api
