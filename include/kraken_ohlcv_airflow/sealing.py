"""The task that seals days that are due and those that have changed, and verifies a part of the others."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import get_current_context, task

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.times import midnight_s
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.monitoring.seals import observe_seals
from kraken_ohlcv.stores.ledger.disagreements import Disagreement, keep_disagreements, read_disagreements
from kraken_ohlcv_airflow.connections import ledger, questdb, run_key, run_url
from kraken_ohlcv_airflow.step_errors import recording_errors
from kraken_ohlcv_airflow.witnesses import vouch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.reader.stores import Stores
    from kraken_ohlcv.seals.sealing import AcceptedDays, Sealed

log = logging.getLogger(__name__)

BUDGET_S: Final = 1200.0
"""How long a run seals history; what is left, older days, follows with the next run."""


@task(multiple_outputs=False)
def seal(asked: Any) -> dict[str, Any]:
    """Seal the days of all series that are due, and once more those that have changed; verify some others.

    :param asked: what task ``ask_exchange`` returned
    """
    # Arrays are slow to import, and every task instance imports this file.
    from kraken_ohlcv.reader.stores import stores_of  # noqa: PLC0415
    from kraken_ohlcv.seals import sealing  # noqa: PLC0415

    now_s: int = asked["now_s"]
    with recording_errors(), ledger() as connection:
        with stores_of(questdb(), connection, now_s=now_s) as stores:
            open_before = read_disagreements(connection)
            budget_until_s = time.monotonic() + BUDGET_S
            done = sealing.seal(
                stores, now_s=now_s, accepted=_accepted(), is_over=lambda: time.monotonic() > budget_until_s
            )
            vouch(connection, done.head)
            of_log = _verify(stores, done, open_before, now_s=now_s)
        observe_seals(
            connection,
            done.disagreements,
            now_s=int(time.time()),
            url=run_url(run_key(get_current_context())),
            of_log=of_log,
        )
    said = done.as_json()
    reasons = ", ".join(f"{n} {reason}" for reason, n in said["revisions"].items())
    log.info(
        "sealed %s and %s%s; the log's head is %d %s",
        counted(done.days, "day"),
        counted(done.n_revisions, "revision"),
        f" ({reasons})" if reasons else "",
        done.head.number,
        done.head.hash,
    )
    if done.left:
        log.info("%s of history are left to the next run", counted(done.left, "day"))
    return said


def _verify(stores: Stores, done: Sealed, open_before: Sequence[Disagreement], *, now_s: int) -> list[str]:
    """Verify the part of the history whose turn it is; what differs is added to the open disagreements.

    :param open_before: disagreements before the sealing, which ends those whose day has its root again
    :return: what is wrong with the log itself
    """
    from kraken_ohlcv.seals.rotation import verify_turn  # noqa: PLC0415

    params: Any = get_current_context()["params"]
    every_days = ReportRequest.from_params(params).verify_history_days
    if not every_days:
        return []
    turn = verify_turn(stores, now_s=now_s, every_days=every_days, also=open_before)
    log.info(
        "verified %s of %s; whole history every %s",
        f"{turn.days:,}",
        counted(turn.of, "sealed day"),
        counted(every_days, "day"),
    )
    for said in (*turn.of_log, *(one.said for one in turn.disagreements)):
        log.error("%s", said)
    known = {(one.series, one.day_s) for one in done.disagreements}
    # What the sealing has found itself says more of it.
    found = [one for one in turn.disagreements if (one.series, one.day_s) not in known]
    keep_disagreements(stores.ledger, found)
    done.disagreements = read_disagreements(stores.ledger)
    return turn.of_log


def _accepted() -> list[AcceptedDays]:
    """Return what the run was asked to accept."""
    from kraken_ohlcv.seals.sealing import AcceptedDays  # noqa: PLC0415

    context: Any = get_current_context()
    by = context["dag_run"].triggering_user_name or f"run {context['run_id']}"
    return [
        AcceptedDays(
            Series(one.ticker, one.interval),
            midnight_s(one.start),
            midnight_s(one.end),
            f"{by}: {one.reason}",
        )
        for one in ReportRequest.from_params(context["params"]).accept_changed_days or ()
    ]
