"""What the notifier needs from the place where messages go."""

from __future__ import annotations

from typing import Protocol

from kraken_ohlcv.monitoring.mrkdwn import Content
from kraken_ohlcv.stores.ledger.notifications import MessageRef


class Channel(Protocol):
    """A place that shows messages.

    Every method makes one HTTP call at most and never repeats it by itself.
    """

    def post(self, content: Content, thread: MessageRef | None = None) -> MessageRef | None:
        """Send a message.

        :param content: what it says
        :param thread: the message to reply to, where there are threads; None for a new one
        :return: where it stands, or None where messages cannot be edited
        :raises SlackMessageGoneError: if the message to reply to is out of reach
        :raises SlackRefusedError: if it was certainly not taken
        :raises SlackAnswerLostError: if nobody knows
        """
        ...

    def edit(self, message: MessageRef, content: Content) -> None:
        """Replace what a message says; nobody is notified.

        :param message: where it stands
        :param content: what it says from now on
        :raises SlackMessageGoneError: if it cannot be edited any more
        :raises SlackRefusedError: if that was certainly not done
        :raises SlackAnswerLostError: if nobody knows
        """
        ...
