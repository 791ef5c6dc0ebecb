"""Commands of an Airflow installation pass their options on, and end as what they call does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import kraken_ohlcv_airflow.setup.stores
import kraken_ohlcv_from_celery.__main__
from local.stack import webhook_connection
from tests.conftest import set_connection
from tests.integration.trades_world import HOURLY, store_history

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.slack_client import SlackAdmin
    from tests.integration.command_line import CommandLine
    from tests.integration.world import World


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        pytest.param(["mapping.yaml"], ["mapping.yaml"], id="mapping"),
        pytest.param(["mapping.yaml", "--write"], ["mapping.yaml", "--write"], id="write"),
        pytest.param(["--mark-imported"], ["--mark-imported"], id="mark"),
        pytest.param(
            ["--mark-imported", "--tickers", "XBTUSD", "--tickers", "ETHUSD", "--write"],
            ["--mark-imported", "--tickers", "XBTUSD", "ETHUSD", "--write"],
            id="mark two",
        ),
    ],
)
def test_the_importer_gets_every_option_and_gives_its_exit_code(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, options: list[str], passed: list[str]
) -> None:
    given: list[list[str]] = []
    # Only what is passed on counts here; what the importer does with it, its own tests show.
    monkeypatch.setattr(kraken_ohlcv_from_celery.__main__, "main", lambda argv: given.append(argv) or 1)
    assert cli("import-celery", *options).code == 1
    assert given == [passed]


@pytest.mark.parametrize("options", [[], ["--accept-exchange"]], ids=["plain", "another address"])
def test_set_up_gets_its_option(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(kraken_ohlcv_airflow.setup.stores, "main", given.append)
    assert cli("set-up", "stores", *options).code == 0
    assert given == [options]


def test_imported_candles_are_listed_on_the_real_stores(world: World, cli: CommandLine) -> None:
    store_history(world, HOURLY, buckets=0, without=[])
    done = cli("import-celery", "--mark-imported")
    assert (done.code, "Nothing was written. Add --write to write it." in done.out) == (0, True), done.err


def test_a_mapping_that_is_not_there_is_a_usage_error(cli: CommandLine, tmp_path: Path) -> None:
    done = cli("import-celery", str(tmp_path / "none.yaml"))
    assert done.code == 2
    assert "none.yaml" in done.err


def test_a_test_message_reaches_the_channel_of_airflows_connection(
    cli: CommandLine, slack_session: SlackAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack_session.reset()
    nowhere = cli("test-message")
    assert (nowhere.code, "neither a connection slack_api nor slack_alerts" in nowhere.err) == (2, True)

    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack_session.webhook_url))
    done = cli("test-message")
    assert (done.code, "was sent" in done.out) == (0, True), done.err
    (message,) = slack_session.messages()
    assert "Nothing is wrong." in message["text"]
