"""Typed errors of the clients; imports nothing but core, so that every layer may name them."""

from kraken_ohlcv.core.errors import Permanent


class KrakenError(Exception):
    """Kraken did not give a usable answer."""


class KrakenTransientError(KrakenError):
    """The same request may succeed later: busy, unavailable, timeout, cut-off or stale answer."""


class KrakenRateLimitError(KrakenTransientError):
    """Kraken refused the call for its rate.

    :ivar retry_after_s: seconds from now to the next allowed call, > 0, as Kraken said or by default
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class KrakenMalformedReplyError(KrakenTransientError):
    """The body is not JSON, is cut off, has another shape, or holds too little that can be used."""


class KrakenForeignReplyError(KrakenTransientError):
    """The answer is another pair's, or another interval's; nothing of it is taken."""


class KrakenStaleReplyError(KrakenTransientError):
    """The answer comes from a backend that lags behind: its newest row is older than the running bucket."""


class KrakenNotBelievedError(KrakenTransientError):
    """The answer is sound in itself, but cannot be true: a clock that is days off, pairs that all vanish."""


class KrakenUnexpectedReplyError(KrakenTransientError):
    """Kraken answered with something this package does not know; the message holds the raw text.

    Tried again fewer times than the other transient errors, because a person may have to look at it.
    """


class NotAskedError(KrakenError):
    """A call that is withheld, because its run only plans."""


class KrakenPermanentError(KrakenError, Permanent):
    """The same request will never succeed: an argument is wrong or forbidden."""


class UnknownPairError(KrakenPermanentError):
    """Kraken does not know the ticker: delisted, renamed or misspelt."""


class QuestDBError(Exception):
    """QuestDB did not do what was asked."""


class QuestDBUnavailableError(QuestDBError):
    """QuestDB is out of reach or dropped the connection; a resend is safe because of DEDUP."""


class TableSuspendedError(QuestDBError):
    """QuestDB accepts writes to the table but does not apply them until ``RESUME WAL``."""


class NotAppliedInTimeError(QuestDBError):
    """A committed write was not readable within the time allowed."""


class QuestDBRefusedError(QuestDBError, Permanent):
    """QuestDB refuses a login, or takes no writes on this way; asking again will not help."""


class RateLimitLockError(KrakenTransientError):
    """The shared call slot could not be had within the time allowed."""


class ConnectionFieldError(ValueError, Permanent):
    """An Airflow connection holds a value that a hook cannot work with; the message names field and value."""


class ArchiveServerError(Exception):
    """The archive's server did not give a usable answer; the same request may succeed later."""


class NotPublishedError(Exception):
    """The archive's server has no such file: a release that is not published yet, or never was."""


class RangesNotSupportedError(Exception):
    """The archive's server sends whole files only."""
