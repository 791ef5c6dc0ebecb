"""Client for who only plans: the calls that every run makes, each once, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

from kraken_ohlcv.clients.errors import NotAskedError
from kraken_ohlcv.clients.exchange.client import KrakenClient

T = TypeVar("T")

ASKED: Final = frozenset({"Time", "SystemStatus", "AssetPairs"})
"""What is asked to know what there is to plan; it costs no more than at any run, and brings no candles."""


class PlanningClient(KrakenClient):
    """Asks Kraken's clock, state and pairs once each, and withholds every other call.

    :param kraken: client whose connections and call slot are used
    :ivar withheld: calls that were not made, by endpoint and pair
    """

    def __init__(self, kraken: KrakenClient) -> None:
        # Not made anew: it shares the sessions, settings and names of the client.
        vars(self).update(vars(kraken))
        self.withheld: set[tuple[str, str]] = set()
        self._answers: dict[tuple[str, ...], Any] = {}

    def _ask(
        self,
        endpoint: str,
        parameters: Mapping[str, str],
        read: Callable[[Any], T],
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> T:
        if endpoint not in ASKED:
            pair = parameters.get("pair", "")
            self.withheld.add((endpoint, pair))
            raise NotAskedError(f"{endpoint} {pair}: a run that only plans does not call it")
        key = (endpoint, *parameters.values())
        if key not in self._answers:
            self._answers[key] = super()._ask(endpoint, parameters, read, may_repeat)
        return cast("T", self._answers[key])
