"""The bar with the open incidents that stands on every page: one query, and nothing while all is well."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import BaseModel

from kraken_ohlcv.core.incident import Severity, severity_of
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.session import first
from kraken_ohlcv_airflow.web.incident_words import full_headline
from kraken_ohlcv_airflow.web.stores import NothingYetError, StoreError, ledger

log = logging.getLogger(__name__)


class OpenIncidents(BaseModel):
    """The open incidents: how many of each class, and the newest one."""

    by_class: dict[str, int]
    incident_id: int
    incident_class: str
    headline: str
    subjects: dict[str, dict[str, Any]]

    @property
    def is_critical(self) -> bool:
        """Return whether one of them is critical."""
        return any(severity_of(one) is Severity.CRITICAL for one in self.by_class)

    @property
    def counts(self) -> str:
        """Return how many there are by severity, such as ``1 critical incident and 2 warnings``."""
        n_critical = sum(n for one, n in self.by_class.items() if severity_of(one) is Severity.CRITICAL)
        n_warnings = sum(self.by_class.values()) - n_critical
        parts = [(n_critical, "critical incident"), (n_warnings, "warning")]
        return " and ".join(counted(n, noun) for n, noun in parts if n)

    @property
    def newest(self) -> str:
        """Return the headline of the newest one with its cause."""
        return full_headline(self.headline, self.incident_class, self.subjects)


def read_open_incidents() -> OpenIncidents | str | None:
    """Return the open incidents.

    :return: None when there is none; a sentence when nobody can tell
    """
    try:
        with ledger() as connection:
            return first(connection, "read_newest_open_incident", OpenIncidents)
    except NothingYetError:
        return None
    except StoreError as error:
        log.warning("the open incidents are not known: %s", error)
        return f"Whether incidents are open is not known. {error}"
