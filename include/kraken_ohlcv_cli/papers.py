"""``statement`` and ``incident``: papers as files, and in short on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.wording import counted, duration
from kraken_ohlcv.statement.facts import OUTCOMES
from kraken_ohlcv.statement.paper import percent
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv_cli.output import print_lines, print_table

ENDINGS: Final = (".html", ".json")
MOST_SERIES: Final = 60


def period_of(month: str | None, start: str | None, end: str | None, *, now_s: int) -> Period:
    """Return the range that arguments name; without any the last month that is over.

    :param month: ``2026-10``
    :param start: first day
    :param end: the day behind the last one
    :raises BadRequestError: if they contradict each other, or name no range
    """
    if month is not None and start is not None:
        raise BadRequestError(f"month {month} and --from {start} are two ranges: give one of them")
    first = month or start
    if first is None:
        if end is not None:
            raise BadRequestError(f"--to {end} has no beginning: give --from, too")
        return Period.month_before(now_s)
    if end is None and start is not None:
        raise BadRequestError(f"--from {start} has no end: give --to, the day behind the last one")
    return Period.of(first, end)


def checked(files: Sequence[Path]) -> list[Path]:
    """Return files to write, before anything is counted.

    :raises BadRequestError: if an ending is not ``.html`` or ``.json``
    """
    for file in files:
        if file.suffix not in ENDINGS:
            raise BadRequestError(f"--out {file}: a paper is a file that ends with {' or '.join(ENDINGS)}")
    return list(files)


def write(files: Sequence[Path], *, html: Callable[[], str], text: str) -> None:
    """Write a paper in the form that each file's ending says.

    :raises OSError: if one cannot be written
    """
    for file in files:
        # To the byte: the hash of a statement is over them.
        file.write_bytes((html() if file.suffix == ".html" else text).encode())


def show_statement(document: Mapping[str, Any], sha256: str, files: Sequence[Path]) -> None:
    """Print a statement in short."""
    totals, span = document["totals"], document["range"]
    print_table(
        ("target", "wanted", "reached", "result"),
        [
            (
                one["name"],
                None if one["target_pct"] is None else percent(one["target_pct"]),
                "no data" if one["reached_pct"] is None else percent(one["reached_pct"]),
                {True: "met", False: "missed", None: "not judged"}[one["is_met"]],
            )
            for one in document["targets"]
        ],
        title=f"{document['tier']}, {span['start'][:10]} to {span['end'][:10]} (exclusive), UTC",
    )
    columns = ("due", "stored", "proven_empty", "open", "accepted", "unproven", "pending")
    worst = sorted(document["series"], key=lambda one: -one["unproven"])[:MOST_SERIES]
    print_table(
        ("series", *(one.replace("_", " ") for one in columns), "verified"),
        [
            (
                f"{one['ticker']} {one['interval']}",
                *(f"{one[name]:,}" for name in columns),
                None if one["verified_pct"] is None else percent(one["verified_pct"]),
            )
            for one in worst
        ],
    )
    gaps, incidents, restated = document["gaps"], document["incidents"], document["restatements"]
    outcomes = ", ".join(f"{n['gaps']} {OUTCOMES[name]}" for name, n in gaps["by_outcome"].items())
    print_lines([
        *(one["why"] for one in document["targets"]),
        *(
            [f"{totals['series'] - len(worst)} series more: see --json"]
            if len(worst) < totals["series"]
            else []
        ),
        f"{counted(gaps['total'], 'gap')}" + (f": {outcomes}" if outcomes else ""),
        f"{counted(incidents['total'], 'incident')}, together open {duration(incidents['seconds_in_range'])} "
        "of the range",
        f"{counted(restated['replaced'], 'candle')} replaced by other values, "
        f"{restated['of_earlier_days']} of earlier days",
        *(f"Unknown: {said}" for said in document["unknown"]),
        *_written(files),
        f"SHA-256 of the JSON: {sha256}",
    ])


def show_incident(document: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Print a post-mortem in short."""
    gaps, runs = document["gaps"], document["runs"]
    if document["series"]:
        names = ("gaps", "candles", "closed", "open", "accepted", "lost_for_ever")
        print_table(
            ("series", "first bucket", "last bucket", *(one.replace("_", " ") for one in names), "from"),
            [
                (
                    f"{one['ticker']} {one['interval']}",
                    one["first_bucket"][:16],
                    one["last_bucket"][:16],
                    *(f"{one[name]:,}" for name in names),
                    ", ".join(one["sources"]) or None,
                )
                for one in document["series"]
            ],
            title=f"Incident {document['incident_id']} ({document['key']}): {document['headline']}",
        )
    ended = document["ended_at"] or "open"
    mean = "".join(
        f"; {said} {duration(gaps[name])} on average"
        for name, said in (("mttd_s", "detected after"), ("mttr_s", "closed after another"))
        if gaps[name] is not None
    )
    print_lines([
        f"Incident {document['incident_id']}: since {document['since']}, detected {document['detected_at']} "
        f"(after {duration(document['time_to_detect_s'])}), ended {ended}",
        f"{counted(gaps['total'], 'gap')}, {counted(document['candles'], 'candle')}{mean}",
        f"{counted(runs['total'], 'run')}, {counted(runs['tries'], 'attempt')}, "
        f"{counted(runs['candles'], 'candle')} stored",
        f"Lost for ever: {counted(document['lost_for_ever'], 'candle')}",
        *document["unknown"],
        *_written(files),
    ])


def _written(files: Sequence[Path]) -> list[str]:
    return [f"Written to {file}" for file in files]
