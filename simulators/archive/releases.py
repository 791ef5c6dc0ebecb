"""Quarterly and full releases made from the simulated trades, with the defects that real ones have."""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from simulators.archive.zip64 import as_zip64
from simulators.exchange.clock import NS_PER_S

if TYPE_CHECKING:
    from simulators.exchange.market import Market

DAY_S = 86_400
INTERVALS = (1, 5, 15, 60, 240, 720, 1440)
COARSE = frozenset({240, 720, 1440})
DEFAULT_PAIRS = 20
DEFECTS = frozenset({"tail", "short_last", "days"})
EPOCH = (2026, 1, 1, 0, 0, 0)
"""One time for all members, so that a release is the same bytes whenever it is made."""


@dataclass(frozen=True)
class Recipe:
    """How releases are made and served.

    :ivar tickers: pairs in them, None for the first ones of the market
    :ivar intervals: candle lengths, minutes
    :ivar layout: ``flat`` (with MANIFEST.json) or ``foldered`` (with a parallel __MACOSX tree)
    :ivar naming: ``year_first`` (2026Q2) or ``quarter_first`` (Q2_2026)
    :ivar lag_days: days from a quarter's end to its publication
    :ivar part_bytes: length of the parts that a full release is split into, None = it is published whole
    :ivar defects: those of real releases, each of one ``ticker``: kind ``tail`` with ``days`` (its coarse
        files lose the quarter's tail), ``short_last`` with ``trades`` (the last candle of each misses a few
        trades), ``days`` with ``from`` and ``to`` in epoch seconds (days missing in its daily file)
    """

    tickers: tuple[str, ...] | None = None
    intervals: tuple[int, ...] = INTERVALS
    layout: str = "flat"
    naming: str = "year_first"
    lag_days: int = 76
    part_bytes: int | None = 2_097_152_000
    defects: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a recipe nobody can follow.

        :raises ValueError: names what is wrong
        """
        for name, value, known in (
            ("layout", self.layout, {"flat", "foldered"}),
            ("naming", self.naming, {"year_first", "quarter_first"}),
            *(("defect", defect.get("kind"), DEFECTS) for defect in self.defects),
        ):
            if value not in known:
                msg = f"{name} {value!r} is none of {', '.join(sorted(known))}"
                raise ValueError(msg)

    def file_name(self, year: int, quarter: int, *, is_full: bool = False) -> str:
        """Return the name of the zip of a quarter, or of everything up to its end."""
        quarter_text = f"{year}Q{quarter}" if self.naming == "year_first" else f"Q{quarter}_{year}"
        return f"Kraken_OHLCVT_{'Full_' if is_full else ''}{quarter_text}.zip"


def bounds_s(year: int, quarter: int) -> tuple[int, int]:
    """Return start and end of a quarter, epoch seconds."""
    start = datetime(year, 3 * quarter - 2, 1, tzinfo=UTC)
    end = datetime(year + quarter // 4, 3 * quarter % 12 + 1, 1, tzinfo=UTC)
    return int(start.timestamp()), int(end.timestamp())


def is_published(recipe: Recipe, year: int, quarter: int, now_s: float) -> bool:
    """Return whether a quarter is online."""
    return now_s >= bounds_s(year, quarter)[1] + recipe.lag_days * DAY_S


def publish(
    market: Market, recipe: Recipe, year: int, quarter: int, *, is_full: bool = False
) -> dict[str, bytes]:
    """Return the files of a release, by name.

    :param market: whose trades they hold
    :param recipe: how they are made
    :param year: four digits
    :param quarter: 1 to 4, over already
    :param is_full: whether the release holds everything up to the quarter's end; then it is split
    :return: a zip, or its parts
    """
    content = build(market, recipe, year, quarter, is_full=is_full)
    name = recipe.file_name(year, quarter, is_full=is_full)
    if not is_full or recipe.part_bytes is None:
        return {name: content}
    return {
        f"{name}.part{number:02}": content[start : start + recipe.part_bytes]
        for number, start in enumerate(range(0, len(content), recipe.part_bytes))
    }


def build(market: Market, recipe: Recipe, year: int, quarter: int, *, is_full: bool = False) -> bytes:
    """Return the zip of a release; the same bytes for the same market and recipe.

    :param market: whose trades it holds
    :param recipe: how it is made
    :param year: four digits
    :param quarter: 1 to 4, over already
    :param is_full: whether it begins with each pair's listing, and is a Zip64 as all long ones are
    """
    start_s, end_s = bounds_s(year, quarter)
    tickers = recipe.tickers or tuple(list(market.pairs)[:DEFAULT_PAIRS])
    if is_full:
        start_s = min(market.tape(ticker).pair.listed_s for ticker in tickers) // DAY_S * DAY_S
    members: dict[str, str] = {}
    n_rows = 0
    for ticker in tickers:
        for interval in recipe.intervals:
            lines = _lines(market, recipe, ticker, interval, (start_s, end_s))
            n_rows += len(lines)
            if lines:
                members[f"{ticker}_{interval}.csv"] = "".join(lines)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            _add(file, f"master_q{quarter}/{name}" if recipe.layout == "foldered" else name, text)
            if recipe.layout == "foldered":
                _add(file, f"__MACOSX/master_q{quarter}/._{name}", "\0\5\26\7")
        if recipe.layout == "flat":
            _add(file, "MANIFEST.json", _manifest(start_s, end_s, len(tickers), len(members), n_rows))
    return as_zip64(target.getvalue()) if is_full else target.getvalue()


def _add(file: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(info, text)


def _lines(market: Market, recipe: Recipe, ticker: str, interval: int, covered: tuple[int, int]) -> list[str]:
    tape, step_s = market.tape(ticker), interval * 60
    first_s = -(-covered[0] // step_s) * step_s
    bars = tape.bars(first_s, covered[1], step_s, covered[1] * NS_PER_S)
    price, lot = 10**tape.pair.decimals, 10**tape.pair.volume_decimals
    rows = []
    for ts, opened, high, low, close, lots, count in zip(
        bars.opens_s.tolist(),
        bars.open.tolist(),
        bars.high.tolist(),
        bars.low.tolist(),
        bars.close.tolist(),
        bars.lots.tolist(),
        bars.count.tolist(),
        strict=True,
    ):
        prices = [_number(units / price) for units in (opened, high, low, close)]
        volume = lots / lot
        if ts // step_s % 3 == 0:
            volume = math.nextafter(volume, math.inf)  # the noise of a sum of doubles
        rows.append((ts, prices, volume, count))
    for defect in recipe.defects:
        if defect["ticker"] == ticker:
            rows = _spoilt(rows, defect, interval, covered[1])
    return [f"{ts},{','.join(prices)},{_number(volume)},{count}\n" for ts, prices, volume, count in rows]


def _spoilt(rows: list[Any], defect: dict[str, Any], interval: int, end_s: int) -> list[Any]:
    """Return the rows of a file as a defect leaves them."""
    match defect["kind"]:
        case "tail" if interval in COARSE:
            return [row for row in rows if row[0] < end_s - int(defect["days"]) * DAY_S]
        case "short_last" if rows and rows[-1][3] > int(defect["trades"]):
            ts, prices, volume, count = rows[-1]
            less = count - int(defect["trades"])
            return [*rows[:-1], (ts, prices, volume * less / count, less)]
        case "days" if interval == 1440:  # noqa: PLR2004 (minutes of a day)
            return [row for row in rows if not int(defect["from"]) <= row[0] < int(defect["to"])]
        case _:
            return rows


def _number(value: float) -> str:
    """Return a number as the archive writes it: the shortest text, integers without a point."""
    return repr(value).removesuffix(".0")


def _manifest(start_s: int, end_s: int, n_pairs: int, n_files: int, n_rows: int) -> str:
    first = datetime.fromtimestamp(start_s, UTC).date().isoformat()
    last = datetime.fromtimestamp(end_s - DAY_S, UTC).date().isoformat()
    return json.dumps({
        "product": "ohlcvt",
        "schema_version": 1,
        "release": "r1",
        "columns": ["timestamp", "open", "high", "low", "close", "volume", "trades"],
        "has_header": False,
        "coverage": {"start": first, "end": last},
        "pairs": n_pairs,
        "files": n_files,
        "rows": n_rows,
        "generated": last,
    })
