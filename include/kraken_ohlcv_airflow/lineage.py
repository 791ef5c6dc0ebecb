"""Lineage for OpenLineage, where its Airflow provider is installed: tables, and how complete candles are.

Assets become datasets (:func:`asset_as_dataset`), so inlets and outlets of tasks are lineage. Each report
adds what it vouches for, as assertions about the candle table (:func:`send_lineage`). Without the provider
nothing is imported, without a transport nothing is sent, and neither is logged; no run fails because of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from kraken_hooks.dsn import ledger_dsn
from kraken_ohlcv.core.settings import CANDLE_TABLE, QUESTDB_CONN_ID

if TYPE_CHECKING:
    from airflow.sdk import Asset
    from openlineage.client.event_v2 import Dataset, InputDataset

log = logging.getLogger(__name__)

PROVIDER: Final = "airflow.providers.openlineage"


class Table(NamedTuple):
    """A table as OpenLineage names it.

    :ivar namespace: the server, without login and password
    :ivar name: the table, unique on this server
    """

    namespace: str
    name: str


class Check(NamedTuple):
    """Something that a report found to be so, or not.

    :ivar kind: ``verified_pct`` or ``unverified_candles``
    :ivar name: the kind, and what it is about
    :ivar is_good: whether ``actual`` is as good as ``expected``
    :ivar expected: number, as text
    :ivar actual: number, as text
    :ivar description: a sentence
    :ivar params: what it is about, and when it was looked at
    """

    kind: str
    name: str
    is_good: bool
    expected: str
    actual: str
    description: str
    params: dict[str, Any]


def checks_of(report: Mapping[str, Any]) -> list[Check]:
    """Return what a completeness report says of the candles; nothing is said where nothing is due.

    :param report: result of DAG ``completeness_report_daily`` (docs/COMPLETENESS.md)
    :return: per tier with a target whether it is reached, then per interval whether all is verified
    """
    about = {"checked_at": report["checked_at"]}
    intervals = [int(interval) for interval in report["intervals"]]
    shares = [
        Check(
            kind="verified_pct",
            name=f"verified_pct {one['tier']}",
            is_good=one["is_met"],
            expected=str(one["target_pct"]),
            actual=str(one["verified_pct"]),
            description="Percent of the due buckets that are stored, undisputed, or proven empty.",
            params={**about, "tier": one["tier"], "interval_minutes": intervals},
        )
        for one in report["targets"]
        if one["is_met"] is not None
    ]
    tier = report["tier"]
    counts = [
        Check(
            kind="unverified_candles",
            name=f"unverified_candles {tier} {interval}",
            is_good=one["missing"] + one["disputed"] == 0,
            expected="0",
            actual=str(one["missing"] + one["disputed"]),
            description="Due buckets that are missing, or stored and disputed.",
            params={
                **about,
                "tier": tier,
                "interval_minutes": int(interval),
                **{name: one[name] for name in ("expected", "missing", "disputed")},
            },
        )
        for interval, one in report["intervals"].items()
        if one["expected"]
    ]
    return [*shares, *counts]


def table_of(uri: str) -> Table:
    """Return the table that an asset of ours is about.

    :param uri: ``x-questdb://<connection>/<table>`` or ``x-ohlcv://<connection>/<table>``
    :return: named as OpenLineage prescribes for PostgreSQL; QuestDB, for which it has no rule, has a single
        database without schemas
    :raises ValueError: if it is no such address
    :raises ConnectionFieldError: if a field of the connection cannot be used
    :raises airflow.sdk.exceptions.AirflowNotFoundException: if the connection is not defined
    """
    parts = urlsplit(uri)
    conn_id, table = parts.netloc, parts.path.strip("/")
    if parts.scheme == "x-questdb":
        # Brings PostgresHook, and Airflow imports this file wherever it looks for converters.
        from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415

        address = QuestDBHook(questdb_conn_id=conn_id).address()
        return Table(f"questdb://{_server(address.host, address.port)}", table)
    if parts.scheme == "x-ohlcv":
        known = conninfo_to_dict(ledger_dsn(conn_id))
        server = _server(str(known.get("host", "localhost")), known.get("port", 5432))
        database = known.get("dbname") or known.get("user")  # as libpq chooses it
        return Table(f"postgres://{server}", f"{database}.public.{table}")
    raise ValueError(f"{uri} is no asset of this package")


def asset_as_dataset(asset: Asset, context: object) -> Dataset:
    """Return the dataset that an asset is; Airflow's provider of OpenLineage asks, see ``provider.py``.

    :param asset: one of this package
    :param context: the hook or operator that names it; not needed
    :raises ValueError: if it is another package's
    """
    from openlineage.client.event_v2 import Dataset  # noqa: PLC0415 (not installed everywhere)

    del context
    return Dataset(*table_of(asset.uri))


def judged_candles(report: Mapping[str, Any]) -> InputDataset:
    """Return the candle table with what a report says of it as data quality assertions.

    :param report: see :func:`checks_of`
    """
    from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415 (not installed everywhere)
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as facet  # noqa: PLC0415

    assertions = [
        facet.Assertion(
            assertion=one.kind,
            success=one.is_good,
            severity="warn",  # what is missing is a finding, and stops nothing
            name=one.name,
            description=one.description,
            expected=one.expected,
            actual=one.actual,
            params=one.params,
        )
        for one in checks_of(report)
    ]
    said = facet.DataQualityAssertionsDatasetFacet(assertions=assertions)
    table = table_of(f"x-questdb://{QUESTDB_CONN_ID}/{CANDLE_TABLE}")
    return InputDataset(*table, inputFacets={"dataQualityAssertions": said} if assertions else {})


def send_lineage(report: Mapping[str, Any]) -> None:
    """Send OpenLineage what a report says of the candles, as an event of the running task.

    What goes wrong is a warning.

    :param report: see :func:`checks_of`
    """
    if find_spec(PROVIDER) is None:
        return
    try:
        from airflow.providers.openlineage import api  # noqa: PLC0415 (not installed everywhere)

        if api.is_openlineage_active():
            api.emit_dataset_lineage(inputs=[judged_candles(report)])
    except Exception as error:  # whatever the provider does, the report stands
        log.warning("no lineage of this report: %s: %s", type(error).__name__, error)


def _server(host: str, port: object) -> str:
    host = host.rpartition("@")[2]  # a login in front of it would be a secret
    if host.startswith("/"):
        host = "localhost"  # the folder of a unix socket
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
