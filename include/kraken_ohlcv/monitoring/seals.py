"""Sealed days that changed without a record: an incident, until they are as sealed or accepted."""

from __future__ import annotations

from collections.abc import Sequence

from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.disagreements import Disagreement
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import Connection


def seal_problem(found: Sequence[Disagreement], *, now_s: int) -> Problem | None:
    """Return what is wrong with sealed days.

    :param found: all that are open, by series and day
    :param now_s: epoch seconds UTC
    :return: None when nothing is; its subjects are the series, such as ``XBTUSD 60``, their facts ``days``
        (how many), ``first_day`` (ISO) and ``said`` (of its first bucket that differs)
    """
    if not found:
        return None
    by_series: dict[str, list[Disagreement]] = {}
    for one in found:
        by_series.setdefault(str(one.series), []).append(one)
    subjects = {
        series: {
            "days": len(those),
            "first_day": utc(those[0].day_s).date().isoformat(),
            "said": those[0].said,
        }
        for series, those in by_series.items()
    }
    since_s = min(now_s if one.found_s is None else one.found_s for one in found)
    headline = f"{counted(len(found), 'sealed day')} changed, and no record of a write explains it"
    return Problem(IncidentClass.SEAL, headline, since_s, subjects)


def observe_seals(
    connection: Connection, found: Sequence[Disagreement], *, now_s: int, url: str | None
) -> None:
    """Open, update or end the incident of sealed days that have changed.

    :param found: all that are open
    :param now_s: epoch seconds UTC
    :param url: of the run that looked, or None
    """
    observe(connection, {IncidentClass.SEAL: seal_problem(found, now_s=now_s)}, now_s=now_s, url=url)
