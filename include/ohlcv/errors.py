"""Errors of the domain; each message is a sentence that says what to do."""


class OhlcvError(Exception):
    """Something the operator has to know about."""


class CatalogueError(OhlcvError):
    """``assets.yaml`` is not usable; the message names line and value."""


class BadRequestError(OhlcvError):
    """A run was asked for something that does not exist; the message names the value."""


class WrongExchangeError(OhlcvError):
    """The ledger belongs to another exchange than the connection points at."""


class ReadBackError(OhlcvError):
    """QuestDB returned other candles than were written."""


class FillError(OhlcvError):
    """Some gaps of an asset could not be filled for a passing reason; trying again may help."""


class FillRefusedError(OhlcvError):
    """Some gaps of an asset could not be filled, and the same request would fail again."""


class RunFailedError(OhlcvError):
    """A run ended with gaps it could not fill, or with a step that failed."""
