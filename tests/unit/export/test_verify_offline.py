"""The offline verifier needs nothing but Python, passes its vectors, and finds whatever is altered."""

from __future__ import annotations

import ast
import base64
import copy
import gzip
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.bucket_line import hexed
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.merkle import audit_path, leaf_hash, root_by_path, root_of
from kraken_ohlcv.core.seal import REASONS, DaySeal, SealReason, day_root, entry_of
from kraken_ohlcv.core.times import midnight_s
from kraken_ohlcv.core.verified_day import opens_of_day
from kraken_ohlcv.export import verify_offline
from kraken_ohlcv.export.verify_offline import check_folder, check_proof, main
from kraken_ohlcv.seals.witness import Signer
from kraken_ohlcv.stores.ledger.seals import Head
from tools import seal_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(verify_offline.__file__)
VECTORS = seal_vectors.FOLDER


def vectors(name: str) -> Any:
    """Return what a file of vectors holds."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """Write an export."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Give the export of the vectors."""
    files = vectors("export.json")["files"]
    return put(tmp_path / "export", {name: base64.b64decode(data) for name, data in files.items()})


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Give an export of one sealed day of one series, compressed as exports are."""
    series = seal_vectors.samples()[2]
    only = seal_vectors.Sample("XBTUSD", 240, dict(list(series.now.items())[:6]))
    log = seal_vectors.Log()
    log.seal(only, "2026-02-27", only.lines("2026-02-27"), ["first"], seal_vectors.SEALED_AT)
    files = seal_vectors.export_of([only], log, unsealed=[], pack=lambda text: gzip.compress(text, mtime=0))
    return put(tmp_path / "small", files)


def head_of(folder: Path) -> str:
    """Return the head of the log that the manifest names."""
    head: str = manifest_of(folder)["seals"]["head"]["hash"]
    return head


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of an export."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return found


def save(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest."""
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def alter_lines(folder: Path, month: tuple[str, str], change: Callable[[bytes], bytes]) -> None:
    """Alter the ledger of a month, and every hash of it in the manifest: what somebody would do who lies."""
    name, when = month
    manifest = manifest_of(folder)
    entry = manifest["series"][name]["months"][when]
    path = folder / entry["files"]["ledger"]["path"]
    text = change(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(text))
    entry["lines_sha256"] = sha256(text).hexdigest()
    _sign(entry["files"]["ledger"], path)
    save(folder, manifest)


