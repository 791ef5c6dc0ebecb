"""Recorded replies of the real exchange, as a folder with an ``index.json`` holds them.

The index is a list of ``{file, endpoint, ticker, interval, recorded_at}``. Bodies are kept as bytes; only
what is needed to find them again (pair names, cursors, the time) is read out of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulators.exchange.answers import cursor_ns
from simulators.exchange.clock import NS_PER_S, moment_ns

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "index.json"
ENDPOINTS = ("OHLC", "Trades", "AssetPairs", "SystemStatus", "Time")
PER_PAIR = ("OHLC", "Trades")
_TIME_FIELD = 2


class RecordingError(Exception):
    """A folder does not hold a usable recording; the message is one sentence that names the file."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One recorded reply.

    :ivar endpoint: one of ENDPOINTS
    :ivar ticker: the pair as the index names it, or the key of the result; None if the reply is about no pair
    :ivar interval: minutes, OHLC only
    :ivar recorded_ns: when it was recorded, epoch ns; None if the index does not say
    :ivar body: the bytes Kraken sent
    :ivar errors: the reply's error list
    :ivar result: the reply's result, an empty object if it has none
    """

    endpoint: str
    ticker: str | None
    interval: int | None
    recorded_ns: int | None
    body: bytes
    errors: list[str]
    result: dict[str, Any]

    @property
    def result_key(self) -> str | None:
        """The name under which Kraken put the rows of a pair."""
        return next((name for name in self.result if name != "last"), None)

    @property
    def rows(self) -> list[list[Any]]:
        """The rows of a reply about one pair; none if it has none."""
        rows: list[list[Any]] = self.result.get(self.result_key or "", [])
        return rows


def read_recording(folder: Path) -> list[Reply]:
    """Return all replies of a recording in the order of its index.

    :param folder: holds ``index.json`` and the files it names
    :raises RecordingError: if the index or a file it names is missing or garbled, or nothing is recorded
    """
    index_file = folder / INDEX
    entries = _read_json(index_file, index_file.name)
    if not isinstance(entries, list) or not entries:
        msg = f"{index_file} must be a list of recorded replies with at least one entry."
        raise RecordingError(msg)
    return [_reply(folder, entry, position) for position, entry in enumerate(entries, start=1)]


def _reply(folder: Path, entry: Any, position: int) -> Reply:
    where = f"entry {position} of {folder / INDEX}"
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        msg = f"{where} has no text 'file'."
        raise RecordingError(msg)
    endpoint = entry.get("endpoint")
    if endpoint not in ENDPOINTS:
        msg = f"{where} has the endpoint {endpoint!r}, which is none of {', '.join(ENDPOINTS)}."
        raise RecordingError(msg)
    path = folder / entry["file"]
    envelope = _read_json(path, where)
    if not isinstance(envelope, dict):
        msg = f"{path} is not a reply of Kraken: it is no JSON object."
        raise RecordingError(msg)
    result = envelope.get("result")
    reply = Reply(
        endpoint=endpoint,
        ticker=entry.get("ticker"),
        interval=_interval(entry, where) if endpoint == "OHLC" else None,
        recorded_ns=_moment(entry.get("recorded_at"), where),
        body=path.read_bytes(),
        errors=[str(error) for error in envelope.get("error") or []],
        result=result if isinstance(result, dict) else {},
    )
    _check(reply, path, where)
    return reply


def _check(reply: Reply, path: Path, where: str) -> None:
    if reply.endpoint in PER_PAIR:
        if not (reply.ticker or reply.result_key):
            msg = f"{where} names no ticker, and its reply names none either."
            raise RecordingError(msg)
        if not isinstance(reply.rows, list) or not all(_is_row(row) for row in reply.rows):
            msg = (
                f"{path} is not a reply to {reply.endpoint}: its rows are not lists of at least three fields."
            )
            raise RecordingError(msg)
    if reply.endpoint == "AssetPairs" and not all(isinstance(pair, dict) for pair in reply.result.values()):
        msg = f"{path} is not a reply to AssetPairs: a pair in it is no JSON object."
        raise RecordingError(msg)


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) > _TIME_FIELD


def _read_json(path: Path, where: str) -> Any:
    try:
        # Numbers with a point stay text: a trade's time must not pass through a binary float.
        return json.loads(path.read_bytes(), parse_float=str)
    except OSError as error:
        msg = f"{path}, named by {where}, cannot be read: {error.strerror}."
        raise RecordingError(msg) from error
    except ValueError as error:
        msg = f"{path} is not JSON: {error}."
        raise RecordingError(msg) from error


def _interval(entry: dict[str, Any], where: str) -> int:
    text = str(entry.get("interval", 1))
    if not text.isdecimal():
        msg = f"{where} has the interval {entry['interval']!r}, which is no number of minutes."
        raise RecordingError(msg)
    return int(text)


def _moment(value: Any, where: str) -> int | None:
    if value is None:
        return None
    try:
        return moment_ns(value)
    except (TypeError, ValueError) as error:
        msg = f"{where} has the recorded_at {value!r}, which is no moment: {error}."
        raise RecordingError(msg) from error


def page_cursor_ns(reply: Reply) -> int:
    """Return the time of the last trade of a recorded Trades page, epoch ns; 0 for an empty page."""
    last = str(reply.result.get("last", ""))
    if last.isdecimal():
        return cursor_ns(int(last))
    if not reply.rows:
        return 0
    whole, _, decimals = str(reply.rows[-1][_TIME_FIELD]).partition(".")
    return int(whole) * NS_PER_S + int(decimals.ljust(9, "0")[:9])
