"""Writes ``tests/vectors/seals/``: samples by which a verifier in any language checks itself.

Everything is made from the definitions in docs/EXPORT.md and docs/SEALS.md, in the plainest way, and shares
no code with the package: what both agree on is what the documents say.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from local.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Pack = Callable[[bytes], bytes]

FOLDER: Final = ROOT / "tests" / "vectors" / "seals"
DAY_S: Final = 86400
SEALED_AT: Final = 1_772_496_000_000_000
"""2026-03-03T00:00:00Z, epoch microseconds."""
MICROSECOND_DAY: Final = DAY_S * 1_000_000
HOUR_S: Final = 3600
UNSEALED: Final = (
    ("ETHUSD_1440", "2026-03-03", "2026-03-04", "not_sealed"),
    ("XBTUSD_240", "2026-03-01", "2026-03-02", "changed_since"),
    ("XBTUSD_240", "2026-03-02", "2026-03-04", "not_sealed"),
)
"""Days of the samples that do not stand as sealed."""
EVIDENCE: Final = ("trades", "ohlc", "archive")


def double(value: float) -> str:
    """Return the text of a double, of its 64 bits."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    sign, exponent, fraction = "-" if bits >> 63 else "", bits >> 52 & 0x7FF, bits & (1 << 52) - 1
    if exponent == 0:
        return f"{sign}0x0.0p+0" if fraction == 0 else f"{sign}0x0.{fraction:013x}p-1022"
    return f"{sign}0x1.{fraction:013x}p{exponent - 1023:+d}"


def canonical(value: dict[str, Any]) -> str:
    """Return JSON in ASCII, keys sorted, no blanks."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def split_of(n: int) -> int:
    """Return the largest power of two below a number above one."""
    return 1 << (n - 1).bit_length() - 1


def tree(leaves: list[bytes]) -> bytes:
    """Return the root over hashes of leaves: MTH of RFC 9162, section 2.1.1."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split_of(len(leaves))
    return sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """Return the audit path of leaf m: PATH of RFC 9162, section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split_of(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), tree(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree(leaves[:k])]


def bucket(ticker: str, interval: int, ts: int, status: str = "stored", **changes: Any) -> str:
    """Return the canonical line of a bucket; a stored candle has figures made of its time."""
    said: dict[str, Any] = {"interval": interval, "status": status, "ticker": ticker, "ts": ts}
    if status == "stored":
        base = 40_000 + ts // HOUR_S % 1000 / 8
        figures = {
            "open": base,
            "high": base + 12.5,
            "low": base - 7.1,
            "close": base + 0.1,
            "vwap": base + 1 / 3,
        }
        figures |= {"volume": 0.1 * (1 + ts // HOUR_S % 7)}
        figures |= {name: value for name, value in changes.items() if name in figures}
        said |= {name: None if value is None else double(value) for name, value in figures.items()}
        said |= {
            "trades": changes.get("trades", 3 + ts // HOUR_S % 5),
            "source": changes.get("source", "ohlc"),
        }
    return canonical(said)


@dataclass(frozen=True)
class Sample:
    """A series in the log: its lines as they stand, and as they stood when its days were sealed.

    :ivar now: line per open time, ascending
    :ivar sealings: days and lines of each sealing, in order
    """

    ticker: str
    interval: int
    now: dict[int, str]

    @property
    def name(self) -> str:
        """Return its name in the export."""
        return f"{self.ticker}_{self.interval}"

    def day_of(self, ts: int) -> str:
        """Return the UTC day of the last second of a bucket."""
        return datetime.fromtimestamp(ts + self.interval * 60 - 1, UTC).date().isoformat()

    def lines(self, day: str, replaced: dict[int, str] | None = None) -> list[str]:
        """Return the lines of a day, some of them as they were earlier."""
        stood = {**self.now, **(replaced or {})}
        return [stood[ts] for ts in sorted(stood) if self.day_of(ts) == day]


class Log:
    """The log of the sample: entries in order."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.roots: dict[tuple[str, int, str], tuple[int, str]] = {}

    def add(self, **said: Any) -> str:
        """Add an entry, and return its text."""
        before = leaf(self.texts[-1].encode()).hex() if self.texts else "0" * 64
        self.texts.append(canonical({"before": before, "number": len(self.texts) + 1, "version": 1, **said}))
        return self.texts[-1]

    def seal(self, series: Sample, day: str, lines: list[str], reasons: list[str], as_of_us: int) -> str:
        """Seal a day of a series."""
        key = series.ticker, series.interval, day
        revision, root_before = self.roots.get(key, (0, None))
        root = tree([leaf(line.encode()) for line in lines]).hex()
        statuses = [json.loads(line)["status"] for line in lines]
        self.roots[key] = revision + 1, root
        return self.add(
            as_of_us=as_of_us, day=day, empty=sum(one.startswith("empty_") for one in statuses),
            interval=series.interval, kind="day", missing=statuses.count("missing"), note=None,
            reasons=reasons, revision=revision + 1, root=root, root_before=root_before,
            stored=statuses.count("stored"), ticker=series.ticker,
        )  # fmt: skip

    def newest(self, day: str) -> list[str]:
        """Return the newest entry of each series of a day, by ticker and interval."""
        found = {}
        for text in self.texts:
            said = json.loads(text)
            if said.get("day") == day:
                found[said["ticker"], said["interval"]] = text
        return [found[key] for key in sorted(found)]


