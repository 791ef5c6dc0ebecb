"""The files of a run: what is found, what is wanted of it, and how it is dealt out to mapped tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.names import Release

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.sources.archive.containers import Contents

FOLDER: Final = "folder"
REMOTE: Final = "remote"


def file_name(place: str, container: str, member: str) -> str:
    """Return how people know a file.

    :param place: ``folder`` or ``remote``
    :param container: folder or zip, relative to the archive folder, or the published zip's name
    :param member: how the container finds it
    """
    if place == FOLDER and not container.lower().endswith(".zip"):
        return member if container == "." else f"{container}/{member}"
    return f"{container}!{member}"


@dataclass(frozen=True, slots=True)
class Unit:
    """One CSV to ingest.

    :ivar place: ``folder`` (a folder or zip of the archive folder) or ``remote`` (a published zip)
    :ivar container: folder or zip, relative to the archive folder, or the published zip's name
    :ivar member: how the container finds it
    :ivar series: what its name tells
    :ivar identity: text that changes with its content, or None when only its content tells
    :ivar release: what it speaks about
    :ivar is_published: whether it comes from where the exchange publishes it, or a published checksum fits
    :ivar witnesses: the other files of the pair in the container, name and candle length in minutes, shortest
        candles first
    """

    place: str
    container: str
    member: str
    series: Series
    identity: str | None
    release: Release
    is_published: bool
    witnesses: list[tuple[str, int]]

    @property
    def name(self) -> str:
        """Return how people know the file."""
        return file_name(self.place, self.container, self.member)

    def may_hold(self, wanted: Range) -> bool:
        """Return whether some of a range lies in what the file speaks about.

        :param wanted: half-open, epoch seconds UTC
        """
        start_s, end_s = self.release.start_s, self.release.end_s
        return (start_s is None or start_s < wanted[1]) and (end_s is None or wanted[0] < end_s)

    def as_dict(self) -> dict[str, Any]:
        """Return it for the way between tasks."""
        return asdict(self) | {"series": list(self.series)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Unit:
        """Return it after the way between tasks."""
        return cls(**{
            **given,
            "series": Series(*given["series"]),
            "release": Release(**given["release"]),
            "witnesses": [(member, minutes) for member, minutes in given["witnesses"]],
        })


def wanted_units(
    place: str,
    container: str,
    contents: Contents,
    *,
    tickers: Collection[str],
    intervals: Collection[int],
    only: str | None = None,
    is_published: bool = False,
) -> tuple[list[Unit], int]:
    """Return the files of a container that a run is about.

    :param place: ``folder`` or ``remote``
    :param container: its name
    :param contents: what is in it
    :param tickers: wanted
    :param intervals: wanted, minutes
    :param only: base name of the one file asked for, or None
    :param is_published: whether the container is as the exchange publishes it
    :return: the files in the order of the tickers, and how many others there are
    """
    chosen = [
        entry
        for entry in contents.entries
        if (only is None and entry.series.interval_minutes in intervals and entry.series.ticker in tickers)
        or entry.name == only
    ]
    order = {ticker: place for place, ticker in enumerate(tickers)}
    chosen.sort(key=lambda entry: (order.get(entry.series.ticker, 0), entry.series))
    units = []
    for entry in chosen:
        units.append(
            Unit(
                place=place,
                container=container,
                member=entry.name,
                series=entry.series,
                identity=entry.identity,
                release=entry.release,
                is_published=is_published,
                witnesses=contents.witnesses_of(entry),
            )
        )
    return units, len(contents.entries) - len(units)


def work_items(units: Sequence[Unit]) -> list[dict[str, Any]]:
    """Return the files as the list that the ingest task is mapped over.

    :param units: the files
    :return: items ``{"label", "files"}``, one per file
    """
    return [{"label": unit.name, "files": [unit.as_dict()]} for unit in units]
