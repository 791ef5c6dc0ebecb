"""Sends what the outbox holds: nothing is lost, nothing is told twice, and what is told is true now.

* One sender at a time. Whoever finds another one at work leaves the sending to it: it looks once more for new
  messages after it has ceased to be the sender, so none is overlooked.
* A message is noted as attempted, and that is committed, before it goes out. Refused for certain, it waits as
  before. When no answer comes back it may stand in the channel: the next delivery sends it again, and it says
  that it may be a repeat; if that answer is lost, too, it is sent twice an hour at most.
* All messages that wait about one incident are told by one, which says what is true now: the recovery if it
  is over, else the opening if that has not been told, else the growth.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from psycopg.pq import TransactionStatus

from include.ohlcv.alerts.channel import EditingChannel
from include.ohlcv.alerts.texts import compose
from include.ohlcv.alerts.wording import counted
from include.ohlcv.errors import (
    DeliveryError,
    SlackAnswerLostError,
    SlackMessageGoneError,
    SlackRefusedError,
)
from include.ohlcv.incidents import MessageKind
from include.ohlcv.ledger import outbox_rows
from include.ohlcv.ledger.outbox_rows import Anchor, Case, Posted, Waiting
from include.ohlcv.names import SLACK_API_CONN_ID, SLACK_WEBHOOK_CONN_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.ohlcv.alerts.channel import Channel
    from include.ohlcv.alerts.mrkdwn import Content
    from include.ohlcv.ledger.session import Connection

log = logging.getLogger(__name__)

MAX_WAIT_S: Final = 60.0
"""How long one delivery waits in all when Slack asks to be left alone for a while, seconds."""
MIN_WAIT_S: Final = 1.0
"""A wait is at least so long, so that waits for nothing come to an end too, seconds."""
RESEND_PAUSE_S: Final = 1800
"""A message sent again in vain waits this long, seconds: each time it may stand in the channel once more."""
MAX_FAILURES_IN_A_ROW: Final = 2
"""After so many, Slack and not the message is to blame; the rest waits for the next delivery."""

PRECEDENCE: Final = (MessageKind.RECOVERED, MessageKind.OPENED, MessageKind.GREW)
"""Of several messages waiting about an incident, the kind that tells them all."""

NO_CHANNEL: Final = (
    f"nobody was told: there is neither a connection {SLACK_API_CONN_ID} nor {SLACK_WEBHOOK_CONN_ID}"
    " (docs/ALERTS.md says how to make one)"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a delivery did.

    :ivar sent: messages sent; several that waited about one incident count as one
    :ivar edited: messages brought up to date without notifying anybody
    :ivar dropped: messages that nobody will hear because there is no connection
    :ivar held: messages that wait because they may have arrived and have been sent again lately
    :ivar is_elsewhere: whether another sender was at work
    """

    sent: int = 0
    edited: int = 0
    dropped: int = 0
    held: int = 0
    is_elsewhere: bool = False


