"""Sealed days that changed without a record: an incident, until they are as sealed or accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.disagreements import Disagreement
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import Connection

OF_LOG: Final = "the log of seals"
"""Subject of what is wrong with the log itself."""


def seal_problem(found: Sequence[Disagreement], *, now_s: int, of_log: Sequence[str] = ()) -> Problem | None:
    """Return what is wrong with sealed days, and with the log of seals.

    :param found: all that are open, by series and day
    :param now_s: epoch seconds UTC
    :param of_log: what is wrong with the log itself, a clause each
    :return: None when nothing is; its subjects are the series, such as ``XBTUSD 60``, their facts ``days``
        (how many), ``first_day`` (ISO) and ``said`` (of its first bucket that differs); and :data:`OF_LOG`
        with ``said``
    """
    if not found and not of_log:
        return None
    by_series: dict[str, list[Disagreement]] = {}
    for one in found:
        by_series.setdefault(str(one.series), []).append(one)
    subjects: dict[str, dict[str, Any]] = {
        series: {
            "days": len(those),
            "first_day": utc(those[0].day_s).date().isoformat(),
            "said": those[0].said,
        }
        for series, those in by_series.items()
    }
    since_s = min((now_s if one.found_s is None else one.found_s for one in found), default=now_s)
    headline = f"{counted(len(found), 'sealed day')} changed, and no record of a write explains it"
    if of_log:
        subjects[OF_LOG] = {"said": of_log[0]}
        headline = headline if found else "the log of seals is not as it was written"
    return Problem(IncidentClass.SEAL, headline, since_s, subjects)


def observe_seals(
    connection: Connection,
    found: Sequence[Disagreement],
    *,
    now_s: int,
    url: str | None,
    of_log: Sequence[str] = (),
) -> None:
    """Open, update or end the incident of sealed days that have changed.

    :param found: all that are open
    :param now_s: epoch seconds UTC
    :param of_log: what is wrong with the log itself, a clause each
    :param url: of the run that looked, or None
    """
    observe(
        connection,
        {IncidentClass.SEAL: seal_problem(found, now_s=now_s, of_log=of_log)},
        now_s=now_s,
        url=url,
    )