def alter_log(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Alter the entries of the log, and every hash of them in the manifest."""
    manifest, path = manifest_of(folder), folder / "seals.jsonl.gz"
    texts = change(gzip.decompress(path.read_bytes()).decode().splitlines())
    text = "".join(f"{one}\n" for one in texts).encode()
    path.write_bytes(gzip.compress(text))
    last = json.loads(texts[-1])["number"], leaf_hash(texts[-1].encode()).hex()
    manifest["seals"] |= {"lines_sha256": sha256(text).hexdigest(), "entries": len(texts)}
    manifest["seals"]["head"] = {"number": last[0], "hash": last[1]}
    _sign(manifest["seals"], path)
    save(folder, manifest)


def _sign(said: dict[str, Any], path: Path) -> None:
    data = path.read_bytes()
    said |= {"bytes": len(data), "sha256": sha256(data).hexdigest()}


def run(*arguments: str) -> tuple[int, str]:
    """Run the program without any package that is installed; return its exit code and what it says."""
    ended = subprocess.run(  # noqa: S603 (this interpreter, a program of ours)
        [sys.executable, "-I", "-S", str(PROGRAM), *arguments],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


# One file, the standard library


def test_the_program_imports_the_standard_library_alone_and_is_python_3_9() -> None:
    parsed = ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {
        name.split(".")[0]
        for node in ast.walk(parsed)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or "."] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert len(names) > 5
    assert names <= sys.stdlib_module_names


def test_the_program_runs_by_itself_on_an_export_and_on_a_proof(export: Path, tmp_path: Path) -> None:
    code, said = run(str(export))
    assert (code, said.splitlines()[-1]) == (0, "whole")
    one = vectors("proofs.json")[0]
    (tmp_path / "proof.json").write_text(json.dumps(one["proof"]), encoding="utf-8")
    code, said = run("--proof", str(tmp_path / "proof.json"), "--root", one["roots"]["day"].upper())
    assert (code, said.splitlines()[-1]) == (0, "whole")
    assert "it proves that this line was sealed" in said
    assert run("--proof", str(tmp_path / "proof.json"), "--root", "0" * 64)[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give a folder"),
        (["nowhere"], "No such file"),
        (["{}", "--root", "abc"], "64 hexadecimal digits"),
        (["{}", "--proof", "proof.json"], "give a folder, or"),
        (["--proof", "nowhere.json"], "No such file"),
    ],
)
def test_wrong_usage_ends_with_two(
    export: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([one.format(export) for one in arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


# The vectors


def test_the_vectors_are_those_of_the_definitions(tmp_path: Path) -> None:
    seal_vectors.write(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(made) > 5
    assert made == {path.name: path.read_bytes() for path in VECTORS.iterdir()}


def test_trees_are_those_of_the_vectors() -> None:
    trees = vectors("trees.json")
    assert [len(tree["leaves"]) for tree in trees] == list(range(10))
    for tree in trees:
        leaves = [bytes.fromhex(one) for one in tree["leaves"]]
        for hashed in (leaf_hash, verify_offline.leaf_hash):
            assert [hashed(bytes.fromhex(one)) for one in tree["data"]] == leaves
        for root in (root_of, verify_offline.root_of):
            assert root(leaves).hex() == tree["root"]
        for index, hexes in enumerate(tree["paths"]):
            path = [bytes.fromhex(one) for one in hexes]
            assert audit_path(leaves, index) == path
            for by_path in (root_by_path, verify_offline.root_by_path):
                assert by_path(leaves[index], index, len(leaves), path).hex() == tree["root"]


def test_doubles_are_those_of_the_vectors() -> None:
    for one in vectors("doubles.json"):
        value = float.fromhex(one["text"])
        assert hexed(value) == f'"{one["text"]}"'
        assert verify_offline.re.fullmatch(verify_offline.DOUBLE, hexed(value).encode())


@pytest.mark.parametrize(
    "text",
    ["0x1.8p+1", "0x1.8000000000000p1", "0x1.8000000000000p-0", "0x1.8000000000000p+01", "nan", "inf",
     "0x1.8000000000000p+1024", "0x1.8000000000000p-1023", "0x0.0000000000000p-1022", "0x0.0p-1022",
     "0X1.8000000000000p+1", "0x1.800000000000Ap+1", "3.0"],
)  # fmt: skip
def test_another_text_of_a_double_is_not_canonical(text: str) -> None:
    assert verify_offline.re.fullmatch(verify_offline.DOUBLE, f'"{text}"'.encode()) is None


def test_days_are_those_of_the_vectors() -> None:
    days = vectors("days.json")
    assert {one["interval"] for one in days} == {240, 1440, 10080}
    for one in days:
        lines = verify_offline.Lines(one["ticker"], one["interval"])
        opens = [bucket.ts_s for line in one["lines"] if (bucket := lines.bucket(line.encode()))]
        assert len(opens) == len(one["lines"])
        start_s, end_s = opens_of_day(
            midnight_s(verify_offline.date.fromisoformat(one["day"])), one["interval"]
        )
        assert verify_offline.opens_of_day(verify_offline.day_number(one["day"]), one["interval"] * 60) == (
            start_s,
            end_s,
        )
        assert opens == list(range(start_s, end_s, one["interval"] * 60))
        assert root_of([leaf_hash(line.encode()) for line in one["lines"]]).hex() == one["root"]


def test_the_log_is_that_of_the_vectors() -> None:
    log = vectors("log.json")
    entries = [entry_of(one["text"]) for one in log["entries"]]
    assert [entry.hash for entry in entries] == [one["hash"] for one in log["entries"]]
    assert {entry.kind for entry in entries} == {"day", "records"}
    for day, said in log["days"].items():
        seals = [entries[number - 1] for number in said["entries"]]
        assert {seal.day_s for seal in seals if isinstance(seal, DaySeal)} == {
            midnight_s(verify_offline.date.fromisoformat(day))
        }
        assert day_root(seal for seal in seals if isinstance(seal, DaySeal)) == said["root"]


def test_the_program_knows_every_reason_and_every_key_of_an_entry() -> None:
    assert set(verify_offline.REASONS) == set(SealReason) >= set(REASONS.values())
    for one in vectors("log.json")["entries"]:
        entry = json.loads(one["text"])
        keys = verify_offline.DAY_ENTRY if entry["kind"] == "day" else verify_offline.RECORDS_ENTRY
        assert keys.keys() == entry.keys()


@pytest.mark.parametrize("one", vectors("proofs.json"), ids=lambda one: one["name"])
def test_proofs_are_those_of_the_vectors(one: dict[str, Any]) -> None:
    data = json.dumps(one["proof"]).encode()
    if one["roots"] is None:
        assert not check_proof(data).is_whole
        return
    assert check_proof(data).is_whole
    for root in one["roots"].values():
        assert check_proof(data, root).is_whole
        assert any(root in said for said in check_proof(data).said)
    assert check_proof(data, "0" * 64).faults == [f"root: {'0' * 64} is none of these"]


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"line":1.5}'])
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    assert check_proof(data).n_faults == 1


# Exports


def test_the_export_of_the_vectors_is_whole_and_says_what_is_not_sealed(export: Path) -> None:
    found = check_folder(export)
    assert (found.faults, found.n_faults) == ([], 0)
    assert found.notes == [
        "XBTUSD_240 2026-03-01 up to 2026-03-02 (exclusive): 1 day changed since the newest seal"
    ]
    assert "7 days as sealed, 1 changed since, 3 are not sealed" in found.said[2]
    assert vectors("export.json")["manifest_sha256"] in found.said[3]


def test_each_altered_byte_of_a_data_file_is_a_fault(small: Path) -> None:
    assert check_folder(small).is_whole
    n_bytes = 0
    for path in sorted(small.rglob("*")):
        if path.is_dir() or path.name == "manifest.json":
            continue
        data = path.read_bytes()
        for place in range(len(data)):
            path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
            found = check_folder(small)
            assert not found.is_whole, (path.name, place)
            assert any(path.name in fault for fault in found.faults)
        path.write_bytes(data)
        n_bytes += len(data)
    assert check_folder(small).is_whole
    assert n_bytes > 700


def values(value: Any, *where: Any) -> Iterator[tuple[Any, ...]]:
    """Return where each value of JSON stands."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from values(value[key], *where, key)
    else:
        yield where


def another(value: Any) -> list[Any]:
    """Return other values in the place of one: a near one of the same type, and one of another type."""
    if isinstance(value, bool):
        return [not value, int(value)]
    if isinstance(value, int):
        return [value + 1, float(value), str(value)]
    if value is None:
        return ["2026-02-01T00:00:00Z", 0]
    return [value[:-1] + chr(ord(value[-1]) ^ 1), None]


CLAIMS = {"exchange", "exported_at", "versions", "as_of"}
"""What no file of an export contradicts: only a root does."""


def test_each_altered_value_of_the_manifest_is_a_fault_with_a_root_and_without_one_if_data_contradict_it(
    export: Path,
) -> None:
    data = (export / "manifest.json").read_bytes()
    manifest, root = json.loads(data), sha256(data).hexdigest()
    assert check_folder(export, root).is_whole
    places = list(values(manifest))
    assert len(places) > 100
    unseen = set()
    for *where, last in places:
        altered = copy.deepcopy(manifest)
        holder = altered
        for key in where:
            holder = holder[key]
        for value in another(holder[last]):
            holder[last] = value
            save(export, altered)
            assert not check_folder(export, root).is_whole, (*where, last, value)
            if check_folder(export).is_whole:
                unseen.add((*where, last))
    assert {place for place in unseen if not CLAIMS & set(place)} == set()


def test_each_key_gone_or_added_or_twice_in_the_manifest_is_a_fault(export: Path) -> None:
    data = (export / "manifest.json").read_bytes()
    manifest = json.loads(data)
    holders = {where[:n] for where in values(manifest) for n in range(len(where))}
    n_gone = 0
    for where in holders:
        for key in (None, *_at(manifest, where)) if isinstance(_at(manifest, where), dict) else ():
            altered = copy.deepcopy(manifest)
            holder = _at(altered, where)
            if key is None:
                holder["price"] = 1
            else:
                del holder[key]
            save(export, altered)
            found = check_folder(export)
            # An older export has no seals, and that is said.
            assert found.is_whole == (key == "seals"), (where, key)
            assert key != "seals" or "holds no seals" in found.notes[0]
            n_gone += 1
    assert n_gone > 100
    twice = data.replace(b'"as_of": null,', b'"as_of": null, "as_of": null,')
    (export / "manifest.json").write_bytes(twice)
    assert check_folder(export).faults == ["manifest.json: is no manifest: a key stands twice"]


def _at(value: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        value = value[key]
    return value


FEBRUARY = ("XBTUSD_240", "2026-02")
LINES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("a blank", lambda text: text.replace(b",", b", ", 1), "line 1: no canonical line of this series"),
    ("another series", lambda text: text.replace(b"XBTUSD", b"ETHUSD", 1), "no canonical line"),
    ("keys in another order", lambda text: text.replace(b'"status":"missing",', b"", 1), "line 4: no"),
    ("a line gone", lambda text: text.split(b"\n", 1)[1], "start is '2026-02-27T00:00:00Z'"),
    ("a line gone within", lambda text: _without(text, 3), "line 4: bucket 2026-02-27T16:00:00Z stands"),
    ("a line twice", lambda text: _twice(text, 2), "line 4: bucket 2026-02-27T08:00:00Z stands where"),
    ("two lines exchanged", lambda text: b"\n".join(text.split(b"\n")[1::-1]) + b"\n", "stands where"),
    ("no end", lambda text: text[:-1], "line 12 has no end"),
    ("of another month", lambda text: text.replace(b"17722", b"17922"), "is no bucket of this month"),
    ("too many lines", lambda text: text * 40, "more lines than the month has buckets"),
]  # fmt: skip


def _without(text: bytes, number: int) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(lines[:number] + lines[number + 1 :])


def _twice(text: bytes, number: int) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[: number + 1], *lines[number:]])


