"""Makes the channel show what it should: compares each incident with what is shown of it, and posts or edits.

Nothing is queued. Whatever goes wrong, the difference is still there, and the next delivery sees it.

* One notifier at a time. A second one leaves the work to the first, which compares once more after
  it has ceased to be the notifier, so nothing is overlooked.
* A post is noted as attempted, and that is committed, before it goes out. Refused for certain, it counts as
  not attempted. When no answer comes back it may stand in the channel: the next delivery sends it again, and
  says that it may be a repeat; if that answer is lost, too, it is sent twice an hour at most. An edit that is
  done twice is the same edit.
* What cannot be shown of one incident holds up none of the others: those that failed least come first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from psycopg.pq import TransactionStatus

from kraken_ohlcv.core.errors import (
    DeliveryError,
    SlackError,
    SlackMessageGoneError,
    SlackRefusedError,
)
from kraken_ohlcv.core.incident import MessageKind
from kraken_ohlcv.core.settings import SLACK_API_CONN_ID, SLACK_WEBHOOK_CONN_ID
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.monitoring.channel import Channel
from kraken_ohlcv.monitoring.messages import compose
from kraken_ohlcv.monitoring.mrkdwn import Content
from kraken_ohlcv.stores.ledger.notifications import (
    MessageRef,
    Notification,
    read_notifications,
    save_shown,
    sole_notifier,
)
from kraken_ohlcv.stores.ledger.session import Connection

log = logging.getLogger(__name__)

MAX_WAIT_S: Final = 60.0
"""How long one delivery waits in all when Slack asks to be left alone for a while, seconds."""
MIN_WAIT_S: Final = 1.0
"""A wait is at least so long, seconds."""
MAX_WAITS: Final = 5
"""How often one delivery waits: a Slack that asks for less than it means is not asked sixty times."""
RESEND_PAUSE_S: Final = 1800
"""A message sent again in vain waits this long, seconds: each time it may stand in the channel once more."""
MAX_UNCONFIRMED: Final = 2
"""Posts of a kind in vain after which that pause begins."""
MAX_FAILURES_IN_A_ROW: Final = 2
"""After so many, Slack and not the message is to blame; the rest waits for the next delivery."""
EDIT_TRIES: Final = 3
"""A message whose edit Slack has refused so often is left as it stands; what happens next is posted anew."""

NOWHERE: Final[dict[str, Any]] = {"channel": None, "ts": None, "shown_digest": None, "is_repeat": False}
"""No message can be edited."""

NO_CHANNEL: Final = (
    f"nobody was notified: there is neither a connection {SLACK_API_CONN_ID} nor {SLACK_WEBHOOK_CONN_ID}"
    " (docs/ALERTS.md says how to make one)"
)


@dataclass(slots=True)
class Delivery:
    """What a delivery did.

    :ivar sent: incidents of whose opening, growth or end people were notified
    :ivar edited: messages brought up to date without notifying anybody
    :ivar dropped: incidents that are not shown because there is no connection
    """

    sent: int = 0
    edited: int = 0
    dropped: int = 0


def deliver(
    connection: Connection,
    channel: Channel | None,
    *,
    now_s: int,
    sleep: Callable[[float], None] = time.sleep,
    max_wait_s: float = MAX_WAIT_S,
) -> Delivery:
    """Make the channel show what has become of the incidents.

    :param connection: the ledger, in autocommit and outside of a transaction
    :param channel: where to, or None when no connection is configured: then a warning stands in the log and
        on the incidents, and nobody ever hears of those that are over
    :param sleep: how to wait, seconds
    :param max_wait_s: how long to wait in all when Slack asks for it, seconds, >= 0
    :return: what was done
    :raises DeliveryError: if something could not be shown; the next delivery tries again
    :raises ValueError: if the connection is inside a transaction
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise ValueError(
            "messages are delivered outside of a transaction: each step must be committed at once"
        )
    if channel is None:
        return _drop(connection)
    notifier = _Notifier(connection, channel, now_s, sleep, wait_left_s=max_wait_s)
    # Compared without the lock: a notifier that found this one at work has left its work to it.
    while any(notifier.differences()):
        with sole_notifier(connection) as is_mine:
            if not is_mine:
                break
            notifier.work()
    if notifier.failures:
        n_waiting = sum(one.kind is not None for one in read_notifications(connection))
        raise DeliveryError(f"{'; '.join(notifier.failures)} ({counted(n_waiting, 'message')} waiting)")
    return notifier.done


def _drop(connection: Connection) -> Delivery:
    n_dropped = 0
    with sole_notifier(connection) as is_mine:
        for one in read_notifications(connection) if is_mine else ():
            # What lasts is reported once there is a connection.
            stage = one.shown.shown_stage if one.recovered_s is None else one.stage
            if one.kind is not None and (one.shown.warning, one.shown.shown_stage) != (NO_CHANNEL, stage):
                save_shown(connection, one, shown_stage=stage, warning=NO_CHANNEL)
                n_dropped += 1
    if n_dropped:
        log.warning("%s not sent: %s", counted(n_dropped, "message"), NO_CHANNEL)
    return Delivery(dropped=n_dropped)