def epoch_s(day: str) -> int:
    """Return the first second of a day."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def samples() -> list[Sample]:
    """Return the series: four-hour candles with everything that a line can say, and days and weeks."""
    start, end = epoch_s("2026-02-27"), epoch_s("2026-03-04")
    special: dict[int, dict[str, Any]] = {
        start + 4 * HOUR_S: {"status": "empty_ohlc"},
        start + 8 * HOUR_S: {"status": "empty_archive"},
        start + 12 * HOUR_S: {"status": "missing"},
        start + 16 * HOUR_S: {"source": "archive_provisional", "vwap": None},
        start + 20 * HOUR_S: {"volume": 5e-324, "open": 2.2250738585072014e-308, "source": "trades"},
        end - 4 * HOUR_S: {"status": "pending"},
    }
    hours = range(start, end, 4 * HOUR_S)
    week = epoch_s("2026-02-26")
    return [
        Sample("ETHUSD", 1440, {ts: bucket("ETHUSD", 1440, ts) for ts in range(start, end, DAY_S)}),
        Sample("ETHUSD", 10080, {week: bucket("ETHUSD", 10080, week, source="archive")}),
        Sample("XBTUSD", 240, {ts: bucket("XBTUSD", 240, ts, **special.get(ts, {})) for ts in hours}),
    ]


def sealed(those: list[Sample]) -> Log:
    """Seal the days of the samples: twice, with a restatement between and another one after."""
    log = Log()
    weeks, hours = those[1], those[2]
    first, second = epoch_s("2026-02-28"), epoch_s("2026-03-01")
    restated = {first: bucket("XBTUSD", 240, first, close=39_999.5)}
    later = {second: bucket("XBTUSD", 240, second, source="imported")}
    for day in ("2026-02-27", "2026-02-28", "2026-03-01"):
        for series in (those[0], hours):
            replaced = {**restated, **later} if series is hours else None
            log.seal(series, day, series.lines(day, replaced), ["first"], SEALED_AT)
    row = ["17", "XBTUSD", 240, first, sha256(b"[17]").hexdigest()]
    log.add(as_of_us=SEALED_AT + MICROSECOND_DAY, kind="records", records=[row], table="candle_restatements")
    log.seal(hours, "2026-02-28", hours.lines("2026-02-28"), ["restated"], SEALED_AT + MICROSECOND_DAY)
    log.seal(those[0], "2026-03-02", those[0].lines("2026-03-02"), ["first"], SEALED_AT + MICROSECOND_DAY)
    log.seal(weeks, "2026-03-04", weeks.lines("2026-03-04"), ["first"], SEALED_AT + 3 * MICROSECOND_DAY)
    return log


def proof_of(log: Log, entry: str, lines: list[str], index: int) -> dict[str, Any]:
    """Return the proof of a line."""
    leaves, day = [leaf(line.encode()) for line in lines], json.loads(entry)["day"]
    entries = [leaf(text.encode()) for text in log.newest(day)]
    place = entries.index(leaf(entry.encode()))
    return {
        "proof_version": 1, "line": lines[index], "entry": entry,
        "index": index, "size": len(lines), "path": [one.hex() for one in path(index, leaves)],
        "day": {"index": place, "size": len(entries), "path": [one.hex() for one in path(place, entries)]},
    }  # fmt: skip


def gzipped(text: bytes) -> bytes:
    """Return a gzip file with stored blocks, whose bytes do not depend on any compressor."""
    blocks = [text[i : i + 65535] for i in range(0, len(text), 65535)] or [b""]
    data = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block for block in blocks
    )
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + data + struct.pack("<II", zlib.crc32(text), len(text))


def shortest(value: float) -> str:
    """Return the shortest decimal text of a double, as in Kraken's archive."""
    return repr(value).removesuffix(".0")


