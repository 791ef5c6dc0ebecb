"""An export carries the seals of its days, and says which days do not stand as sealed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.seal import RecordsSeal, SealedRecord
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.export import exporter, prove_exported_bucket, verify_offline
from kraken_ohlcv.export.verify_offline import check_folder, check_proof
from kraken_ohlcv.seals.inclusion import NoProofError, prove_bucket
from kraken_ohlcv.seals.witness import Signer, witness_head
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.seals import Draft, Head, append, head, root_of_day
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.ledger.witnesses import Witness, WitnessKind, add_witness
from tests.integration.command_line import CommandLine
from tests.integration.export.desk import HOUR, NOVEMBER, NOW, OCTOBER, SEPTEMBER
from tests.integration.export.exports import changed, contents, manifest_of, opened

if TYPE_CHECKING:
    pass
from tests.integration.export.desk import Desk

DAILY = Series("XBTUSD", 1440)
DAYS = range(SEPTEMBER, NOVEMBER + 22 * DAY_S, DAY_S)
"""All days of the hours of ``desk`` that are over."""


@pytest.fixture
def sealed(desk: Desk) -> Desk:
    """Give stores whose days are sealed."""
    desk.seal(DAYS)
    return desk


def seals_of(folder: Path) -> dict[str, Any]:
    """Return what the manifest says of seals."""
    found: dict[str, Any] = manifest_of(folder)["seals"]
    return found


def entries_of(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of an export."""
    text = gzip.decompress((folder / "seals.jsonl.gz").read_bytes())
    return [json.loads(line) for line in text.splitlines()]


def test_an_export_of_sealed_days_is_verified_with_the_head_of_the_log(sealed: Desk) -> None:
    done = sealed.export(whole_log=True)
    assert (done.days["as_sealed"], done.days["changed_since"], done.days["not_sealed"]) == (83, 0, 1)
    said = seals_of(sealed.folder)
    assert (said["entries"], said["is_whole_log"], said["head"]["number"]) == (83, True, 83)
    assert said["unsealed"] == [
        {"series": "XBTUSD_60", "start": "2026-11-23", "end": "2026-11-24", "days": 1, "reason": "not_sealed"}
    ]
    found = check_folder(sealed.folder, said["head"]["hash"])
    assert (found.faults, found.notes) == ([], [])
    assert "it proves 83 days; 0 as sealed are not proven by it" in found.said[-1]
    assert (sealed.folder / "verify.py").read_bytes() == Path(verify_offline.__file__).read_bytes()


def test_done_again_no_byte_changes_although_the_log_has_grown_about_something_else(sealed: Desk) -> None:
    sealed.export(end="2026-10-01")
    before = contents(sealed.folder)
    record = SealedRecord("1", "XBTUSD", 60, SEPTEMBER, "ab" * 32)
    with connect(sealed.world.dsn) as ledger:
        now_us = settled_us(ledger)
        append(
            ledger, [Draft(RecordsSeal(number=0, before="", as_of_us=now_us, table="t", records=(record,)))]
        )
    sealed.export(end="2026-10-01")
    assert changed(before, contents(sealed.folder)) == set()
    assert {entry["day"][:7] for entry in entries_of(sealed.folder)} == {"2026-09"}
    sealed.export(end="2026-10-01", whole_log=True)
    assert [entry["number"] for entry in entries_of(sealed.folder)] == list(range(1, 85))
    assert check_folder(sealed.folder, seals_of(sealed.folder)["head"]["hash"]).is_whole
    sealed.export(end="2026-10-01")
    assert seals_of(sealed.folder)["is_whole_log"]


def test_a_day_changed_since_its_seal_is_listed_until_it_is_sealed_again(sealed: Desk) -> None:
    sealed.export()
    sealed.restate(OCTOBER + 20 * HOUR, close=1.25)
    done = sealed.export()
    assert done.days["changed_since"] == 1
    said = seals_of(sealed.folder)["unsealed"][0]
    assert said == {
        "series": "XBTUSD_60", "start": "2026-10-01", "end": "2026-10-02", "days": 1,
        "reason": "changed_since",
    }  # fmt: skip
    found = check_folder(sealed.folder)
    assert found.is_whole
    assert "1 day changed since the newest seal" in found.notes[0]

    sealed.seal([OCTOBER], reason="restated")
    # Its month is not read: what the folder holds of it is compared.
    sealed.export(start="2026-11-01")
    assert [one["reason"] for one in seals_of(sealed.folder)["unsealed"]] == ["not_sealed"]
    assert [entry["revision"] for entry in entries_of(sealed.folder) if entry["day"] == "2026-10-01"] == [
        1,
        2,
    ]
    assert check_folder(sealed.folder).is_whole


