"""``config check``: the plan of what is kept, and the two stores, each with what is wrong and its cure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from kraken_ohlcv.clients.errors import QuestDBError
from kraken_ohlcv.core.assets import catalogue_file
from kraken_ohlcv.core.errors import CatalogueError, SetUpError
from kraken_ohlcv.core.plan_file import PlanFile, read_plan_file
from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.reader.stores import LedgerUnavailableError
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import Connection, column
from kraken_ohlcv.stores.surroundings import server_findings, table_findings
from kraken_ohlcv_cli.output import print_lines
from kraken_ohlcv_cli.stores import opened, urls

PLAN: Final = "plan"
LEDGER: Final = "ledger"
CANDLES: Final = "candles"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    :ivar about: ``plan``, ``ledger``, ``candles``, or ``stores`` for both
    :ivar is_good: whether nothing is wrong
    :ivar said: what was found, a sentence; with its cure where something is wrong
    """

    about: str
    is_good: bool
    said: str


def check_plan(file: Path | None) -> list[Check]:
    """Read the plan of what is kept.

    :param file: YAML file; None = the one in use
    """
    try:
        file = file or catalogue_file()
        plan = read_plan_file(file)
    except CatalogueError as error:
        return [Check(PLAN, False, str(error))]
    wrong = [Check(PLAN, False, problem.said) for problem in plan.catalogue.problems]
    return wrong or [Check(PLAN, True, f"{file}: {_plan_said(plan)}")]


def check_stores(candles_url: str | None, ledger_url: str | None) -> list[Check]:
    """Open both stores as every command does, and look at what they hold and at QuestDB's settings.

    :param candles_url: None = ``OHLCV_CANDLES_URL``
    :param ledger_url: None = ``OHLCV_LEDGER_URL``
    :return: without a URL of either, that they were not checked
    """
    if not any(urls(candles_url, ledger_url)):
        return [Check("stores", True, f"not checked: neither {CANDLES_URL_ENV} nor {LEDGER_URL_ENV} is set")]
    try:
        with opened(candles_url, ledger_url) as stores:
            findings = server_findings(stores.questdb, is_writer=False) + table_findings(stores.questdb)
            ledger = Check(LEDGER, True, _ledger_said(stores.ledger))
    except QuestDBError as error:
        return [Check(CANDLES, False, str(error))]
    except (SetUpError, LedgerUnavailableError, psycopg.Error) as error:
        said = " ".join(str(error).split())
        return [Check(CANDLES if CANDLES_URL_ENV in said else LEDGER, False, said)]
    good = Check(CANDLES, True, "the table and the server's settings are as they must be")
    return [ledger, *([Check(CANDLES, False, str(one)) for one in findings] or [good])]


def as_json(checks: Sequence[Check]) -> dict[str, Any]:
    """Return checks as JSON."""
    return {"is_good": is_good(checks), "checks": [asdict(one) for one in checks]}


def is_good(checks: Iterable[Check]) -> bool:
    """Return whether every check is good."""
    return all(one.is_good for one in checks)


def show(checks: Sequence[Check]) -> None:
    """Print checks for people."""
    print_lines(f"{'good ' if one.is_good else 'WRONG'} {one.about:<8} {one.said}" for one in checks)


def _ledger_said(connection: Connection) -> str:
    exchange = next(iter(column(connection, "read_exchange")), None)
    assets = read_assets(connection, tickers=None, tier="ALL")
    whose = f"belongs to {exchange}" if exchange else "no run has used it yet"
    return f"readable; {whose}; {counted(len(assets), 'active asset')}"


def _plan_said(plan: PlanFile) -> str:
    return "; ".join(_tiers_said(plan))


def _tiers_said(plan: PlanFile) -> Iterator[str]:
    entries = plan.catalogue.entries
    yield counted(len(entries), "asset")
    if plan.rules:
        yield counted(len(plan.rules), "rule")
    for tier, one in plan.tiers.items():
        if one.schedule is not None:
            yield f"{tier} {', '.join(map(str, one.intervals))} at {one.schedule}"
