"""Who vouches for the log of seals, as connection ``ohlcv_seal_key`` says; without it nobody does."""

from __future__ import annotations

import logging

from pydantic import Field

from kraken_hooks.connection_fields import Extra, Text
from kraken_ohlcv.clients.errors import ConnectionFieldError
from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.settings import SEAL_KEY_CONN_ID
from kraken_ohlcv.stores.ledger.seals import Head
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.optional_connections import optional_connection

log = logging.getLogger(__name__)


class _SealKeyExtra(Extra):
    """The extra of the connection."""

    time_stamp_url: Text = Field(default=None, title="URL of a server of RFC 3161 time stamps")


def vouch(connection: Connection, head: Head) -> None:
    """Have the newest entry of the log signed and time-stamped; what fails is logged and fails nothing.

    :param connection: the ledger
    :param head: the newest entry
    """
    from kraken_ohlcv.seals.witness import Signer, witness_head  # noqa: PLC0415 (slow to import)

    fields = optional_connection(SEAL_KEY_CONN_ID)
    if fields is None:
        return
    try:
        signer = Signer.of(fields.password) if fields.password else None
        url = _SealKeyExtra.of(fields).time_stamp_url
    except (SetUpError, ConnectionFieldError) as error:
        log.error("the log of seals has no witness: connection %s: %s", SEAL_KEY_CONN_ID, error)
        return
    added = witness_head(connection, head, signer=signer, time_stamp_url=url)
    if added and signer is not None:
        log.info("entry %d has %s; public key %s", head.number, " and ".join(added), signer.public_key)
    elif added:
        log.info("entry %d has %s", head.number, " and ".join(added))
