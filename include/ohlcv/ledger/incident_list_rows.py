"""Tables ``incidents`` and ``incident_messages`` as people look at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from include.ohlcv.ledger.session import fetch

if TYPE_CHECKING:
    from include.ohlcv.ledger.session import Connection

PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message about an incident; times in epoch seconds UTC.

    :ivar kind: ``opened``, ``grew`` or ``recovered``
    :ivar created_s: when it was put into the outbox
    :ivar sent_s: when it was sent, or None
    :ivar dropped_s: when it was given up or told with another one, or None
    :ivar via: ``webhook`` or ``api``, or None
    :ivar tries: attempts, >= 0
    :ivar error: what the last attempt said, or None
    """

    kind: str
    created_s: int
    sent_s: int | None
    dropped_s: int | None
    via: str | None
    tries: int
    error: str | None


@dataclass(frozen=True, slots=True)
class ListedIncident:
    """An incident, open or past; times in epoch seconds UTC.

    :ivar incident_id: primary key
    :ivar key: ``stale``, ``source``, ``at_risk``, ``run:<dag_id>`` or ``pair:<ticker>``
    :ivar incident_class: ``stale``, ``source``, ``at_risk``, ``run`` or ``pair``
    :ivar headline: what is wrong, one sentence
    :ivar since_s: since when it is wrong
    :ivar subjects: what it concerns, with facts
    :ivar tried: what was tried against it, or None
    :ivar url: the run that saw it, or None
    :ivar opened_s: when it was opened
    :ivar updated_s: when a check looked last
    :ivar recovered_s: when it ended, or None
    :ivar growths: messages about its growth
    :ivar snoozed_until_s: no growth is told before, or None
    :ivar snoozed_by: who asked for that, or None
    :ivar warning: what went wrong in telling it, or None
    :ivar messages: about it, oldest first
    """

    incident_id: int
    key: str
    incident_class: str
    headline: str
    since_s: int
    subjects: dict[str, dict[str, Any]]
    tried: str | None
    url: str | None
    opened_s: int
    updated_s: int
    recovered_s: int | None
    growths: int
    snoozed_until_s: int | None
    snoozed_by: str | None
    warning: str | None
    messages: list[ListedMessage] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.recovered_s is None


def tally_incidents(connection: Connection) -> tuple[int, int]:
    """Return how many incidents are open and how many are past.

    :param connection: the ledger
    """
    (row,) = fetch(connection, "tally_incidents")
    return row["n_open"], row["n_past"]


def list_incidents(connection: Connection, *, page: int) -> list[ListedIncident]:
    """Return one page of incidents with their messages.

    :param connection: the ledger
    :param page: from 1; a page of :data:`PAGE_SIZE` incidents
    :return: open ones first, then the newest
    """
    incidents = [
        ListedIncident(**row)
        for row in fetch(
            connection, "list_incidents", page_size=PAGE_SIZE, page_offset=(page - 1) * PAGE_SIZE
        )
    ]
    by_id = {incident.incident_id: incident for incident in incidents}
    for row in fetch(connection, "list_incident_messages", incident_ids=list(by_id)):
        by_id[row.pop("incident_id")].messages.append(ListedMessage(**row))
    return incidents