@dataclass(slots=True)
class _Notifier:
    connection: Connection
    channel: Channel
    now_s: int
    sleep: Callable[[float], None]
    wait_left_s: float
    waits_left: int = MAX_WAITS
    failed_in_a_row: int = 0
    done: Delivery = field(default_factory=Delivery)
    failures: list[str] = field(default_factory=list)
    tried: set[tuple[int, int, str]] = field(default_factory=set)

    def differences(self) -> Iterator[tuple[Notification, Content]]:
        """Give the incidents that are not shown as they should be, with what their message should say."""
        for one in read_notifications(self.connection):
            if self.failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
                return
            content = _content(one, may_be_repeat=one.shown.is_repeat)
            is_outdated = one.shown.message is not None and content.digest != one.shown.shown_digest
            if (is_outdated or self._to_post(one)) and _state(one, content) not in self.tried:
                yield one, content

    def work(self) -> None:
        for one, content in self.differences():
            self.tried.add(_state(one, content))
            self._try(one, content)

    def _try(self, one: Notification, content: Content) -> None:
        kind, about = one.kind, f"{one.incident.problem.key} {one.kind or 'edit'}"
        while True:
            try:
                self._show(one, content)
            except SlackError as failure:
                if self._waits(failure.retry_after_s):
                    continue
                if failure.retry_after_s is not None:
                    self.failed_in_a_row = MAX_FAILURES_IN_A_ROW
                elif not failure.is_about_message:
                    self.failed_in_a_row += 1
                save_shown(self.connection, one, tries=one.shown.tries + 1, warning=str(failure))
                self.failures.append(f"{about}: {failure}")
            else:
                self.failed_in_a_row = 0
                is_news = kind is not None and one.kind is None
                self.done.sent += is_news
                self.done.edited += not is_news and one.shown.shown_digest == content.digest
                log.info("shown: %s", about)
            return

    def _show(self, one: Notification, content: Content) -> None:
        kind, message = self._to_post(one), one.shown.message
        if message is not None:
            try:
                if kind is not None:
                    self._post(one, kind, message)
                if content.digest != one.shown.shown_digest:
                    self.channel.edit(message, content)
                    stage = one.shown.shown_stage if one.recovered_s is None else one.stage
                    self._succeed(one, shown_stage=stage, shown_digest=content.digest)
            except SlackRefusedError as refusal:
                if not _is_final(refusal, one.shown.tries + 1):
                    raise
                log.warning("%s; the next message about it is a new one", refusal)
                save_shown(self.connection, one, **NOWHERE, tries=0, warning=str(refusal))
                kind = self._to_post(one)
        if one.shown.message is None and kind is not None:
            self._post(one, kind, None)

    def _to_post(self, one: Notification) -> MessageKind | None:
        """Return what people have to be notified of by a post, now; an end is edited where it can be."""
        kind, shown = one.kind, one.shown
        if kind is None or (kind is MessageKind.RECOVERED and shown.message is not None):
            return None
        is_resent = shown.unconfirmed.count(kind) >= MAX_UNCONFIRMED
        return None if is_resent and 0 <= self.now_s - (shown.attempted_s or 0) < RESEND_PAUSE_S else kind

    def _post(self, one: Notification, kind: MessageKind, thread: MessageRef | None) -> None:
        before = one.shown
        may_be_repeat = kind in before.unconfirmed
        content = _content(one, kind, may_be_repeat=may_be_repeat)
        again = [kind] if before.unconfirmed.count(kind) < MAX_UNCONFIRMED else []
        save_shown(self.connection, one, attempted_s=self.now_s, unconfirmed=[*before.unconfirmed, *again])
        try:
            message = self._send(content, thread)
        except SlackRefusedError:
            save_shown(self.connection, one, **before._asdict())
            raise
        if thread is not None:
            self._succeed(one, shown_stage=one.stage)
            return
        where = NOWHERE
        if message is not None:
            shows = _content(one, may_be_repeat=may_be_repeat)
            where = {**message._asdict(), "shown_digest": shows.digest, "is_repeat": may_be_repeat}
        self._succeed(one, shown_stage=one.stage, **where)

    def _send(self, content: Content, thread: MessageRef | None) -> MessageRef | None:
        """Post a message; where its layout is refused, its text alone, which says all the same."""
        try:
            return self.channel.post(content, thread)
        except SlackRefusedError as refusal:
            if not refusal.is_about_blocks:
                raise
            log.warning("%s; its text is sent alone", refusal)
        return self.channel.post(replace(content, blocks=[]), thread)

    def _succeed(self, one: Notification, **changes: object) -> None:
        settled: dict[str, Any] = {"attempted_s": None, "unconfirmed": [], "tries": 0, "warning": None}
        save_shown(self.connection, one, **changes, **settled, shown_s=self.now_s)

    def _waits(self, seconds: float | None) -> bool:
        if seconds is None or not self.waits_left or (pause_s := max(seconds, MIN_WAIT_S)) > self.wait_left_s:
            return False
        log.info("Slack asks for a pause of %s s", seconds)
        self.waits_left -= 1
        self.wait_left_s -= pause_s
        self.sleep(pause_s)
        return True


def _state(one: Notification, content: Content) -> tuple[int, int, str]:
    return one.incident_id, one.stage, content.digest


def _is_final(refusal: SlackRefusedError, tries: int) -> bool:
    """Whether a message cannot be edited, or answered, any more."""
    return isinstance(refusal, SlackMessageGoneError) or (refusal.is_about_message and tries >= EDIT_TRIES)


def _content(one: Notification, kind: MessageKind | None = None, *, may_be_repeat: bool) -> Content:
    """Return a message about an incident; of no kind, what the message says that stands for it."""
    is_over = one.recovered_s is not None
    # An end is edited into that message, and an edit done twice is no repeat.
    is_repeat = may_be_repeat and (kind is not None or not is_over)
    return compose(
        one.incident,
        kind or (MessageKind.RECOVERED if is_over else MessageKind.OPENED),
        as_of_s=one.updated_s if one.recovered_s is None else one.recovered_s,
        may_be_repeat=is_repeat,
        is_known=one.is_known,
    )
