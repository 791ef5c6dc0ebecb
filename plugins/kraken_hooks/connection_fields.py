"""Read and check the fields of an Airflow connection; one model per type says what its extra may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError, WithJsonSchema, field_validator

from kraken_ohlcv.clients.errors import ConnectionFieldError

if TYPE_CHECKING:
    from airflow.sdk import Connection

Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
Text: TypeAlias = Annotated[str | None, WithJsonSchema({"type": "string"})]
Secret: TypeAlias = Annotated[str | None, WithJsonSchema({"type": "string", "format": "password"})]

WANTED: Final = {
    "number": "a number above 0",
    "integer": "a whole number from 1 to 65535",
    "string": "a text",
}
"""What a field of a JSON type must be, for messages."""


class Extra(BaseModel):
    """The extra of a connection: title and description of a field stand in Airflow's connection form."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("pydantic takes true for 1")
        return value

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return what a connection's extra says; keys that are no fields are passed over.

        :param connection: its empty fields, and those that are null, have their defaults
        :raises ConnectionFieldError: names field and value, and what is allowed
        """
        given = {k: v for k, v in connection.extra_dejson.items() if v is not None and v != ""}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            field, value = str(first["loc"][0]), first["input"]
            schema = cls.model_json_schema()["properties"][field]
            # A text may be a secret: only its kind is shown.
            shown = type(value).__name__ if schema["type"] == "string" else repr(value)
            raise ConnectionFieldError(
                f"connection {connection.conn_id}: {field} in the extra must be {WANTED[schema['type']]}, "
                f"not {shown}; leave it out for {schema['default'] or 'none'}"
            ) from None

    @classmethod
    def form_fields(cls) -> dict[str, dict[str, Any]]:
        """Return the fields as Airflow's connection form reads them, each of which may be left empty."""
        return {
            name: {
                "label": schema.pop("title"),
                "description": schema.pop("description", ""),
                "schema": schema | {"type": [schema["type"], "null"]},
            }
            for name, schema in cls.model_json_schema()["properties"].items()
        }


class KrakenExtra(Extra):
    """The extra of a connection of type ``kraken``."""

    min_interval_s: Seconds = Field(
        default=1,
        title="Seconds between two calls",
        description="Enforced across all processes; Kraken allows one call per second.",
    )
    timeout_s: Seconds = Field(default=30, title="Timeout of a call (s)")
    max_clock_skew_s: Seconds = Field(
        default=300,
        title="Allowed clock difference (s)",
        description="Largest difference at which Kraken's clock is accepted.",
    )


class ArchiveExtra(Extra):
    """The extra of a connection of type ``kraken_archive``."""

    timeout_s: Seconds = Field(default=30, title="Read timeout of the server (s)")


class QuestDBExtra(Extra):
    """The extra of a connection of type ``questdb``."""

    http_port: Port = Field(default=9000, title="HTTP port", description="For bulk loads over ILP.")
    http_login: Text = Field(
        default=None, title="HTTP login", description="If HTTP has another login than PGWire."
    )
    http_password: Secret = Field(default=None, title="HTTP password")
    apply_timeout_s: Seconds = Field(default=30, title="Write apply timeout (s)")
    statement_timeout_s: Seconds = Field(
        default=120, title="Statement timeout (s)", description="Applies even when the server hangs."
    )


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
