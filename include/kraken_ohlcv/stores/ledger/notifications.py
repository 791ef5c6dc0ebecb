"""Table ``incidents`` as the notifier sees it: what is shown of each, and what should be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from kraken_ohlcv.core.incident import Incident, MessageKind, news, stage_of
from kraken_ohlcv.stores.ledger.incidents import incident_of
from kraken_ohlcv.stores.ledger.session import Connection, execute, rows, value

NOTIFIER_LOCK: Final = 0x4F484C434F55
"""Advisory lock of the one notifier."""


class MessageRef(NamedTuple):
    """Where a message stands that can be edited.

    :ivar channel: id of the channel
    :ivar ts: Slack's name of the message there
    """

    channel: str
    ts: str


class Shown(NamedTuple):
    """What is shown of an incident, and what was tried to show more; named like the columns.

    :ivar shown_stage: the stage of the incident that people were notified of, >= 0; see
        :func:`kraken_ohlcv.core.incident.stage_of`
    :ivar shown_digest: of what the message at ``message`` shows, or None
    :ivar shown_s: when the channel last changed, epoch seconds UTC, or None
    :ivar channel: of the message to edit, or None
    :ivar ts: of the message to edit, or None
    :ivar is_repeat: whether that message says that it may be a repeat
    :ivar attempted_s: when a message was last sent that may or may not have arrived, or None
    :ivar unconfirmed: kinds of those messages, each at most twice
    :ivar tries: failures since the last success, >= 0
    :ivar warning: what the last one said, or None
    """

    shown_stage: int
    shown_digest: str | None
    shown_s: int | None
    channel: str | None
    ts: str | None
    is_repeat: bool
    attempted_s: int | None
    unconfirmed: list[str]
    tries: int
    warning: str | None

    @property
    def message(self) -> MessageRef | None:
        """The message to edit, or None."""
        return None if self.channel is None or self.ts is None else MessageRef(self.channel, self.ts)


@dataclass(slots=True)
class Notification:
    """An incident and what is shown of it.

    :ivar incident_id: its primary key
    :ivar incident: as it stands
    :ivar updated_s: when it was last looked at, epoch seconds UTC
    :ivar recovered_s: when it was over, epoch seconds UTC, or None while it lasts
    :ivar shown: what is shown
    """

    incident_id: int
    incident: Incident
    updated_s: int
    recovered_s: int | None
    shown: Shown

    @property
    def stage(self) -> int:
        """The stage that the incident has reached."""
        return stage_of(self.incident.growths, is_over=self.recovered_s is not None)

    @property
    def kind(self) -> MessageKind | None:
        """What people have to be notified of, or None."""
        return news(self.shown.shown_stage, self.incident.growths, is_over=self.recovered_s is not None)

    @property
    def is_known(self) -> bool:
        """Whether anything but its end may have been heard."""
        return self.shown.shown_stage > 0 or bool({*self.shown.unconfirmed} - {MessageKind.RECOVERED})


@contextmanager
def sole_notifier(connection: Connection) -> Iterator[bool]:
    """Become the one that changes the channel, unless somebody else is.

    :param connection: the ledger, in autocommit
    :return: context manager of whether this session is the notifier now
    """
    is_mine = value(connection, "try_notifier_lock", lock=NOTIFIER_LOCK)
    try:
        yield is_mine
    finally:
        if is_mine and not connection.closed:
            execute(connection, "free_notifier_lock", lock=NOTIFIER_LOCK)


def read_notifications(connection: Connection) -> list[Notification]:
    """Return the incidents whose message in the channel may have to change.

    :return: those that failed least first, then those whose news waits longest
    """
    return rows(connection, "read_notifications", _notification)


def _notification(incident_id: int, updated_s: int, recovered_s: int | None, **row: Any) -> Notification:
    shown = Shown(**{name: row.pop(name) for name in Shown._fields})
    return Notification(incident_id, incident_of(**row), updated_s, recovered_s, shown)


def save_shown(connection: Connection, one: Notification, **changes: Any) -> None:
    """Record what is shown of an incident, and what was tried; only the one notifier may.

    :param connection: the ledger, in autocommit: what follows may not be recorded
    :param one: the incident; its ``shown`` is brought up to date
    :param changes: fields of :class:`Shown`
    """
    one.shown = one.shown._replace(**changes)
    execute(connection, "save_shown", one, one.shown)