@pytest.mark.parametrize(("change", "said"), [one[1:] for one in LINES], ids=[one[0] for one in LINES])
def test_lines_that_cannot_be_are_named(export: Path, change: Callable[[bytes], bytes], said: str) -> None:
    alter_lines(export, FEBRUARY, change)
    assert said in " ".join(check_folder(export).faults)


def forge(text: bytes) -> bytes:
    """Alter a candle to another canonical one."""
    line = text.splitlines()[6]
    close = json.loads(line)["close"]
    return text.replace(
        line, line.replace(f'"close":"{close}"'.encode(), f'"close":"{(1.5).hex()}"'.encode())
    )


def without_csv(folder: Path) -> None:
    """Take the CSV out of an export of February."""
    manifest = manifest_of(folder)
    file = manifest["series"]["XBTUSD_240"]["months"]["2026-02"]["files"].pop("csv")
    (folder / file["path"]).unlink()
    save(folder, manifest)


def test_a_candle_altered_with_every_hash_of_its_file_is_named_by_its_day(export: Path) -> None:
    alter_lines(export, FEBRUARY, forge)
    faults = check_folder(export).faults
    assert "XBTUSD_240 2026-02-28: changed_since, and the manifest says sealed" in faults
    assert any("XBTUSD_240.incomplete.csv row 4: is not what the ledger has" in fault for fault in faults)


