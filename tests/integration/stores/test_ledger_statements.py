"""Every statement of the ledger is one that PostgreSQL can plan."""

from __future__ import annotations

from psycopg import pq

from kraken_ohlcv.clients.statements import PARAMETER, statements
from kraken_ohlcv.stores.ledger.session import connect


def test_every_statement_is_prepared_by_the_server_with_all_its_parameters(ledger_uri: str) -> None:
    refused = {}
    with connect(ledger_uri) as connection:
        for found in statements().values():
            numbers = {name: f"${number}" for number, name in enumerate(sorted(found.parameters), 1)}
            sql = PARAMETER.sub(lambda marker: numbers[marker[1]], found.text).replace("%%", "%")  # noqa: B023
            answer = connection.pgconn.prepare(b"", sql.encode())
            if answer.status != pq.ExecStatus.COMMAND_OK:
                refused[found.name] = answer.error_message.decode()
                continue
            assert connection.pgconn.describe_prepared(b"").nparams == len(found.parameters), found.name
    assert refused == {}
