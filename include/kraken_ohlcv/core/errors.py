"""Errors of the domain; each message is a sentence that says what to do."""


class Permanent(Exception):  # noqa: N818 (a kind of error, not one by itself)
    """What another try would only repeat; every error that is one of these ends its task at once."""


class OhlcvError(Exception):
    """Something the operator has to know about."""


class CatalogueError(OhlcvError, Permanent):
    """``assets.yaml`` is not usable; the message names line and value."""


class BadRequestError(OhlcvError, Permanent):
    """A run was asked for something that does not exist; the message names the value."""


class WrongExchangeError(OhlcvError, Permanent):
    """The ledger belongs to another exchange than the connection points at."""


class SurroundingsError(OhlcvError, Permanent):
    """A store, its settings or a disk is not as it must be; the message has the cure, which loses no data."""


class SnapshotError(OhlcvError, Permanent):
    """A snapshot cannot be pinned, or does not read as it did; the message names it."""


class UnknownSnapshotError(SnapshotError, BadRequestError):
    """There is no snapshot of a name; the message tells the names there are."""


class SetUpError(OhlcvError):
    """Something is missing in the installation; the message says what to provide."""


class ReadBackError(OhlcvError):
    """QuestDB returned other candles than were written."""


class FillError(OhlcvError):
    """Some of the work on an asset could not be done for a transient reason; trying again may help."""


class FillRefusedError(OhlcvError, Permanent):
    """Some of the work on an asset could not be done, and the same request would fail again."""


class SeriesBusyError(OhlcvError):
    """A run is filling the series right now; the same request may do when it has ended."""


class RunFailedError(OhlcvError, Permanent):
    """A run ended with gaps it could not fill, or with a step that failed."""


class SlackError(OhlcvError):
    """Slack has not confirmed a message.

    :ivar retry_after_s: seconds that Slack wants to be left alone, or None
    :ivar is_about_message: whether it refused what the message says, so that others may still go through
    :ivar is_about_blocks: whether it refused the layout of the message, so that its text may still go through
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        is_about_message: bool = False,
        is_about_blocks: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_about_message = is_about_message
        self.is_about_blocks = is_about_blocks


class SlackRefusedError(SlackError):
    """Slack did certainly not take a message; the message names the connection and the cure."""


class SlackMessageGoneError(SlackRefusedError):
    """A message that was to be edited or answered cannot be any more."""


class SlackAnswerLostError(SlackError, Permanent):
    """A message went out and no answer came back: it may stand in the channel or not."""


class DeliveryError(OhlcvError):
    """Some messages could not be delivered; the next delivery tries again."""