def test_months_that_are_not_read_keep_what_was_known_of_their_days(sealed: Desk) -> None:
    sealed.restate(OCTOBER + 20 * HOUR, close=1.25)
    sealed.export(end="2026-11-01")
    sealed.export(start="2026-11-01")
    assert [(one["start"], one["days"]) for one in seals_of(sealed.folder)["unsealed"]] == [
        ("2026-10-01", 1),
        ("2026-11-23", 1),
    ]
    assert check_folder(sealed.folder).is_whole


def test_an_export_of_the_past_has_the_seals_of_then(sealed: Desk) -> None:
    moment = sealed.pin("before")
    sealed.restate(OCTOBER + 20 * HOUR, close=1.25)
    sealed.seal([OCTOBER], reason="restated")
    sealed.export(as_of=moment)
    assert len(entries_of(sealed.folder)) == 83
    assert [one["reason"] for one in seals_of(sealed.folder)["unsealed"]] == ["not_sealed"]
    assert check_folder(sealed.folder).is_whole


def test_what_is_sealed_while_an_export_runs_is_left_to_the_next_one(
    sealed: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = exporter.bucket_frame

    def meanwhile(*given: Any, **options: Any) -> Any:
        frame = read(*given, **options)
        monkeypatch.setattr(exporter, "bucket_frame", read)
        sealed.restate(OCTOBER + 20 * HOUR, close=1.25)
        sealed.seal([OCTOBER], reason="restated")
        return frame

    monkeypatch.setattr(exporter, "bucket_frame", meanwhile)
    assert sealed.export().days["changed_since"] == 0
    assert check_folder(sealed.folder).is_whole
    assert sealed.export().days["as_sealed"] == 83
    assert len(entries_of(sealed.folder)) == 84
    assert check_folder(sealed.folder).is_whole


def test_a_series_that_begins_within_a_day_stands_as_sealed_from_there_on(desk: Desk) -> None:
    series, start_s = Series("XBTUSD", 240), OCTOBER + 36 * HOUR
    desk.know(start_s, series)
    with connect(desk.world.dsn) as connection:
        connection.execute("UPDATE assets SET first_trade_at = to_timestamp(%s)", (SEPTEMBER,))
    desk.put(*range(start_s, NOVEMBER, 4 * HOUR), series=series)
    desk.seal([OCTOBER + DAY_S, OCTOBER + 2 * DAY_S], series=series, start_s=start_s)
    done = desk.export(series, start="2026-10-01", end="2026-11-01")
    assert (done.holes["missing"], done.days["as_sealed"], done.days["changed_since"]) == (9, 2, 0)
    assert check_folder(desk.folder).is_whole


def test_a_damaged_file_of_seals_is_written_again_and_an_export_without_a_ledger_has_them_too(
    sealed: Desk,
) -> None:
    sealed.export(formats=["csv"])
    before = contents(sealed.folder)
    assert seals_of(sealed.folder)["unsealed"] == []
    assert check_folder(sealed.folder).is_whole
    (sealed.folder / "seals.jsonl.gz").write_bytes(b"")
    (sealed.folder / "verify.py").write_bytes(b"")
    sealed.export(formats=["csv"])
    after = contents(sealed.folder)
    assert {name: data for name, (_, data) in before.items()} == {
        name: data for name, (_, data) in after.items()
    }


def test_days_of_other_lengths_of_candles_stand_as_sealed(desk: Desk) -> None:
    weekly = Series("XBTUSD", 10080)
    for series in (DAILY, weekly):
        step = series.interval_minutes * 60
        first = -(-SEPTEMBER // step) * step
        desk.know(first, series)
        desk.put(*range(first, NOVEMBER + 14 * DAY_S, step), series=series)
        desk.seal([ts_s + step - DAY_S for ts_s in range(first, NOVEMBER + 14 * DAY_S, step)], series=series)
    done = desk.export(intervals=[1440, 10080])
    assert done.days["as_sealed"] == 75 + 11
    assert check_folder(desk.folder).is_whole


def test_a_bucket_is_proven_from_the_stores_and_from_an_export(
    sealed: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed.export(whole_log=True, end="2026-11-01")
    out = tmp_path / "proof.json"
    buckets = {SEPTEMBER: "stored", SEPTEMBER + 5 * HOUR: "empty_trades", OCTOBER + 7 * HOUR: "missing"}
    for ts_s, status in buckets.items():
        with opened(sealed.server, sealed.world.dsn, NOW) as stores:
            proof = prove_bucket(stores, "XBTUSD", 60, utc(ts_s))
            root = root_of_day(stores.ledger, day_of(ts_s, HOUR))
        assert root is not None
        assert f'"status":"{status}"' in proof["line"]
        assert check_proof(json.dumps(proof).encode(), root).is_whole
        assert prove_exported_bucket(sealed.folder, "XBTUSD", 60, utc(ts_s)) == proof
        arguments = (
            "proof",
            "XBTUSD",
            iso(ts_s),
            "-i",
            "60",
            "-o",
            str(out),
            "--export",
            str(sealed.folder),
        )
        done = CommandLine(monkeypatch, capsys)(*arguments)
        assert (done.code, root in done.out) == (0, True)
        assert check_proof(out.read_bytes(), root).is_whole


def test_what_is_not_sealed_or_not_as_sealed_has_no_proof(sealed: Desk) -> None:
    sealed.export(end="2026-11-01")
    with pytest.raises(NoProofError, match="has no ledger of XBTUSD 60 in 2026-11"):
        prove_exported_bucket(sealed.folder, "XBTUSD", 60, "2026-11-01")
    part = prove_exported_bucket(sealed.folder, "XBTUSD", 60, "2026-10-01T20:00")
    assert part["day"] is None
    sealed.restate(OCTOBER + 20 * HOUR, close=1.25)
    sealed.put(OCTOBER + 2 * DAY_S, close=1.75)
    sealed.export(end="2026-11-01")
    with pytest.raises(NoProofError, match="XBTUSD 60 on 2026-10-01 is not as it was sealed"):
        prove_exported_bucket(sealed.folder, "XBTUSD", 60, "2026-10-01T20:00")
    with opened(sealed.server, sealed.world.dsn, NOW) as stores:
        # The ledger knows what the restated candle was; nobody recorded the other one.
        assert prove_bucket(stores, "XBTUSD", 60, "2026-10-01T20:00") != part
        assert prove_bucket(stores, "XBTUSD", 60, "2026-10-01T20:00")["line"] == part["line"]
        for at, said in (("2026-10-03", "is not as it was sealed"), ("2026-11-23T05:00", "is not sealed")):
            with pytest.raises(NoProofError, match=said):
                prove_bucket(stores, "XBTUSD", 60, at)


def test_a_signed_head_and_a_server_that_is_away(sealed: Desk, caplog: pytest.LogCaptureFixture) -> None:
    signer = Signer.of("07" * 32)
    with connect(sealed.world.dsn) as ledger:
        newest = head(ledger)
        nowhere = "http://127.0.0.1:9/"
        assert witness_head(ledger, newest, signer=signer, time_stamp_url=nowhere) == [WitnessKind.SIGNATURE]
        assert witness_head(ledger, newest, signer=signer, time_stamp_url=nowhere) == []
        assert "the next sealing tries again" in caplog.text
        assert witness_head(ledger, Head(), signer=signer, time_stamp_url=None) == []
        add_witness(ledger, Witness(newest.number, WitnessKind.TIME_STAMP, b"0"))
    sealed.export(whole_log=True)
    found = check_folder(sealed.folder, key=signer.public_key)
    assert (found.faults, found.is_whole) == ([], True)
    assert "1 time stamp not checked: openssl does that, see docs/SEALS.md" in found.said
    assert "the root is the head of the log at number 83: it proves 83 days" in found.said[-1]
    before = contents(sealed.folder)
    sealed.export(whole_log=True)
    assert changed(before, contents(sealed.folder)) == set()
