"""Read and check the fields of an Airflow connection to Kraken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kraken_ohlcv.clients.errors import ConnectionFieldError

if TYPE_CHECKING:
    from airflow.sdk import Connection

MAX_PORT: Final = 65535


def base_url(connection: Connection, *, default: str) -> str:
    """Return the address all calls start with, without a trailing slash.

    The host may be given with or without scheme, port and trailing slash. Without a scheme the connection's
    schema field is taken, else https; a port in the host wins over the port field.

    :param connection: whose host it is
    :param default: taken for an empty host
    :return: for example ``https://api.kraken.com`` or ``http://127.0.0.1:8123``
    :raises ConnectionFieldError: if the host is not an HTTP address, or holds a user name or a query
    """
    name = connection.conn_id
    host = (connection.host or default).strip()
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}"
    try:
        parts = urlsplit(host)
        port = parts.port or connection.port
    except ValueError as error:
        raise ConnectionFieldError(f"connection {name}: host {host!r} is no address: {error}") from None
    if "@" in parts.netloc:
        # Not shown: what stands before the @ may be a password.
        raise ConnectionFieldError(f"connection {name}: the host must not hold a user name or password")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConnectionFieldError(f"connection {name}: host {host!r} is not an HTTP address like {default}")
    hostname = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = hostname if port is None else f"{hostname}:{port}"
    return f"{parts.scheme}://{address}{parts.path.rstrip('/')}"


def positive_number(connection: Connection, field: str, default: float) -> float:
    """Return a number of the connection's extra.

    :param connection: any Airflow connection
    :param field: key in the extra
    :param default: taken when the key is absent or null
    :return: finite, > 0
    :raises ConnectionFieldError: if the value is no number, not finite, or not above zero
    """
    value = connection.extra_dejson.get(field)
    if value is None:
        return default
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise ConnectionFieldError(
            f"connection {connection.conn_id}: {field} in the extra must be a number above 0, not {value!r}"
        )
    return number


def port_number(connection: Connection, field: str, default: int) -> int:
    """Return a port of the connection's extra.

    :param connection: any Airflow connection
    :param field: key in the extra
    :param default: taken when the key is absent, null or an empty text
    :return: 1 to 65535
    :raises ConnectionFieldError: if the value is no such number
    """
    value = connection.extra_dejson.get(field)
    if value is None or value == "":
        return default
    text = str(value)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PORT):
        raise ConnectionFieldError(
            f"connection {connection.conn_id}: {field} in the extra must be a whole number from 1 to "
            f"{MAX_PORT}, not {value!r}; leave it out for {default}"
        )
    return int(text)
