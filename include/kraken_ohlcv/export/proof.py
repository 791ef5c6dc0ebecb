"""Inclusion proofs from an export, without the stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import check_served
from kraken_ohlcv.core.seal import DaySeal, entry_of
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.export.formats import ExportFormat
from kraken_ohlcv.export.manifest import folder_name, read
from kraken_ohlcv.export.verify_offline import Unreadable, read_lines
from kraken_ohlcv.reader.times import Moment
from kraken_ohlcv.seals.inclusion import NoProofError, open_time, prove_line


def prove_exported_bucket(folder: Path, ticker: str, interval_minutes: int, at: Moment) -> dict[str, Any]:
    """Return the proof of a bucket, from an export.

    It leads to the root of the whole day only if the export has the whole log of seals.

    :param folder: the export, with its manifest
    :param ticker: Kraken's altname
    :param interval_minutes: bucket length, minutes
    :param at: open time of the bucket; ISO text or a time, UTC without an offset
    :return: JSON, see :func:`kraken_ohlcv.core.bucket_seal.inclusion_proof`
    :raises BadRequestError: if the interval or the time cannot be meant
    :raises ExportRefusedError: if the manifest cannot be read
    :raises NoProofError: if the export does not hold the bucket, a seal of it, or does not hold it as sealed
    """
    series = Series(ticker, interval_minutes)
    try:
        check_served(interval_minutes)
    except ValueError as error:
        raise BadRequestError(str(error)) from None
    ts_s = open_time(at, series)
    manifest = read(folder)
    months = manifest.series.get(folder_name(series))
    month = None if months is None else months.months.get(f"{utc(ts_s):%Y-%m}")
    if month is None or ExportFormat.LEDGER not in month.files or manifest.seals is None:
        raise NoProofError(f"{folder} has no ledger of {series} in {utc(ts_s):%Y-%m}, or no seals")
    step, day_s = interval_minutes * 60, day_of(ts_s, interval_minutes * 60)
    try:
        lines = [
            line[:-1]
            for line in read_lines(folder / month.files[ExportFormat.LEDGER].path)
            if day_of(json.loads(line)["ts"], step) == day_s
        ]
        newest: dict[Series, DaySeal] = {}
        for text in read_lines(folder / manifest.seals.path):
            entry = entry_of(text[:-1].decode("ascii"))
            if isinstance(entry, DaySeal) and entry.day_s == day_s:
                newest[entry.series] = entry
    except (Unreadable, ValueError, KeyError) as error:
        raise NoProofError(f"{folder} cannot be read: {error}; verify it") from error
    if series not in newest:
        raise NoProofError(f"{folder} has no seal of {series} on {utc(day_s):%Y-%m-%d}")
    of_day = newest.values() if manifest.seals.is_whole_log else ()
    return prove_line(lines, ts_s, newest[series], of_day)
