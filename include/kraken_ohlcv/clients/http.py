"""What all calls over HTTP have in common."""

from __future__ import annotations

from typing import Final

import requests

from kraken_ohlcv import __version__

CONNECT_TIMEOUT_S: Final = 5.0


def new_session(**headers: str) -> requests.Session:
    """Return a session that names itself: Kraken's front may answer 403 to clients that do not.

    :param headers: further ones, of all its calls
    """
    session = requests.Session()
    session.headers.update({"User-Agent": f"kraken-ohlcv-airflow/{__version__}", **headers})
    return session


def timeouts(timeout_s: float) -> tuple[float, float]:
    """Return how long ``requests`` waits for a connection, and for the next bytes, seconds.

    :param timeout_s: longest silence of the server, seconds
    """
    return min(CONNECT_TIMEOUT_S, timeout_s), timeout_s
