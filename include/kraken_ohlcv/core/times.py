"""Text forms of times."""

from datetime import UTC, datetime


def iso(moment_s: float) -> str:
    """Return a moment for people and JSON.

    :param moment_s: epoch seconds UTC
    :return: ``2026-11-23T12:00:00``: UTC, without offset
    """
    return datetime.fromtimestamp(moment_s, UTC).replace(tzinfo=None).isoformat()