def deliver(
    connection: Connection,
    channel: Channel | None,
    *,
    now_s: int,
    sleep: Callable[[float], None] = time.sleep,
    max_wait_s: float = MAX_WAIT_S,
) -> Delivery:
    """Send the messages in the outbox, oldest first, and bring the sent ones about open incidents up to date.

    :param connection: the ledger, in autocommit and outside of a transaction
    :param channel: where to, or None when no connection is configured: then the messages are dropped, with a
        warning in the log and on their incidents
    :param now_s: epoch seconds UTC
    :param sleep: how to wait, seconds
    :param max_wait_s: how long to wait in all when Slack asks for it, seconds, >= 0
    :return: what was done
    :raises DeliveryError: if something could not be sent; it waits for the next delivery
    :raises ValueError: if the connection is inside a transaction
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise ValueError(
            "messages are delivered outside of a transaction: each step must be committed at once"
        )
    sender = _Sender(connection, channel, now_s=now_s, sleep=sleep, max_wait_s=max_wait_s)
    while True:
        with outbox_rows.sole_sender(connection) as is_mine:
            if is_mine:
                sender.work()
        # Whoever found this sender at work has left its messages to it: look again.
        if not is_mine or not sender.has_more():
            break
    if sender.failures:
        n_waiting = len(outbox_rows.read_waiting(connection))
        raise DeliveryError(f"{'; '.join(sender.failures)} ({counted(n_waiting, 'message')} waiting)")
    return replace(sender.done, is_elsewhere=not is_mine)


class _Sender:
    def __init__(
        self,
        connection: Connection,
        channel: Channel | None,
        *,
        now_s: int,
        sleep: Callable[[float], None],
        max_wait_s: float,
    ) -> None:
        self.done = Delivery()
        self.failures: list[str] = []
        self._connection = connection
        self._channel = channel
        self._now_s = now_s
        self._sleep = sleep
        self._wait_left_s = max_wait_s
        self._failed_in_a_row = 0
        self._tried: set[int] = set()

    def has_more(self) -> bool:
        if self._has_given_up():
            return False
        return any(one.message_id not in self._tried for one in outbox_rows.read_waiting(self._connection))

    def work(self) -> None:
        if self._channel is None:
            self._drop()
            return
        for case in outbox_rows.read_cases(self._connection):
            if self._has_given_up():
                break
            if not self._tried.issuperset(one.message_id for one in case.waiting):
                self._tell(case, self._channel)
            elif not case.waiting and case.anchor and isinstance(self._channel, EditingChannel):
                self._refresh(case, case.anchor, self._channel)

    def _has_given_up(self) -> bool:
        return self._failed_in_a_row >= MAX_FAILURES_IN_A_ROW

    def _drop(self) -> None:
        waiting = outbox_rows.read_waiting(self._connection)
        if not waiting:
            return
        log.warning("%s not sent: %s", counted(len(waiting), "message"), NO_CHANNEL)
        outbox_rows.drop_untold(self._connection, waiting, NO_CHANNEL, now_s=self._now_s)
        self.done = replace(self.done, dropped=self.done.dropped + len(waiting))

    def _tell(self, case: Case, channel: Channel) -> None:
        self._tried.update(one.message_id for one in case.waiting)
        carrier = min(reversed(case.waiting), key=lambda one: PRECEDENCE.index(one.kind))
        if carrier.is_resent and 0 <= self._now_s - (carrier.attempted_s or 0) < RESEND_PAUSE_S:
            log.warning("%s %s waits: it may have arrived", case.incident.trouble.key, carrier.kind)
            self.done = replace(self.done, held=self.done.held + 1)
            return
        shown = _state(case, is_resent=carrier.is_attempted).digest

        def send() -> None:
            outbox_rows.mark_attempted(self._connection, carrier, now_s=self._now_s)
            posted = self._say(case, carrier, channel)
            outbox_rows.mark_sent(self._connection, case, carrier, posted, shown=shown, now_s=self._now_s)

        about = f"{case.incident.trouble.key} {carrier.kind}"
        if self._try(send, about, carrier=carrier):
            log.info("told: %s", about)
            self.done = replace(self.done, sent=self.done.sent + 1)

    def _say(self, case: Case, carrier: Waiting, channel: Channel) -> Posted:
        content = _content(case, carrier.kind, may_be_repeat=carrier.is_attempted)
        anchor = case.anchor
        if anchor is None or not isinstance(channel, EditingChannel):
            return channel.post(content.text, content.blocks)
        try:
            if carrier.kind is MessageKind.RECOVERED:
                # An edit done twice is the same edit: it is never a repeat.
                self._edit(anchor, _content(case, carrier.kind), channel)
            else:
                self._edit(anchor, _state(case, is_resent=anchor.is_resent), channel)
                channel.reply(anchor.channel, anchor.ts, content.text, content.blocks)
        except SlackMessageGoneError as gone:
            self._give_up_editing(anchor, gone)
            return channel.post(content.text, content.blocks)
        return Posted("api", anchor.channel, None)

    def _refresh(self, case: Case, anchor: Anchor, channel: EditingChannel) -> None:
        state = _state(case, is_resent=anchor.is_resent)
        if state.digest == anchor.shown:
            return

        def edit() -> None:
            try:
                self._edit(anchor, state, channel)
            except SlackMessageGoneError as gone:
                self._give_up_editing(anchor, gone)
            else:
                self.done = replace(self.done, edited=self.done.edited + 1)

        self._try(edit, f"{case.incident.trouble.key} edit")

    def _edit(self, anchor: Anchor, content: Content, channel: EditingChannel) -> None:
        try:
            channel.edit(anchor.channel, anchor.ts, content.text, content.blocks)
        except SlackAnswerLostError as lost:
            # Whether it was done does not matter: doing it again changes nothing.
            raise SlackRefusedError(str(lost)) from None
        outbox_rows.mark_edited(self._connection, anchor, shown=content.digest, now_s=self._now_s)

    def _give_up_editing(self, anchor: Anchor, gone: SlackMessageGoneError) -> None:
        log.warning("%s; the next message about it is a new one", gone)
        outbox_rows.mark_fixed(self._connection, anchor, str(gone))

    def _try(self, action: Callable[[], None], about: str, *, carrier: Waiting | None = None) -> bool:
        while True:
            try:
                action()
            except SlackRefusedError as refusal:
                if carrier is not None:
                    outbox_rows.mark_refused(self._connection, carrier, str(refusal))
                if self._waits(refusal.retry_after_s):
                    continue
                self.failures.append(f"{about}: {refusal}")
                if refusal.retry_after_s is not None:
                    self._failed_in_a_row = MAX_FAILURES_IN_A_ROW
                elif not refusal.is_about_message:
                    self._failed_in_a_row += 1
                return False
            except SlackAnswerLostError as lost:
                if carrier is not None:
                    outbox_rows.mark_lost(self._connection, carrier, str(lost))
                self.failures.append(f"{about}: {lost}")
                self._failed_in_a_row += 1
                return False
            self._failed_in_a_row = 0
            return True

    def _waits(self, seconds: float | None) -> bool:
        if seconds is None or (pause_s := max(seconds, MIN_WAIT_S)) > self._wait_left_s:
            return False
        log.info("Slack asks to be left alone for %s s", seconds)
        self._wait_left_s -= pause_s
        self._sleep(pause_s)
        return True


def _content(case: Case, kind: MessageKind, *, may_be_repeat: bool = False) -> Content:
    return compose(
        case.incident,
        kind,
        as_of_s=case.updated_s if case.recovered_s is None else case.recovered_s,
        may_be_repeat=may_be_repeat,
        was_told=case.was_told,
    )


def _state(case: Case, *, is_resent: bool) -> Content:
    """Return what the message that stands for an open incident says."""
    return _content(case, MessageKind.OPENED, may_be_repeat=is_resent)
