"""A call that does not reach the exchange ends in one sentence, without the causes below it."""

import traceback

import pytest
import requests

from kraken_ohlcv.clients.errors import KrakenTransientError
from kraken_ohlcv.clients.exchange.transport import fetch
from local.processes import free_port


def test_an_exchange_out_of_reach_is_one_sentence_and_no_chain_of_tracebacks() -> None:
    url = f"http://127.0.0.1:{free_port()}/0/public/Time"
    with requests.Session() as session, pytest.raises(KrakenTransientError) as caught:
        fetch(session, url, {}, timeout_s=5, call="Time")
    assert str(caught.value) == (
        f"Time: the call to {url} failed (Connection refused); check the network and the connection's host"
    )
    assert "".join(traceback.format_exception(caught.value)).count("Traceback") == 1
