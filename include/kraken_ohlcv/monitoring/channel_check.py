"""A message by which people see that alerts reach them, before there is anything to alert them of."""

from __future__ import annotations

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.wording import moment
from kraken_ohlcv.monitoring.channel import Channel
from kraken_ohlcv.monitoring.mrkdwn import escaped, laid_out
from kraken_ohlcv.monitoring.notify import NO_CHANNEL


def send_test_message(channel: Channel | None, *, by: str, now_s: float) -> None:
    """Post a message that says that nothing is wrong; it belongs to no incident.

    :param channel: where to, or None when no connection is configured
    :param by: who asked for it
    :param now_s: epoch seconds UTC
    :raises SetUpError: if there is no connection
    :raises SlackRefusedError: if it was certainly not taken; the message has the cure
    :raises SlackAnswerLostError: if nobody knows whether it was
    """
    if channel is None:
        raise SetUpError(NO_CHANNEL)
    said = "Alerts about Kraken's candles will look like this and arrive here. Nothing is wrong."
    channel.post(laid_out("Test message", [said], url=None, small=f"sent by {escaped(by)}, {moment(now_s)}"))
