"""The steps of the hourly check without Airflow, and what it has people told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.freshness import OVERDUE
from kraken_ohlcv.monitoring.catch_up import catch_up
from kraken_ohlcv.monitoring.validate import ask_state, check, observe_check
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.monitoring.catch_up import CatchUp
    from tests.integration.world import World


def hourly_check(world: World, tiers: Sequence[str] = ("TIER1",)) -> tuple[dict[str, Any], list[CatchUp]]:
    """Do what the validation DAG does; return its result and the runs it would start."""
    with connect(world.dsn) as connection:
        state = ask_state(connection, world.kraken(), tiers, world.worker_now)
        newest = dict(
            world.questdb.query(
                "SELECT ticker, ts::long / 1000000L FROM ohlcv WHERE interval = '1440'"
                " LATEST ON ts PARTITION BY ticker"
            )
        )
        checked = check(connection, newest, tiers, interval_minutes=1440, hours=24, now_s=state.now_s)
        observe_check(connection, state, checked, url=None)
        chosen = catch_up(
            connection,
            checked.tickers(*OVERDUE),
            is_online=state.problem() is None,
            is_under_way=lambda _dag, _run: False,
            now_s=state.now_s,
            url=None,
        )
    return checked.result(state), chosen


def messages(world: World) -> list[tuple[str, str]]:
    """Return key and kind of every message that people should have got."""
    rows = world.rows(
        "SELECT key, growths, recovered_at IS NOT NULL AS is_over FROM incidents ORDER BY incident_id"
    )
    return [
        (row["key"], kind)
        for row in rows
        for kind in ("opened", *["grew"] * row["growths"], *["recovered"] * row["is_over"])
    ]