def test_a_candle_altered_in_all_files_and_listed_as_changed_is_told_and_with_a_root_a_fault(
    export: Path,
) -> None:
    without_csv(export)
    alter_lines(export, FEBRUARY, forge)
    manifest = manifest_of(export)
    said = {
        "series": "XBTUSD_240",
        "start": "2026-02-28",
        "end": "2026-03-02",
        "days": 2,
        "reason": "changed_since",
    }
    manifest["seals"]["unsealed"][1] = said
    save(export, manifest)
    found = check_folder(export)
    assert found.is_whole
    assert any("2 days changed since the newest seal" in note for note in found.notes)
    for root in (head_of(export), vectors("log.json")["days"]["2026-02-28"]["root"]):
        faults = check_folder(export, root).faults
        assert any(
            fault.startswith("XBTUSD_240 2026-02-28: is not as sealed by number 8") for fault in faults
        )


def test_a_csv_that_says_something_else_is_named_by_row(export: Path) -> None:
    manifest = manifest_of(export)
    file = manifest["series"]["ETHUSD_1440"]["months"]["2026-02"]["files"]["csv"]
    path = export / file["path"]
    path.write_bytes(path.read_bytes().replace(b"1772236800,4", b"1772236800,5"))
    _sign(file, path)
    save(export, manifest)
    assert check_folder(export).faults == [
        f"{file['path']} row 2: is not what the ledger has: {_eth(export)}"
    ]
    path.write_bytes(
        path.read_bytes().replace(b"1772236800,5", b"1772236800,4") + b"1772323200,1,1,1,1,1,1\n"
    )
    _sign(file, path)
    save(export, manifest)
    assert check_folder(export).faults == [f"{file['path']}: has more rows than the ledger has candles"]


