"""Lineage: which tables assets are, what a report says of the candles, and that nobody is disturbed."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import airflow
import pytest

from kraken_hooks.provider import get_provider_info
from kraken_ohlcv_airflow.completeness import COMPLETENESS
from kraken_ohlcv_airflow.defaults import CANDLES
from kraken_ohlcv_airflow.lineage import (
    PROVIDER,
    asset_as_dataset,
    checks_of,
    judged_candles,
    send_lineage,
    table_of,
)
from kraken_ohlcv_airflow.verified import VERIFIED
from tests.conftest import set_connection

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "5e9f9c1a-the-secret"  # noqa: S105
LOGIN = {"login": "ohlcv", "password": SECRET}
LOOKED_AT = "2026-11-23T12:34:56"


def report(**changes: Any) -> dict[str, Any]:
    """Return what a report of a tier says that misses ten candles."""
    hourly = {"expected": 720, "stored": 709, "missing": 10, "disputed": 1}
    daily = {"expected": 30, "stored": 30, "missing": 0, "disputed": 0}
    return {
        "tier": "TIER1",
        "checked_at": LOOKED_AT,
        "intervals": {"60": hourly, "1440": daily},
        "targets": [{"tier": "TIER1", "target_pct": 99.9, "verified_pct": 98.5333, "is_met": False}],
        **changes,
    }


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Define the connections of both stores."""
    set_connection(monkeypatch, "questdb_default", conn_type="questdb", host="candles.example", **LOGIN)
    postgres = {"conn_type": "postgres", "host": "ledger.example", "port": 6432, "schema": "ohlcv"}
    set_connection(monkeypatch, "ohlcv_postgres", **postgres, **LOGIN)


def test_a_report_says_per_tier_and_interval_what_was_expected_and_what_is() -> None:
    said = [(one.kind, one.name, one.expected, one.actual, one.is_good) for one in checks_of(report())]
    assert said == [
        ("verified_pct", "verified_pct TIER1", "99.9", "98.5333", False),
        ("unverified_candles", "unverified_candles TIER1 60", "0", "11", False),
        ("unverified_candles", "unverified_candles TIER1 1440", "0", "0", True),
    ]
    share, hourly, _ = checks_of(report())
    assert share.params == {"checked_at": LOOKED_AT, "tier": "TIER1", "interval_minutes": [60, 1440]}
    assert (hourly.params["missing"], hourly.params["disputed"]) == (10, 1)


def test_nothing_is_said_of_what_is_not_due_or_has_no_target() -> None:
    nothing = {"expected": 0, "stored": 0, "missing": 0, "disputed": 0}
    unknown = {"tier": "TIER1", "target_pct": 99.9, "verified_pct": None, "is_met": None}
    assert checks_of(report(intervals={"60": nothing}, targets=[unknown])) == []


def test_assets_are_tables_on_their_servers_and_name_no_login(
    servers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del servers
    ledger = "postgres://ledger.example:6432"
    assert table_of(CANDLES.uri) == ("questdb://candles.example:8812", "ohlcv")
    assert table_of(COMPLETENESS.uri) == (ledger, "ohlcv.public.completeness_reports")
    assert table_of(VERIFIED.uri) == (ledger, "ohlcv.public.verified_days")
    set_connection(
        monkeypatch, "questdb_default", conn_type="questdb", host=f"ohlcv:{SECRET}@candles.example"
    )
    assert table_of(CANDLES.uri).namespace == "questdb://candles.example:8812"
    set_connection(monkeypatch, "questdb_default", conn_type="questdb", host="fd00::17")
    assert table_of(CANDLES.uri).namespace == "questdb://[fd00::17]:8812"
    set_connection(
        monkeypatch, "ohlcv_postgres", conn_type="postgres", schema="ohlcv", extra={"host": "/run/pg"}
    )
    assert table_of(VERIFIED.uri).namespace == "postgres://localhost:5432"  # by a unix socket


def test_airflow_is_told_who_converts_each_of_the_assets() -> None:
    (uris,) = get_provider_info()["asset-uris"]
    assert {asset.uri.partition(":")[0] for asset in (CANDLES, COMPLETENESS, VERIFIED)} == set(
        uris["schemes"]
    )
    assert uris["to_openlineage_converter"] == f"{asset_as_dataset.__module__}.{asset_as_dataset.__name__}"


def test_without_the_provider_or_a_transport_nobody_hears_of_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        send_lineage(report())
    assert caplog.records == []


def test_a_provider_that_does_not_work_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(PROVIDER)]:
        monkeypatch.delitem(sys.modules, name)
    package = tmp_path / "providers" / "openlineage"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('half an installation')\n")
    monkeypatch.setattr(airflow, "__path__", [str(tmp_path), *airflow.__path__])
    send_lineage(report())
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "no lineage of this report: RuntimeError: half an installation")
    ]


def test_the_client_writes_assertions_about_the_candle_table(servers: None) -> None:
    serde = pytest.importorskip(
        "openlineage.client.serde", reason="openlineage-python is not installed"
    ).Serde
    del servers
    written = serde.to_dict(judged_candles(report()))
    assert (written["namespace"], written["name"]) == ("questdb://candles.example:8812", "ohlcv")
    share, hourly, daily = written["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (share["assertion"], share["success"], share["severity"]) == ("verified_pct", False, "warn")
    assert (hourly["expected"], hourly["actual"], daily["success"]) == ("0", "11", True)
    assert SECRET not in serde.to_json(judged_candles(report()))
    assert serde.to_dict(asset_as_dataset(CANDLES, None)) == {
        "namespace": written["namespace"],
        "name": written["name"],
        "facets": {},
    }
    assert serde.to_dict(judged_candles(report(intervals={}, targets=[])))["inputFacets"] == {}
