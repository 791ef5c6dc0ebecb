"""A desk at which incidents are seen and reported: the real path from a check to Slack, as time passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import tuple_row

from kraken_ohlcv.core.errors import DeliveryError
from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.monitoring.notify import Delivery, deliver
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv_airflow.slack import slack_channel

if TYPE_CHECKING:
    from kraken_ohlcv.stores.ledger.session import Connection
    from simulators.slack_client import SlackAdmin

HOUR = 3600
START = 1_795_404_600  # Mon 23 Nov 2026, 03:30 UTC
TIER1 = [f"A{n:02}USD" for n in range(20)]
TIER2 = [f"B{n:02}USD" for n in range(30)]
GOOD: dict[str, Problem | None] = {"stale": None}

OPEN, WORSE, OVER = "🔴", "🔺", "✅"

both_ways = pytest.mark.parametrize("way", ["webhook", "bot"])


def late(*tickers: str, hours: int = 33) -> dict[str, Problem | None]:
    """Return what a check sees when some tickers are late."""
    subjects = {
        ticker: {"tier": "TIER1" if ticker in TIER1 else "TIER2", "hours_behind": hours} for ticker in tickers
    }
    return {"stale": Problem("stale", "candles are missing", START, subjects)}


def failed(dag_id: str) -> dict[str, Problem | None]:
    """Return what is seen when a run fails."""
    key = f"run:{dag_id}"
    return {key: Problem(key, f"{dag_id} failed", START, {"run_1": {"state": "failed"}})}


def succeeded(dag_id: str) -> dict[str, Problem | None]:
    """Return what is seen when a run ends well."""
    return {f"run:{dag_id}": None}


class Desk:
    """Lets checks see something and has it reported, as time passes.

    :ivar connection: the ledger
    :ivar now_s: the time
    :ivar waited: how long deliveries have waited, seconds each
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now_s = START
        self.waited: list[float] = []

    def see(self, seen: dict[str, Problem | None]) -> None:
        """Let a check see something, an hour after the last one."""
        self.now_s += HOUR
        observe(self.connection, seen, now_s=self.now_s)

    def deliver(self) -> Delivery:
        """Show what is not shown yet where the connections say."""
        return deliver(self.connection, slack_channel(), now_s=self.now_s, sleep=self.waited.append)

    def try_to_deliver(self) -> str:
        """Deliver and return what was wrong; empty when all went well."""
        try:
            self.deliver()
        except DeliveryError as error:
            return str(error)
        return ""

    def report(self, seen: dict[str, Problem | None]) -> Delivery:
        """Let a check see something, and deliver what follows."""
        self.see(seen)
        return self.deliver()

    def rows(self, columns: str) -> list[Any]:
        """Return columns of all incidents, oldest first."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(f"SELECT {columns} FROM incidents ORDER BY incident_id")  # noqa: S608
            return cursor.fetchall()

    def warnings(self) -> list[Any]:
        """Return the warnings of all incidents."""
        return [warning for (warning,) in self.rows("warning")]


def titles(slack: SlackAdmin) -> list[str]:
    """Return the first lines of the messages in the channel, as they stand."""
    return [message["text"].splitlines()[0] for message in slack.messages()]


def marks(slack: SlackAdmin) -> list[str]:
    """Return the signs with which the messages in the channel begin, as they stand."""
    return [title[0] for title in titles(slack)]


def heard(slack: SlackAdmin) -> list[str]:
    """Return what has made a noise: the marks of all messages as they were posted."""
    return [post["text"][0] for post in slack.posts() if post["via"] != "update" and post["is_recorded"]]


def day_of_outage(desk: Desk) -> list[Delivery]:
    """Let 24 hourly checks see an outage, TIER1 first and TIER2 an hour later, and then two good ones."""
    done = [desk.report(late(*TIER1))]
    done += [desk.report(late(*TIER1, *TIER2, hours=33 + n)) for n in range(23)]
    return [*done, desk.report(GOOD), desk.report(GOOD)]