def _eth(folder: Path) -> str:
    text = gzip.decompress((folder / "ETHUSD_1440/2026-02/ledger.jsonl.gz").read_bytes())
    return repr(text.splitlines()[1])


def changed(number: int, **changes: Any) -> Callable[[list[str]], list[str]]:
    """Return what alters an entry."""

    def change(texts: list[str]) -> list[str]:
        said = json.loads(texts[number - 1]) | changes
        return [*texts[: number - 1], seal_vectors.canonical(said), *texts[number:]]

    return change


LOGS: list[tuple[str, Callable[[list[str]], list[str]], str]] = [
    ("an entry gone", lambda texts: texts[:3] + texts[4:], "to be whole, and number 5 comes after 3"),
    ("the first gone", lambda texts: texts[1:], "number 2 comes after 0"),
    ("entries exchanged", lambda texts: [texts[1], texts[0], *texts[2:]], "number 1 comes after number 2"),
    ("another root", changed(4, root="0" * 64), "number 5 does not name the hash of the entry before"),
    ("another root of the last", changed(10, root="0" * 64), "ETHUSD_10080 2026-03-04: changed_since"),
    ("other counts", changed(10, stored=0, missing=1), "2026-03-04: seal number 10 counts (0, 0, 1)"),
    ("more buckets than the day has", changed(10, stored=2), "more buckets than the day"),
    ("another revision", changed(10, revision=2), "2026-03-04 does not follow revision 0"),
    ("a root before the first", changed(10, root_before="0" * 64), "does not follow"),
    ("an earlier moment", changed(10, as_of_us=1), "number 10 is of an earlier moment"),
    ("reasons out of order", changed(10, reasons=["proven", "filled"]), "its reasons are not in order"),
    ("no reason", changed(10, reasons=[]), "its reasons are not in order"),
    ("an unknown reason", changed(10, reasons=["whim"]), "line 10 is no entry: reasons cannot be"),
    ("a note without acceptance", changed(10, note="hello"), "a note goes with the reason accepted"),
    ("another version", changed(10, version=2), "line 10 is no entry: version cannot be 2"),
    ("an interval that is none", changed(10, interval=7), "line 10 is no entry: interval cannot be 7"),
    ("a blank", lambda texts: [*texts[:9], texts[9].replace(",", ", ")], "line 10 is no entry: not"),
    ("another kind", changed(10, kind="hour"), "line 10 is no entry"),
    ("no JSON", lambda texts: [*texts[:8], "", texts[9]], "line 9 is no entry"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), [one[1:] for one in LOGS], ids=[one[0] for one in LOGS])
