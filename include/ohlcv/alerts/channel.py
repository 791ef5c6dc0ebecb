"""What the delivery of messages needs from the place they go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from include.ohlcv.alerts.mrkdwn import Block
    from include.ohlcv.ledger.outbox_rows import Posted


class Channel(Protocol):
    """A place that takes messages.

    Every method makes one HTTP call and never repeats it by itself.
    """

    def post(self, text: str, blocks: list[Block]) -> Posted:
        """Send a new message.

        :param text: all of it as text
        :param blocks: the same as Block Kit blocks
        :return: where it went
        :raises SlackRefusedError: if it was certainly not taken
        :raises SlackAnswerLostError: if nobody knows
        """
        ...


@runtime_checkable
class EditingChannel(Channel, Protocol):
    """A place where messages can be changed afterwards."""

    def edit(self, channel: str, ts: str, text: str, blocks: list[Block]) -> None:
        """Replace what a message says; nobody is notified.

        :param channel: id of the channel it stands in
        :param ts: Slack's name of it there
        :param text: all of it as text
        :param blocks: the same as Block Kit blocks
        :raises SlackMessageGoneError: if it cannot be edited any more
        :raises SlackRefusedError: if that was certainly not done
        :raises SlackAnswerLostError: if nobody knows
        """
        ...

    def reply(self, channel: str, ts: str, text: str, blocks: list[Block]) -> None:
        """Send a message into the thread of another.

        :param channel: id of the channel that one stands in
        :param ts: Slack's name of that one there
        :param text: all of it as text
        :param blocks: the same as Block Kit blocks
        :raises SlackMessageGoneError: if that one is not there any more
        :raises SlackRefusedError: if it was certainly not taken
        :raises SlackAnswerLostError: if nobody knows
        """
        ...
