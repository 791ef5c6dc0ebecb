"""Whatever somebody alters in one of the two stores, the next verification names it; and nothing else.

``OHLCV_TAMPERINGS=1000`` in the environment makes so many random tamperings instead of 25, and
``OHLCV_TAMPERINGS_SEED`` other ones.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import polars as pl
import pytest

from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, step_s
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.reader.stores import open_stores
from kraken_ohlcv.seals.copies import newest_moment_us
from kraken_ohlcv.seals.finding import FindingKind
from kraken_ohlcv.seals.rebuild import rebuild
from kraken_ohlcv.seals.verify import verify
from kraken_ohlcv.seals.witness import Signer
from kraken_ohlcv.stores.candle_store import read_candles, write_candles
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.history import Records
from kraken_ohlcv.stores.ledger.history import keep_replaced
from kraken_ohlcv.stores.ledger.seals import Draft, Head, append, read_log, root_of_day
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.ledger.witnesses import Witness, WitnessKind, add_witness
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.command_line import CommandLine, name_stores, only_reads
from tests.integration.seals.month import DAYS, START, Month, SealedMonth, candle
from tests.integration.seals.tamperings import CandleTamperings, LedgerTamperings, Tampered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.seals.finding import Finding
    from kraken_ohlcv.seals.verify import Verification
    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer

TAMPERINGS = int(os.environ.get("OHLCV_TAMPERINGS", "25"))
SEED = int(os.environ.get("OHLCV_TAMPERINGS_SEED", "20261130"))
EVERY = 25
"""Of so many tamperings one is looked for in all series and days."""


@pytest.fixture(scope="module")
def sealed(
    postgres_server: PostgresServer, ledger_template: str, questdb_session: QuestDBServer
) -> Iterator[SealedMonth]:
    """Give a month that has passed; each test leaves it as it was."""
    name = "ledger_of_a_month"
    postgres_server.create_database(name, template=ledger_template)
    questdb_session.start()
    with questdb_session.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ohlcv")
    ensure_candle_table(QuestDBClient(QuestDBAddress.of_url(questdb_session.url(), name="of the test")))
    with open_stores(questdb_session.url(), postgres_server.uri(name)) as both:
        month = Month(both, Random(SEED))
        month.stores = replace(both, clock=lambda: month.now_s)
        found = SealedMonth(month)
        found.pass_by()
        yield found
    postgres_server.drop_database(name)


def test_nothing_is_found_in_a_month_in_which_nobody_altered_anything(sealed: SealedMonth) -> None:
    assert len(sealed.month.happened) == 6
    assert min(sealed.month.happened.values()) > 2
    assert len(sealed.roots) == DAYS
    assert sealed.alarms == []


def test_no_tampering_is_missed(sealed: SealedMonth) -> None:
    stores, random = sealed.stores, Random(SEED)
    candles = CandleTamperings(stores, random)
    ledger = LedgerTamperings(stores, random, sealed.roots)
    ways: list[CandleTamperings | LedgerTamperings] = [candles, ledger]
    missed: list[str] = []
    kinds: Counter[FindingKind] = Counter()
    for number in range(TAMPERINGS):
        with random.choice(ways).one() as tampered:
            found = look(sealed, tampered, is_full=number % EVERY == 0)
            kinds.update({one.kind for one in found.findings})
            if not any(is_about(one, tampered) for one in found.findings):
                missed.append(f"{number}: {tampered.what}; found: {[one.sentence for one in found.findings]}")
                print(missed[-1], flush=True)
        if (number + 1) % EVERY == 0:
            print(
                f"seed {SEED}: {number + 1} tamperings, {len(missed)} missed, found: {dict(kinds)}",
                flush=True,
            )
    candles.restore()
    assert missed == []
    assert verify(stores=stores).findings == []


def look(sealed: SealedMonth, tampered: Tampered, *, is_full: bool) -> Verification:
    """Verify, everything or where something was tampered with."""
    stores, series, ts_s = sealed.stores, tampered.series, tampered.ts_s
    if is_full or series is None:
        return verify(root=tampered.root, stores=stores)
    if ts_s is None:
        return verify(series.ticker, series.interval_minutes, stores=stores)
    day_s = day_of(ts_s, step_s(series.interval_minutes))
    return verify(series.ticker, series.interval_minutes, utc(day_s), utc(day_s + DAY_S), stores=stores)


def is_about(one: Finding, tampered: Tampered) -> bool:
    """Return whether a finding names what was tampered with: series and day, and of a candle its bucket."""
    if tampered.series is None:
        return one.number is not None or one.kind is FindingKind.ROOT_UNKNOWN
    if one.series != tampered.series or one.day_s is None:
        return False
    return not tampered.is_candle or one.ts_s == tampered.ts_s


def test_what_a_write_does_is_no_finding_while_it_is_open(sealed: SealedMonth) -> None:
    stores, series = sealed.stores, Series("AAAUSD", 60)
    covered = (START + DAY_S, START + 2 * DAY_S)
    before = read_candles(stores.questdb, series, covered)
    old = next(iter(before.values()))
    hole = next(ts_s for ts_s in range(*covered, HOUR_S) if ts_s not in before)
    new = [replace(old, trades=old.trades + 90, source="trades"), candle(hole, 10, "trades")]
    opens = BucketSet.of_points([old.ts_s, hole], step=HOUR_S)
    copied = CandleTamperings(stores, Random(SEED))
    with (
        connect(stores.ledger.info.dsn) as own,
        admitted(own, series, opens, now_s=sealed.month.now_s) as admission,
    ):
        admission.note_new(BucketSet.of_points([hole], step=HOUR_S))
        keep_replaced(own, series, [(old, new[0])], moment_us=admission.moment_us)
        write_candles(stores.questdb, series, new, covered, stored_us=admission.moment_us)
        assert verify(stores=stores).findings == []
        assert verify("AAAUSD", 60, stores=stores).is_as_sealed
    assert verify(stores=stores).findings == []
    copied.restore()


def test_a_candle_that_opens_at_no_bucket_of_a_sealed_day_is_named(sealed: SealedMonth) -> None:
    stores, series = sealed.stores, Series("AAAUSD", 60)
    copied = CandleTamperings(stores, Random(SEED))
    stored = sorted(read_candles(stores.questdb, series, (START + DAY_S, START + 3 * DAY_S)))
    first, second = stored[0], stored[-1]
    for moment_us in ((first + 7) * 1_000_000, second * 1_000_000 + 500_000):
        stores.questdb.query(
            "INSERT INTO ohlcv SELECT %(us)s::timestamp, ticker, interval, open, high, low, close, vwap,"
            " volume, trades, source, stored_at FROM ohlcv"
            " WHERE ticker = 'AAAUSD' AND interval = '60' AND ts = %(of)s",
            {"us": moment_us, "of": first * 1_000_000},
        )
    stores.questdb.wait_applied("ohlcv")
    found = verify(*series, utc(START + DAY_S), utc(START + 3 * DAY_S), stores=stores).findings
    copied.restore()
    strays = {one.ts_s for one in found if one.kind is FindingKind.CANDLE_UNRECORDED}
    assert strays == {first + 7, second}


def test_an_earlier_version_that_is_back_is_named_as_in_a_restored_copy(sealed: SealedMonth) -> None:
    stores = sealed.stores
    (row,) = stores.ledger.execute(
        "SELECT ticker, interval_minutes, extract(epoch FROM ts)::bigint AS ts_s, open, high, low, close,"
        " vwap, volume, trades, source, microseconds(stored_at) AS stored_us FROM replaced_candles"
        " WHERE is_applied AND stored_at IS NOT NULL ORDER BY replaced_at LIMIT 1"
    ).fetchall()
    series = Series(row.pop("ticker"), row.pop("interval_minutes"))
    stored_us, ts_s = row.pop("stored_us"), row["ts_s"]
    copied = CandleTamperings(stores, Random(SEED))
    write_candles(stores.questdb, series, [StoredCandle(**row)], (ts_s, ts_s + 1), stored_us=stored_us)
    found = verify(*series, stores=stores).findings
    copied.restore()
    assert {(one.kind, one.series, one.ts_s) for one in found} == {(FindingKind.CANDLE_CHANGED, series, ts_s)}


def test_a_partition_that_is_dropped_is_named_day_by_day(sealed: SealedMonth) -> None:
    stores, series = sealed.stores, Series("BBBUSD", 60)
    days = range(START, START + DAYS * DAY_S, DAY_S)
    copied = CandleTamperings(stores, Random(SEED))
    stores.questdb.query("ALTER TABLE ohlcv DROP PARTITION LIST '2026-09'")
    stores.questdb.wait_applied("ohlcv")
    found = verify("BBBUSD", 60, stores=stores)
    copied.restore()
    october_s = 1_790_812_800
    touched = {day_s for one, day_s in found.days_touched if one == series}
    assert touched >= {day_s for day_s in days if day_s < october_s}
    changed = [one for one in found.findings if one.kind is FindingKind.CANDLE_CHANGED]
    assert all(one.sealed is not None and one.stands is not None for one in changed)
    assert {(one.series, one.ts_s is None) for one in changed} == {(series, False)}


def test_a_candle_stored_later_than_anything_the_ledger_knows_names_the_ledger_as_the_older_copy(
    sealed: SealedMonth,
) -> None:
    stores, series = sealed.stores, Series("BBBUSD", 60)
    copied = CandleTamperings(stores, Random(SEED))
    ts_s = START + (DAYS + 1) * DAY_S
    later_us = newest_moment_us(stores.ledger) + 1
    write_candles(
        stores.questdb, series, [candle(ts_s, 9, "ohlc")], (ts_s, ts_s + HOUR_S), stored_us=later_us
    )
    found = verify(stores=stores).findings
    copied.restore()
    (one,) = [one for one in found if one.kind is FindingKind.LEDGER_OLDER]
    assert (one.series, one.day_s, one.ts_s) == (series, ts_s, ts_s)


def test_roots_kept_elsewhere_are_found_and_others_are_not(sealed: SealedMonth) -> None:
    stores = sealed.stores
    number = [one.hash for one in read_log(stores.ledger)].index(sealed.roots[3]) + 1
    assert verify("AAAUSD", 60, root=sealed.roots[3], stores=stores).root == f"entry {number:,} of the log"
    day_root = root_of_day(stores.ledger, START)
    assert day_root is not None
    assert verify("AAAUSD", 60, root=day_root.upper(), stores=stores).root == "the root of 2026-09-17"
    (one,) = verify("AAAUSD", 60, root="0" * 64, stores=stores).findings
    assert one.kind is FindingKind.ROOT_UNKNOWN
    with pytest.raises(BadRequestError, match="64 hexadecimal digits"):
        verify(root="1234", stores=stores)
    with pytest.raises(BadRequestError, match="ticker 'CCCUSD' has no series"):
        verify("CCCUSD", stores=stores)


def test_who_alters_both_stores_and_writes_the_log_anew_is_seen_by_a_root_kept_elsewhere_only(
    sealed: SealedMonth,
) -> None:
    stores, series = sealed.stores, Series("AAAUSD", 60)
    log = list(read_log(stores.ledger))
    day_s = START + (DAYS - 1) * DAY_S
    (place,) = [
        n
        for n, one in enumerate(log)
        if one.leaves and (one.day.series, one.day.day_s, one.day.revision) == (series, day_s, 1)
    ]
    records = Records.read(stores.questdb, stores.ledger, series, (day_s, day_s + DAY_S))
    now = records.now.with_columns(close=pl.col("close") + 1)
    copied = CandleTamperings(stores, Random(SEED))
    for row in now.iter_rows(named=True):
        stored_us = row.pop("stored_us")
        span = (row["ts_s"], row["ts_s"] + 1)
        write_candles(stores.questdb, series, [StoredCandle(**row)], span, stored_us=stored_us)
    root, hints = rebuild(replace(records, now=now), series, [log[place].day]).roots[0]
    drafts = [Draft(one.entry, one.leaves) for one in log]
    drafts[place] = Draft(replace(log[place].day, root=root.hex()), hints)
    with stores.ledger.transaction(force_rollback=True):
        stores.ledger.execute("SET LOCAL session_replication_role = replica")
        stores.ledger.execute("TRUNCATE seal_log")
        append(stores.ledger, drafts)
        without = verify(stores=stores)
        given = verify(root=sealed.roots[-1], stores=stores)
    copied.restore()
    assert without.findings == []
    assert [one.kind for one in given.findings] == [FindingKind.ROOT_UNKNOWN]


def look_at_first_day(sealed: SealedMonth, *, key: str | None = None) -> Verification:
    """Verify a single day of a series, which takes little time; the log is read whole."""
    return verify("AAAUSD", 60, utc(START), utc(START + DAY_S), key=key, stores=sealed.stores)


def test_a_coverage_month_that_is_deleted_is_named_whichever_day_of_it_is_verified(
    sealed: SealedMonth,
) -> None:
    ledger, series = sealed.stores.ledger, Series("AAAUSD", 60)
    before_start_s = 1_788_220_800
    with ledger.transaction(force_rollback=True):
        ledger.execute("SET LOCAL session_replication_role = replica")
        ledger.execute(
            "DELETE FROM coverage_months WHERE (ticker, interval_minutes, month) = (%s, %s, '2026-09-01')",
            series,
        )
        found = verify(*series, utc(before_start_s), utc(before_start_s + DAY_S), stores=sealed.stores)
    assert {one.kind for one in found.findings} >= {FindingKind.PROOFS_ALTERED, FindingKind.MISSING_ALTERED}
    assert {one.series for one in found.findings} == {series}


def test_an_entry_that_names_a_length_kraken_does_not_have_is_named(sealed: SealedMonth) -> None:
    ledger = sealed.stores.ledger
    one = next(one for one in read_log(ledger) if one.leaves and one.day.series.interval_minutes == 60)
    text = one.text.replace('"interval":60', '"interval":61')
    with ledger.transaction(force_rollback=True):
        ledger.execute("SET LOCAL session_replication_role = replica")
        ledger.execute(
            "UPDATE seal_log SET entry = %s, entry_hash = seal_hash(%s) WHERE number = %s",
            (text, text, one.number),
        )
        found = look_at_first_day(sealed).findings
    assert (FindingKind.LINK_BROKEN, one.number + 1) in {(finding.kind, finding.number) for finding in found}


ODD_ROWS = [
    pytest.param(
        "UPDATE coverage_changes SET evidence = 'nonsense' WHERE ticker = 'AAAUSD' AND evidence IS NOT NULL",
        [(FindingKind.UNREADABLE, "'nonsense' is not a valid Evidence")],
        id="evidence that is none",
    ),
    pytest.param(
        "DELETE FROM history",
        [(FindingKind.BEGIN_ALTERED, "has lost its row"), (FindingKind.UNREADABLE, "has lost its row")],
        id="no begin of records",
    ),
    pytest.param(
        "UPDATE history SET records_began = records_began + INTERVAL '20 days'",
        [(FindingKind.BEGIN_ALTERED, "as their begin")],
        id="a later begin of records",
    ),
    pytest.param("DELETE FROM series", [(FindingKind.SERIES_MISSING, "does not know it")], id="no series"),
    pytest.param("DELETE FROM assets", [(FindingKind.SERIES_MISSING, "does not know it")], id="no asset"),
]


@pytest.mark.parametrize(("change", "expected"), ODD_ROWS)
def test_a_row_that_is_gone_or_odd_is_named_and_ends_no_verification(
    sealed: SealedMonth, change: str, expected: list[tuple[FindingKind, str]]
) -> None:
    ledger = sealed.stores.ledger
    with ledger.transaction(force_rollback=True):
        ledger.execute("SET LOCAL session_replication_role = replica")
        ledger.execute("ALTER TABLE coverage_changes DROP CONSTRAINT coverage_changes_evidence_check")
        ledger.execute(change)
        found = look_at_first_day(sealed).findings
    for kind, said in expected:
        assert [one.kind for one in found if said in one.sentence].count(kind) == 1


def test_a_moment_that_cannot_be_read_leaves_the_days_of_other_series_verified(sealed: SealedMonth) -> None:
    ledger = sealed.stores.ledger
    (row,) = ledger.execute("SELECT max(record_id) AS id FROM replaced_candles").fetchall()
    alter = "UPDATE replaced_candles SET replaced_at = {} WHERE record_id = %s"
    ledger.execute(
        "CREATE TEMPORARY TABLE kept_row AS SELECT * FROM replaced_candles WHERE record_id = %s", [row["id"]]
    )
    try:
        with ledger.transaction():
            ledger.execute("SET LOCAL session_replication_role = replica")
            ledger.execute(alter.format("'infinity'"), [row["id"]])
        found = verify(stores=sealed.stores)
    finally:
        with ledger.transaction():
            ledger.execute("SET LOCAL session_replication_role = replica")
            ledger.execute(alter.format("(SELECT replaced_at FROM kept_row)"), [row["id"]])
        ledger.execute("DROP TABLE kept_row")
    assert {one.kind for one in found.findings} == {FindingKind.UNREADABLE}
    assert found.days > 100


def test_signatures_are_checked_and_the_bad_one_is_named(sealed: SealedMonth) -> None:
    ledger, known, other = sealed.stores.ledger, Signer.of("17" * 32), Signer.of("18" * 32)
    log = list(read_log(ledger))
    first, last = (Head(one.number, one.hash) for one in (log[4], log[-1]))
    with ledger.transaction(force_rollback=True):
        for signed in (first, last):
            signature = known.sign(signed)
            add_witness(ledger, Witness(signed.number, WitnessKind.SIGNATURE, signature, known.public_key))
        good = look_at_first_day(sealed, key=known.public_key.upper())
        assert (good.findings, good.signed) == ([], {known.public_key: last.number})
        (unknown,) = look_at_first_day(sealed, key=other.public_key).findings
        assert (unknown.kind, unknown.sealed) == (FindingKind.KEY_UNKNOWN, f"key {other.public_key}")
        ledger.execute(
            "UPDATE seal_witnesses SET value = set_byte(value, 9, 7 # get_byte(value, 9)) WHERE number = %s",
            (first.number,),
        )
        add_witness(ledger, Witness(last.number + 1, WitnessKind.SIGNATURE, bytes(64), known.public_key))
        bad = look_at_first_day(sealed).findings
    broken = [(FindingKind.WITNESS_BROKEN, number) for number in (first.number, last.number + 1)]
    assert [(one.kind, one.number) for one in bad] == broken


def test_logins_that_may_only_read_verify_and_say_what_they_do_not_see(
    sealed: SealedMonth, questdb_session: QuestDBServer
) -> None:
    dsn = sealed.stores.ledger.info.dsn
    with only_reads(f"{dsn} user=postgres") as reading:
        url = reading if "only_reads" in reading else f"{dsn} user=only_reads"
        with open_stores(questdb_session.url(), url, clock=lambda: sealed.month.now_s) as stores:
            found = verify(stores=stores)
    assert found.findings == []
    assert found.days > 100
    assert [("moments" in one) for one in found.not_checked] == [True]


def test_the_command_says_that_all_is_as_sealed_or_names_what_is_not(
    sealed: SealedMonth,
    questdb_session: QuestDBServer,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name_stores(monkeypatch, questdb_session, postgres_server.uri("ledger_of_a_month"))
    cli = CommandLine(monkeypatch, capsys)
    good = cli("verify")
    assert (good.code, good.out.split(" are as sealed; log head ")[0][:4]) == (0, "All ")
    assert cli("verify", "--root", sealed.roots[-1], "--json").json["root"].startswith("entry ")
    stores, series = sealed.stores, Series("AAAUSD", 60)
    copied = CandleTamperings(stores, Random(SEED))
    ts_s, old = next(iter(read_candles(stores.questdb, series, (START, START + DAY_S)).items()))
    altered = replace(old, close=old.close * 1.001)
    write_candles(stores.questdb, series, [altered], (ts_s, ts_s + HOUR_S), stored_us=old.stored_us)
    said, json = cli("verify", "AAAUSD", "--interval", "60"), cli("verify", "AAAUSD", "--json")
    copied.restore()
    assert said.code == json.code == 1
    first = said.out.splitlines()[0]
    assert first.startswith("Not as sealed: entry ")
    assert f"AAAUSD 60 on 2026-09-17, bucket {utc(ts_s):%H:%M}" in first
    assert "accept_changed_days" in said.out
    assert json.json["days_touched"] == [{"ticker": "AAAUSD", "interval": 60, "day": "2026-09-17"}]
    assert {one["ts"] for one in json.json["findings"]} == {utc(ts_s).replace(tzinfo=None).isoformat()}
    assert cli("verify", "NOSUCH").code == cli("verify", "--root", "12").code == 2
    assert cli("verify", "--key", "12").code == 2
    assert cli("verify", "AAAUSD", "--to", "2020-01-01").code == 1