def moment(at_s: int) -> str:
    """Return a moment as the manifest has it."""
    return f"{datetime.fromtimestamp(at_s, UTC).replace(tzinfo=None).isoformat()}Z"


def month_of(series: Sample, name: str, files: dict[str, bytes], pack: Pack) -> dict[str, Any]:
    """Return what the manifest says of a month, and add its files."""
    lines = {ts: line for ts, line in series.now.items() if moment(ts)[:7] == name}
    said = [json.loads(line) for line in lines.values()]
    step, opens = series.interval * 60, list(lines)
    stored = [one for one in said if one["status"] == "stored"]
    holes = [one for one in said if one["status"] in {"missing", "pending"}]
    first = date.fromisoformat(f"{name}-01")
    end = epoch_s((first + timedelta(days=32)).replace(day=1).isoformat())
    is_whole = not holes and opens[-1] + step >= end
    text = "".join(f"{line}\n" for line in lines.values()).encode()
    figures = ("open", "high", "low", "close", "volume")
    rows = [
        [one["ts"], *(shortest(float.fromhex(one[key])) for key in figures), one["trades"]] for one in stored
    ]
    table = "".join(",".join(map(str, row)) + "\n" for row in rows)
    csv = f"{series.name}{'' if is_whole else '.incomplete'}.csv"
    here = {"ledger": ("ledger.jsonl.gz", pack(text)), "csv": (csv, table.encode())}
    files |= {f"{series.name}/{name}/{file}": data for file, data in here.values()}
    counts = Counter(one["status"] for one in said)
    return {
        "start": moment(opens[0]), "end": moment(opens[-1] + step), "buckets": len(said), "rows": len(stored),
        "sources": dict(Counter(one["source"] for one in stored)),
        "proofs": {one: counts[f"empty_{one}"] for one in EVIDENCE if counts[f"empty_{one}"]},
        "holes": dict(Counter(one["status"] for one in holes)),
        "hole_ranges": [
            {
                "start": moment(one["ts"]), "end": moment(one["ts"] + step), "buckets": 1,
                "status": one["status"],
            }
            for one in holes
        ],
        "hole_ranges_omitted": 0, "is_whole": is_whole, "lines_sha256": sha256(text).hexdigest(),
        "files": {
            kind: {
                "path": f"{series.name}/{name}/{file}", "bytes": len(data),
                "sha256": sha256(data).hexdigest(),
            }
            for kind, (file, data) in here.items()
        },
        "exported_at": "2026-03-05T06:00:00Z",
    }  # fmt: skip


def export_of(
    those: list[Sample], log: Log, unsealed: Sequence[tuple[str, str, str, str]], pack: Pack = gzipped
) -> dict[str, bytes]:
    """Return the files of an export with the whole log, by path.

    :param unsealed: days that do not stand as sealed: series, first, end (exclusive), reason
    """
    files: dict[str, bytes] = {}
    series = {
        one.name: {
            "ticker": one.ticker,
            "interval": one.interval,
            "months": {
                name: month_of(one, name, files, pack) for name in sorted({moment(ts)[:7] for ts in one.now})
            },
        }
        for one in those
    }
    text = "".join(f"{one}\n" for one in log.texts).encode()
    files["seals.jsonl.gz"] = pack(text)
    manifest = {
        "manifest_version": 1, "line_version": 1, "exchange": "https://api.kraken.com", "as_of": None,
        "versions": {"kraken_ohlcv": "1.0.0", "polars": "2.0.0", "python": "3.12.1"}, "series": series,
        "seals": {
            "path": "seals.jsonl.gz", "bytes": len(files["seals.jsonl.gz"]),
            "sha256": sha256(files["seals.jsonl.gz"]).hexdigest(), "lines_sha256": sha256(text).hexdigest(),
            "entries": len(log.texts),
            "head": {"number": len(log.texts), "hash": leaf(log.texts[-1].encode()).hex()},
            "is_whole_log": True, "witnesses": None,
            "unsealed": [
                {
                    "series": name, "start": start, "end": end,
                    "days": (date.fromisoformat(end) - date.fromisoformat(start)).days, "reason": reason,
                }
                for name, start, end, reason in unsealed
            ],
        },
    }  # fmt: skip
    return {"manifest.json": (json.dumps(manifest, indent=1) + "\n").encode(), **files}


