"""Incidents of a ledger that queued messages are told on: nothing waits for ever, nothing comes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk import WebClient

from kraken_ohlcv.monitoring.messages import LATE_NEWS, REPEAT
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import migrate_ledger
from tests.integration.alert_desk import GOOD, OPEN, OVER, START, WORSE, Desk, heard, late, marks
from tests.integration.revisions import go_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import PostgresServer
    from simulators.slack_client import SlackAdmin

NAME = "ledger_with_queue"
BEFORE = "0010"


@pytest.fixture
def queueing(postgres_server: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Give a ledger as it was before: with a queue of messages."""
    postgres_server.create_database(NAME, template=ledger_template)
    uri = postgres_server.uri(NAME)
    go_to(uri, BEFORE)
    yield uri
    postgres_server.drop_database(NAME)


def message(kind: str, **fields: Any) -> dict[str, Any]:
    """Return a message of the queue; times are hours since START."""
    times = {"created_at": 1, "attempted_at": None, "sent_at": None, "dropped_at": None, "edited_at": None}
    rest = {
        "via": None,
        "channel": None,
        "ts": None,
        "shown": None,
        "is_resent": False,
        "tries": 0,
        "error": None,
    }
    return {"kind": kind, **times, **rest, **fields}


def queue(uri: str, *messages: dict[str, Any], is_over: bool = False) -> None:
    """Insert an incident with messages, as the former version did."""
    with connect(uri) as connection:
        connection.execute(
            "INSERT INTO incidents (key, class, headline, since, subjects, opened_at, updated_at,"
            " recovered_at, good_checks, told, growths, told_at)"
            " VALUES ('stale', 'stale', 'candles are missing', to_timestamp(%(start)s),"
            ' \'{"XBTUSD": {"tier": "TIER1", "hours_behind": 33}}\', to_timestamp(%(start)s),'
            " to_timestamp(%(start)s), to_timestamp(%(over)s), 0, '{XBTUSD}', %(growths)s,"
            " to_timestamp(%(start)s))",
            {
                "start": START,
                "over": START + 3600 if is_over else None,
                "growths": sum(one["kind"] == "grew" for one in messages),
            },
        )
        for one in messages:
            connection.execute(
                "INSERT INTO incident_messages (incident_id, kind, created_at, attempted_at, sent_at,"
                " dropped_at, edited_at, via, channel, ts, shown, is_resent, tries, error)"
                " VALUES (1, %(kind)s, to_timestamp(%(created_at)s), to_timestamp(%(attempted_at)s),"
                " to_timestamp(%(sent_at)s), to_timestamp(%(dropped_at)s), to_timestamp(%(edited_at)s),"
                " %(via)s, %(channel)s, %(ts)s, %(shown)s, %(is_resent)s, %(tries)s, %(error)s)",
                one,
            )


SENT = {"sent_at": START, "via": "webhook"}

QUEUED = [
    pytest.param([message("opened")], False, [OPEN], id="the opening waits"),
    pytest.param([message("opened"), message("grew")], False, [OPEN], id="opening and growth wait"),
    pytest.param([message("opened", **SENT)], False, [], id="all is told"),
    pytest.param([message("opened", **SENT), message("grew")], False, [WORSE], id="the growth waits"),
    pytest.param(
        [message("opened", **SENT), message("grew", **SENT), message("recovered")],
        True,
        [OVER],
        id="the end waits",
    ),
    pytest.param([message("opened", **SENT), message("recovered", **SENT)], True, [], id="the end is told"),
    pytest.param(
        [message("opened", dropped_at=START, told_with=2), message("recovered", **SENT)],
        True,
        [],
        id="all was told with the end",
    ),
    pytest.param(
        [message("opened", dropped_at=START, error="nobody was notified")],
        False,
        [OPEN],
        id="without a connection, and still open",
    ),
    pytest.param(
        [message("opened", dropped_at=START), message("recovered", dropped_at=START)],
        True,
        [],
        id="without a connection, and over",
    ),
]


@pytest.mark.parametrize(("messages", "is_over", "told"), QUEUED)
def test_what_waited_is_told_and_nothing_else(
    queueing: str, webhook: SlackAdmin, messages: list[dict[str, Any]], is_over: bool, told: list[str]
) -> None:
    queue(queueing, *messages, is_over=is_over)
    migrate_ledger(queueing)
    with connect(queueing) as connection:
        desk = Desk(connection)
        assert desk.deliver().sent == len(told)
        assert heard(webhook) == told
        assert not any(word in str(webhook.messages()) for word in (REPEAT, LATE_NEWS))
        assert desk.try_to_deliver() == ""
        if not is_over:
            desk.report(GOOD)
            desk.report(GOOD)
            assert heard(webhook) == [*told, OVER]


def test_what_came_and_went_untold_is_told_as_such(queueing: str, webhook: SlackAdmin) -> None:
    queue(queueing, message("opened", tries=3, error="Slack is down"), message("recovered"), is_over=True)
    migrate_ledger(queueing)
    with connect(queueing) as connection:
        assert Desk(connection).rows("tries, shown_stage") == [(3, 0)]
        Desk(connection).deliver()
    assert LATE_NEWS in webhook.messages()[0]["text"]


def test_a_message_that_may_have_arrived_is_still_a_repeat(queueing: str, webhook: SlackAdmin) -> None:
    queue(queueing, message("opened", attempted_at=START, is_resent=True, tries=2))
    migrate_ledger(queueing)
    with connect(queueing) as connection:
        desk = Desk(connection)
        assert desk.deliver().sent == 0
        desk.now_s += 1800
        assert desk.deliver().sent == 1
    assert REPEAT in webhook.messages()[0]["text"]


def test_a_message_of_the_former_version_is_edited_where_it_stands(queueing: str, bot: SlackAdmin) -> None:
    answer = bot_post(bot)
    place = {
        "sent_at": START,
        "via": "api",
        "channel": answer["channel"],
        "ts": answer["ts"],
        "shown": "digest",
    }
    queue(queueing, message("opened", **place))
    migrate_ledger(queueing)
    with connect(queueing) as connection:
        desk = Desk(connection)
        assert desk.report(late("XBTUSD", hours=34)).edited == 1
        desk.report(GOOD)
        assert desk.report(GOOD).sent == 1
    assert marks(bot) == [OVER]


def bot_post(bot: SlackAdmin) -> dict[str, Any]:
    """Post what the former version posted, and return where it stands."""
    answer = WebClient("xoxb-sandbox", base_url=bot.api_url).chat_postMessage(
        channel="#alerts", text=f"{OPEN} late"
    )
    return {"channel": answer["channel"], "ts": answer["ts"]}


def test_the_way_back_keeps_what_waits(queueing: str, webhook: SlackAdmin) -> None:
    queue(queueing, message("opened", **SENT), message("grew"))
    migrate_ledger(queueing)
    go_to(queueing, BEFORE)
    with connect(queueing) as connection:
        rows = connection.execute(
            "SELECT kind, sent_at IS NOT NULL AS is_sent FROM incident_messages ORDER BY message_id"
        ).fetchall()
    assert [tuple(row.values()) for row in rows] == [("opened", True), ("grew", False)]
    migrate_ledger(queueing)
    with connect(queueing) as connection:
        Desk(connection).deliver()
    assert heard(webhook) == [WORSE]