def test_a_log_that_cannot_be_is_named(
    export: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    alter_log(export, change)
    assert said in " ".join(check_folder(export).faults)


def test_a_log_made_anew_after_an_altered_candle_is_seen_with_a_root_alone(export: Path) -> None:
    root = head_of(export)
    without_csv(export)
    alter_lines(export, FEBRUARY, forge)
    those = seal_vectors.samples()
    text = gzip.decompress((export / "XBTUSD_240/2026-02/ledger.jsonl.gz").read_bytes()).decode()
    forged = {json.loads(line)["ts"]: line for line in text.splitlines()}
    those[2] = seal_vectors.Sample("XBTUSD", 240, {**those[2].now, **forged})
    alter_log(export, lambda _: seal_vectors.sealed(those).texts)
    assert check_folder(export).is_whole
    assert "no root was given" in check_folder(export).said[-1]
    (fault,) = check_folder(export, root).faults
    assert "is neither the SHA-256 of this manifest" in fault


def test_a_root_proves_the_days_that_were_sealed_up_to_it(export: Path) -> None:
    log = vectors("log.json")
    # The day that changed since is out of it.
    manifest = manifest_of(export)
    for name, end in (("XBTUSD_240", "2026-03"),):
        del manifest["series"][name]["months"][end]
    manifest["seals"]["unsealed"] = manifest["seals"]["unsealed"][:1]
    for path in (export / "XBTUSD_240/2026-03").iterdir():
        path.unlink()
    save(export, manifest)
    found = check_folder(export, head_of(export))
    assert found.is_whole
    assert found.said[-1] == (
        "the root is the head of the log at number 10: it proves 7 days; 0 as sealed are not proven by it"
    )
    early = check_folder(export, log["entries"][4]["hash"])
    assert early.is_whole
    assert "XBTUSD_240 2026-02-28: seal number 8, revision 2, is newer than the root" in early.notes
    assert "number 5: it proves 4 days; 3 as sealed are not proven by it" in early.said[-1]
    for root, n_days in (
        (log["days"]["2026-02-27"]["root"], 2),
        (json.loads(log["entries"][9]["text"])["root"], 1),
        (sha256((export / "manifest.json").read_bytes()).hexdigest(), None),
    ):
        found = check_folder(export, root)
        assert found.is_whole
        assert n_days is None or f"it proves {n_days} day" in found.said[-1]


def test_an_entry_in_a_part_of_the_log_proves_its_own_day_only(export: Path) -> None:
    log = vectors("log.json")["entries"]

    def part(texts: list[str]) -> list[str]:
        return [text for text in texts[1:] if json.loads(text)["kind"] == "day"]

    manifest = manifest_of(export)
    manifest["seals"]["is_whole_log"] = False
    manifest["seals"]["unsealed"].insert(
        0,
        {
            "series": "ETHUSD_1440",
            "start": "2026-02-27",
            "end": "2026-02-28",
            "days": 1,
            "reason": "not_sealed",
        },
    )
    save(export, manifest)
    alter_log(export, part)
    assert check_folder(export).faults == []
    found = check_folder(export, log[9]["hash"])
    assert found.is_whole
    assert "it proves 1 day; 5 as sealed are not proven by it" in found.said[-1]
    alter_log(export, lambda texts: [*texts, log[6]["text"]])
    assert "records are sealed in a whole log only" in " ".join(check_folder(export).faults)


def test_files_that_the_manifest_does_not_name_are_reported(export: Path) -> None:
    (export / "verify.py").write_bytes(PROGRAM.read_bytes())
    (export / "README").write_bytes(b"")
    (export / ".lock").write_bytes(b"")
    (export / "XBTUSD_240/2026-03/XBTUSD_240.csv").write_bytes(b"")
    found = check_folder(export)
    assert found.faults == ["XBTUSD_240/2026-03/XBTUSD_240.csv: the manifest does not name this file"]
    assert "README is no file of the export" in found.notes
    (export / "verify.py").write_bytes(b"print('whole')")
    assert "verify.py in the folder is another program than this one" in check_folder(export).notes


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\ufeff{}", "[" * 100_000, '{"manifest_version": 1e0}']
)
def test_what_is_no_manifest_is_a_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    assert not check_folder(tmp_path).is_whole


@pytest.mark.parametrize("name", ["../x", "/etc", "..", ".x", "a\\b", "a\nb", ""])
def test_a_ticker_that_leads_out_of_the_folder_is_refused(export: Path, name: str) -> None:
    manifest = manifest_of(export)
    manifest["series"] = {f"{name}_240": manifest["series"]["XBTUSD_240"] | {"ticker": name}}
    save(export, manifest)
    assert any("its ticker is no name of a folder" in fault for fault in check_folder(export).faults)


def test_a_file_that_is_gone_or_cut_off_is_named(export: Path) -> None:
    paths = ["XBTUSD_240/2026-02/ledger.jsonl.gz", "XBTUSD_240/2026-03/ledger.jsonl.gz", "seals.jsonl.gz"]
    (export / paths[0]).unlink()
    for path in paths[1:]:
        (export / path).write_bytes((export / path).read_bytes()[:-9])
    faults = check_folder(export).faults
    assert {fault.split(":")[0] for fault in faults} == set(paths)
    assert "No such file" in " ".join(faults)
    assert "cannot be read behind line" in " ".join(faults)


def test_a_single_bucket_of_a_series_is_named_as_the_ledger_names_it() -> None:
    series = Series("A\u00e9", 60)
    line = '{"interval":60,"status":"missing","ticker":"A\\u00e9","ts":0}'
    assert verify_offline.Lines(series.ticker, 60).bucket(line.encode()) is not None


def vouch(folder: Path, seed: str, number: int, hashed: str, /, **changes: Any) -> str:
    """Sign an entry of an export, and return the public key."""
    signer = Signer.of(seed)
    signature = base64.b64encode(signer.sign(Head(number, hashed))).decode()
    said = {"kind": "signature", "number": number, "public_key": signer.public_key, "value": signature}
    (folder / "witnesses.jsonl").write_text(seal_vectors.canonical(said | changes) + "\n", encoding="utf-8")
    manifest = manifest_of(folder)
    manifest["seals"]["witnesses"] = {"path": "witnesses.jsonl"}
    _sign(manifest["seals"]["witnesses"], folder / "witnesses.jsonl")
    save(folder, manifest)
    return signer.public_key


def test_a_key_that_is_known_proves_what_it_has_signed(export: Path) -> None:
    entry = vectors("log.json")["entries"][4]
    key = vouch(export, "07" * 32, 5, entry["hash"])
    assert (
        f"number 5 is signed by key {key}: compare the key with the one that you know"
        in check_folder(export).said
    )
    found = check_folder(export, key=key)
    assert "the root is the head of the log at number 5: it proves 4 days" in found.said[-1]
    assert check_folder(export, key="ab" * 32).faults == [
        f"key: {'ab' * 32} has signed no entry that is here"
    ]


@pytest.mark.parametrize(
    ("number", "changes", "said"),
    [
        (5, {"number": 6}, "the signature of number 6 is not one of"),
        (5, {"public_key": "01" + "00" * 31}, "the signature of number 5 is not one of"),
        (5, {"value": "AA=="}, "the signature of number 5 is not one of"),
        (5, {"value": "?"}, "line 1 is no witness"),
        (5, {"public_key": None}, "line 1 is no witness"),
        (5, {"kind": "time_stamp"}, "line 1 is no witness"),
        (11, {}, "no entry has number 11, which is signed"),
    ],
)
def test_a_signature_of_something_else_is_a_fault(
    export: Path, number: int, changes: dict[str, Any], said: str
) -> None:
    vouch(export, "07" * 32, number, vectors("log.json")["entries"][4]["hash"], **changes)
    assert said in " ".join(check_folder(export).faults)
