"""Table ``incident_messages`` as an outbox: what waits, and what became of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from include.ohlcv.incidents import MessageKind
from include.ohlcv.ledger.incident_rows import incident_of
from include.ohlcv.ledger.session import Connection, Row, execute, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from include.ohlcv.incidents import Incident

OUTBOX_LOCK: Final = 0x4F484C434F55
"""Advisory lock of the one sender."""


class Waiting(NamedTuple):
    """A message that waits in the outbox.

    :ivar message_id: its primary key
    :ivar incident_id: what it is about
    :ivar kind: why somebody is told
    :ivar attempted_s: when a try was made of which nobody knows how it ended, epoch seconds UTC, or None
    :ivar is_resent: whether there was more than one such try
    """

    message_id: int
    incident_id: int
    kind: MessageKind
    attempted_s: int | None
    is_resent: bool

    @property
    def is_attempted(self) -> bool:
        """Whether it may have arrived."""
        return self.attempted_s is not None


class Anchor(NamedTuple):
    """The newest message about an incident that can be edited.

    :ivar message_id: its primary key
    :ivar channel: id of the channel it stands in
    :ivar ts: Slack's name of it there
    :ivar shown: digest of the state it shows
    :ivar is_resent: whether it was sent although an earlier try may have arrived
    """

    message_id: int
    channel: str
    ts: str
    shown: str | None
    is_resent: bool


class Posted(NamedTuple):
    """Where a message went.

    :ivar via: ``webhook`` or ``api``
    :ivar channel: id of the channel, or None where that is not told
    :ivar ts: Slack's name of the message there, or None when it cannot be edited
    """

    via: str
    channel: str | None
    ts: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """An incident about which there is something to say.

    :ivar incident_id: its primary key
    :ivar incident: as it stands
    :ivar updated_s: when it was last looked at, epoch seconds UTC
    :ivar recovered_s: when it was over, epoch seconds UTC, or None while it lasts
    :ivar was_told: whether anything but its recovery may have been heard
    :ivar anchor: the message to edit, or None
    :ivar waiting: its messages in the outbox, oldest first; n may be 0
    """

    incident_id: int
    incident: Incident
    updated_s: int
    recovered_s: int | None
    was_told: bool
    anchor: Anchor | None
    waiting: tuple[Waiting, ...]


@contextmanager
def sole_sender(connection: Connection) -> Iterator[bool]:
    """Become the one sender of messages, unless somebody else is.

    :param connection: the ledger, in autocommit
    :return: context manager of whether this session is the sender now
    """
    (row,) = fetch(connection, "try_outbox_lock", lock=OUTBOX_LOCK)
    try:
        yield row["is_mine"]
    finally:
        if row["is_mine"] and not connection.closed:
            fetch(connection, "free_outbox_lock", lock=OUTBOX_LOCK)


def read_waiting(connection: Connection) -> list[Waiting]:
    """Return all messages in the outbox.

    :param connection: the ledger
    :return: oldest first
    """
    return [
        Waiting(**row | {"kind": MessageKind(row["kind"])})
        for row in fetch(connection, "read_pending_messages")
    ]


def read_cases(connection: Connection) -> list[Case]:
    """Return all incidents with messages in the outbox, and the open ones with a message that can be edited.

    :param connection: the ledger
    :return: those whose message waits longest first, those without a waiting message last
    """
    by_incident: dict[int, list[Waiting]] = {}
    for message in read_waiting(connection):
        by_incident.setdefault(message.incident_id, []).append(message)
    rows = fetch(connection, "read_told_incidents", incident_ids=list(by_incident))
    cases = {row["incident_id"]: _case(row, tuple(by_incident.get(row["incident_id"], ()))) for row in rows}
    return [cases.pop(one) for one in by_incident if one in cases] + list(cases.values())


def _case(row: Row, waiting: tuple[Waiting, ...]) -> Case:
    anchor = None
    if row["anchor_id"] is not None:
        anchor = Anchor(row["anchor_id"], row["channel"], row["ts"], row["shown"], row["is_resent"])
    return Case(
        incident_id=row["incident_id"],
        incident=incident_of(row),
        updated_s=row["updated_s"],
        recovered_s=row["recovered_s"],
        was_told=row["was_told"],
        anchor=anchor,
        waiting=waiting,
    )


def mark_attempted(connection: Connection, message: Waiting, *, now_s: int) -> None:
    """Note that a message is about to be sent; committed before the call, so that a crash leaves a trace.

    :param connection: the ledger, in autocommit
    :param message: the message
    :param now_s: epoch seconds UTC
    """
    execute(connection, "mark_message_attempted", message_id=message.message_id, now_s=now_s)


def mark_refused(connection: Connection, message: Waiting, error: str) -> None:
    """Note that a message was certainly not taken; it goes on waiting.

    :param connection: the ledger
    :param message: the message, as it stood before this try
    :param error: why
    """
    execute(
        connection,
        "mark_message_refused",
        message_id=message.message_id,
        attempted_s=message.attempted_s,
        is_resent=message.is_resent,
        error=error,
    )


def mark_lost(connection: Connection, message: Waiting, error: str) -> None:
    """Note that nobody knows whether a message arrived; it goes on waiting, to be sent as a repeat.

    :param connection: the ledger
    :param message: the message
    :param error: why
    """
    execute(connection, "mark_message_lost", message_id=message.message_id, error=error)


def mark_sent(
    connection: Connection, case: Case, carrier: Waiting, posted: Posted, *, shown: str, now_s: int
) -> None:
    """Note that all messages waiting about an incident have been told by one of them.

    :param connection: the ledger
    :param case: the incident
    :param carrier: the message that was sent
    :param posted: where it went
    :param shown: digest of the state it shows
    :param now_s: epoch seconds UTC
    """
    others = [one.message_id for one in case.waiting if one is not carrier]
    with connection.transaction():
        execute(
            connection,
            "mark_message_sent",
            message_id=carrier.message_id,
            now_s=now_s,
            **posted._asdict(),
            shown=None if posted.ts is None else shown,
        )
        _drop(connection, others, now_s=now_s, told_with=carrier.message_id, error=None)
        execute(connection, "warn_about_incidents", incident_ids=[case.incident_id], warning=None)


def mark_edited(connection: Connection, anchor: Anchor, *, shown: str, now_s: int) -> None:
    """Note what a message shows since it was edited.

    :param connection: the ledger
    :param anchor: the message
    :param shown: digest of the state it shows
    :param now_s: epoch seconds UTC
    """
    execute(connection, "mark_message_edited", message_id=anchor.message_id, shown=shown, now_s=now_s)


def mark_fixed(connection: Connection, anchor: Anchor, error: str) -> None:
    """Note that a message cannot be edited any more.

    :param connection: the ledger
    :param anchor: the message
    :param error: why
    """
    execute(connection, "mark_message_fixed", message_id=anchor.message_id, error=error)


def drop_untold(connection: Connection, messages: Iterable[Waiting], warning: str, *, now_s: int) -> None:
    """Take messages out of the outbox although nobody was told, and say so on their incidents.

    :param connection: the ledger
    :param messages: the messages
    :param warning: why nobody was told
    :param now_s: epoch seconds UTC
    """
    dropped = list(messages)
    incidents = sorted({message.incident_id for message in dropped})
    with connection.transaction():
        _drop(connection, [one.message_id for one in dropped], now_s=now_s, told_with=None, error=warning)
        execute(connection, "warn_about_incidents", incident_ids=incidents, warning=warning)


def _drop(
    connection: Connection, message_ids: list[int], *, now_s: int, told_with: int | None, error: str | None
) -> None:
    execute(
        connection, "drop_messages", message_ids=message_ids, now_s=now_s, told_with=told_with, error=error
    )
