"""What no run may be asked for, whatever its params allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kraken_ohlcv.core.assets import NOT_SUPPORTED, is_tokenised
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.schedules import BACKFILL_TIER1


def refuse_backfill_run(run_type: str, dag_id: str) -> None:
    """Refuse a run of Airflow's own *Backfill*; Airflow does, too, unless somebody has changed the DAG.

    :param run_type: what started the run, as Airflow calls it
    :param dag_id: the run's DAG
    :raises BadRequestError: says what to use instead
    """
    if run_type == "backfill":
        raise BadRequestError(
            f"a run of Airflow's Backfill is refused: every run of {dag_id} is about now, whatever its date; "
            f"to repair past days, trigger {BACKFILL_TIER1.dag_id} with tickers and repair_range, such as "
            '{"tickers": ["XBTUSD"], "repair_range": {"start": "2026-11-03", "end": "2026-11-06"}}'
        )


def refuse_tokenised(tickers: Iterable[str] | None) -> None:
    """Refuse a run for assets that this package cannot ask for.

    :param tickers: the tickers that a run names, or None
    :raises BadRequestError: names the first tokenised one
    """
    for ticker in tickers or ():
        if is_tokenised(ticker):
            raise BadRequestError(f"ticker {ticker!r}: {NOT_SUPPORTED}; take it out of tickers")


def known_keys(params: Iterable[str]) -> list[str]:
    """Return the conf keys that a run may have: the params of its DAG, and what the trigger form hides.

    :param params: names of the DAG's params
    """
    names = set(params)
    return sorted(names | {"repair_range"} if "repair_start" in names else names)


def refuse_unknown_keys(conf: Mapping[str, Any] | None, known: Iterable[str]) -> None:
    """Refuse a run whose conf names what the DAG does not know; Airflow itself passes such keys silently.

    :param conf: ``dag_run.conf``
    :param known: names of the DAG's params
    :raises BadRequestError: names the unknown key and the known ones
    """
    names = sorted(known)
    for key in conf or {}:
        if key not in names:
            raise BadRequestError(f"conf key {key!r} is unknown; this DAG knows {', '.join(names)}")
