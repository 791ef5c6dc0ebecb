"""Which errors end a task at once: those that another try would only repeat."""

from __future__ import annotations

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from kraken_ohlcv.clients import errors as clients
from kraken_ohlcv.core import errors as core
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv_airflow.defaults import DEFAULT_ARGS

PERMANENT = [
    ArchiveRefusedError,
    core.BadRequestError,
    core.CatalogueError,
    core.FillRefusedError,
    core.RunFailedError,
    core.SlackAnswerLostError,
    core.SurroundingsError,
    core.WrongExchangeError,
    clients.ConnectionFieldError,
    clients.KrakenPermanentError,
    clients.UnknownPairError,
    clients.QuestDBRefusedError,
]
TRANSIENT = [
    ArchiveError,
    core.FillError,
    core.ReadBackError,
    core.DeliveryError,
    core.SlackRefusedError,
    clients.KrakenTransientError,
    clients.KrakenMalformedReplyError,
    clients.QuestDBUnavailableError,
    clients.TableSuspendedError,
    clients.ArchiveServerError,
]


@pytest.mark.parametrize("kind", PERMANENT, ids=lambda kind: kind.__name__)
def test_a_permanent_error_ends_its_task_at_the_first_try(kind: type[Exception]) -> None:
    decision = DEFAULT_ARGS["retry_policy"].evaluate(kind("x"), 1, 2)
    assert decision.action is RetryAction.FAIL


@pytest.mark.parametrize("kind", TRANSIENT, ids=lambda kind: kind.__name__)
def test_a_transient_error_is_tried_again(kind: type[Exception]) -> None:
    decision = DEFAULT_ARGS["retry_policy"].evaluate(kind("x"), 1, 2)
    assert decision.action is not RetryAction.FAIL