def tree_vectors() -> list[dict[str, Any]]:
    """Return trees of one to nine leaves, and of none."""
    found = []
    for n in range(10):
        data = [bytes(range(i)) for i in range(n)]
        leaves = [leaf(one) for one in data]
        found.append({
            "data": [one.hex() for one in data],
            "leaves": [one.hex() for one in leaves],
            "root": tree(leaves).hex(),
            "paths": [[one.hex() for one in path(i, leaves)] for i in range(n)],
        })
    return found


def proof_vectors(those: list[Sample], log: Log) -> Iterator[dict[str, Any]]:
    """Return proofs, and what is none; of each, its roots, or why it is refused."""
    hours, day = those[2], "2026-02-27"
    lines, entry = hours.lines(day), log.newest(day)[1]
    for index, line in enumerate(lines):
        proof = proof_of(log, entry, lines, index)
        roots = {
            "entry": leaf(entry.encode()).hex(),
            "series_day": json.loads(entry)["root"],
            "day": tree([leaf(text.encode()) for text in log.newest(day)]).hex(),
        }
        yield {"name": json.loads(line)["status"], "proof": proof, "roots": roots}
    (week,) = log.newest("2026-03-04")
    alone = proof_of(log, week, those[1].lines("2026-03-04"), 0)
    yield {
        "name": "a week, and no other series",
        "proof": {**alone, "day": None},
        "roots": {"entry": leaf(week.encode()).hex(), "series_day": json.loads(week)["root"]},
    }
    proof = proof_of(log, entry, lines, 1)
    other = proof_of(log, log.newest("2026-02-28")[1], hours.lines("2026-02-28"), 1)
    altered = {
        "another bucket": {"line": lines[2]},
        "the line of another day": {"line": other["line"]},
        "another status": {"line": proof["line"].replace("empty_ohlc", "empty_trades")},
        "a line with a blank": {"line": proof["line"].replace(",", ", ")},
        "another place": {"index": 0},
        "a larger tree": {"size": 7},
        "a path cut off": {"path": proof["path"][:-1]},
        "a longer path": {"path": [*proof["path"], "0" * 64]},
        "a path in another order": {"path": proof["path"][::-1]},
        "the entry of another day": {"entry": other["entry"]},
        "other counts": {"entry": proof["entry"].replace('"stored":3', '"stored":4')},
        "an entry that is not canonical": {"entry": proof["entry"].replace(",", ", ")},
        "another key": {"price": 1},
        "a longer path of the day": {"day": {**proof["day"], "path": [*proof["day"]["path"], "0" * 64]}},
        "a number that is text": {"index": "1"},
        "another version": {"proof_version": 2},
    }
    for name, change in altered.items():
        yield {"name": name, "proof": {**proof, **change}, "roots": None}


def vectors() -> dict[str, Any]:
    """Return what each file holds, by its name."""
    those = samples()
    log = sealed(those)
    files = export_of(those, log, UNSEALED)
    days = sorted({json.loads(text)["day"] for text in log.texts if "day" in json.loads(text)})
    extremes = [0.0, -0.0, 1.0, 3.0, 0.1, 1 / 3, 5e-324, 2.225073858507201e-308, 2.2250738585072014e-308]
    extremes += [1.7976931348623157e308, 1e22, 123456789.125]
    return {
        "trees.json": tree_vectors(),
        "doubles.json": [{"bits": struct.pack(">d", one).hex(), "text": double(one)} for one in extremes],
        "days.json": [
            {
                "ticker": series.ticker, "interval": series.interval, "day": day, "lines": lines,
                "leaves": [leaf(line.encode()).hex() for line in lines],
                "root": tree([leaf(line.encode()) for line in lines]).hex(),
            }
            for series in those
            for day in sorted({series.day_of(ts) for ts in series.now})
            if (lines := series.lines(day))
        ],
        "log.json": {
            "entries": [{"text": text, "hash": leaf(text.encode()).hex()} for text in log.texts],
            "days": {
                day: {
                    "entries": [json.loads(text)["number"] for text in log.newest(day)],
                    "root": tree([leaf(text.encode()) for text in log.newest(day)]).hex(),
                }
                for day in days
            },
        },
        "proofs.json": list(proof_vectors(those, log)),
        "export.json": {
            "manifest_sha256": sha256(files["manifest.json"]).hexdigest(),
            "files": {name: base64.b64encode(data).decode("ascii") for name, data in files.items()},
        },
    }  # fmt: skip


def write(folder: Path) -> None:
    """Write all files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in vectors().items():
        (folder / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(FOLDER)
