"""Due days are sealed once, and again when records explain that they have changed; else somebody is told."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.core.bucket_line import bucket_lines
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.merkle import leaf_hash, root_of
from kraken_ohlcv.core.seal import RecordsSeal, SealReason
from kraken_ohlcv.reader.stores import open_stores
from kraken_ohlcv.seals.sealing import AcceptedDays, seal
from kraken_ohlcv.stores.ledger.coverage import read_months, save
from kraken_ohlcv.stores.ledger.moments import open_write, settled_us
from kraken_ohlcv.stores.ledger.seals import read_log, sealed_until_s
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.damage import NOW, candle
from tests.integration.ledger_pages import add_proof
from tests.integration.reader.test_random_damage import INSERT
from tests.integration.seals.sealed_world import (
    DAILY,
    DAYS,
    FIRST_S,
    HOLES,
    HOUR,
    HOURLY,
    HOURS,
    days_after,
    foreign,
    put,
    revisions,
    sealed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_ohlcv.reader.stores import Stores
    from local.questdb import QuestDBServer

UPDATE = "UPDATE ohlcv SET close = 7.5 WHERE ticker = 'AAAUSD' AND interval = '60' AND ts = %(us)s"


def test_every_due_day_is_sealed_with_its_holes_and_only_once(stores: Stores) -> None:
    done = sealed(stores)
    assert (done.days, dict(done.revisions), done.disagreements) == (6, {}, [])
    seals = {(one.series, one.day_s): one for one in days_after(stores)}
    assert sorted(seals) == sorted((series, day_s) for series in (HOURLY, DAILY) for day_s in DAYS)
    found = [(seals[HOURLY, day_s].stored, seals[HOURLY, day_s].missing) for day_s in DAYS]
    # The series begins in the first day; there are two holes in the others.
    assert found == [(18, 0), (23, 1), (23, 1)]
    figures = (1.0, 9.0, 1.0, 2.0, 1.5, 0.1 * 3, 3, "trades")
    rows = [
        (ts_s, "missing", *(None,) * 8) if ts_s in HOLES else (ts_s, "stored", *figures)
        for ts_s in range(DAYS[1], DAYS[2], HOUR)
    ]
    leaves = [leaf_hash(line.encode()) for line in bucket_lines(HOURLY, rows)]
    assert seals[HOURLY, DAYS[1]].root == root_of(leaves).hex()
    (kept,) = (one.leaves for one in read_log(stores.ledger) if one.hash == seals[HOURLY, DAYS[1]].hash)
    assert kept == b"".join(leaf[:4] for leaf in leaves)
    assert sealed(stores).as_json() == {
        "days": 0,
        "revisions": {},
        "disagreements": 0,
        "head": {"number": done.head.number, "hash": done.head.hash},
        "left": 0,
    }


def fill(stores: Stores) -> None:
    put(stores, HOURLY, [HOLES[0]])


def restate(stores: Stores) -> None:
    put(stores, HOURLY, [DAYS[1]], trades=5)


def prove(stores: Stores) -> None:
    add_proof(stores.ledger, HOURLY, HOLES[0], HOLES[0] + HOUR, "ohlc")


def confirm(stores: Stores) -> None:
    put(stores, HOURLY, [DAYS[1] + HOUR])


def begin_earlier(stores: Stores, much: str) -> None:
    stores.ledger.execute(
        "UPDATE series SET start_ts = start_ts - %s::interval WHERE interval_minutes = 60", (much,)
    )


def extend(stores: Stores) -> None:
    stores.ledger.execute(
        "UPDATE series SET start_ts = start_ts - INTERVAL '1 hour' WHERE interval_minutes = 60"
    )


def contradict(stores: Stores) -> None:
    put(stores, HOURLY, [HOLES[1]])


def withdraw(stores: Stores) -> None:
    with stores.ledger.transaction():
        coverage = read_months(stores.ledger, HOURLY, [(HOLES[1], HOLES[1] + HOUR)])
        coverage.withdraw(BucketSet.of_points([HOLES[1]], step=HOUR))
        save(stores.ledger, [coverage], run=None, now_s=NOW)


@pytest.mark.parametrize(
    ("change", "day", "reason"),
    [
        pytest.param(fill, 1, "filled", id="a hole is filled"),
        pytest.param(restate, 1, "restated", id="a candle is restated"),
        pytest.param(prove, 1, "proven", id="a hole is proven empty"),
        pytest.param(confirm, 1, "confirmed", id="a provisional candle is confirmed"),
        pytest.param(extend, 0, "extended", id="the series begins earlier"),
        pytest.param(contradict, 2, "contradicted", id="a bucket proven empty has a candle"),
        pytest.param(withdraw, 2, "withdrawn", id="a proof is withdrawn"),
    ],
)
def test_a_change_that_records_explain_makes_a_revision_with_its_reason(
    stores: Stores, change: Callable[[Stores], None], day: int, reason: str
) -> None:
    foreign(
        stores,
        "UPDATE ohlcv SET source = 'archive_provisional' WHERE ts = %(us)s AND interval = '60'",
        us=(DAYS[1] + HOUR) * 1_000_000,
    )
    add_proof(stores.ledger, HOURLY, HOLES[1], HOLES[1] + HOUR, "ohlc")
    before = sealed(stores).head.number
    old = {(one.series, one.day_s): one for one in days_after(stores)}
    change(stores)
    done = sealed(stores)
    assert done.disagreements == []
    assert revisions(stores, before) == [(str(HOURLY), day, [reason])]
    (new,) = days_after(stores, before)
    assert new.root_before == old[HOURLY, DAYS[day]].root != new.root
    assert new.revision == 2
    # What explains it is sealed, too.
    assert any(isinstance(one.entry, RecordsSeal) for one in read_log(stores.ledger, after=before))
    number = done.head.number
    assert sealed(stores).head.number == number


def test_an_earlier_start_seals_the_days_before(stores: Stores) -> None:
    before = sealed(stores).head.number
    stores.ledger.execute(
        "UPDATE series SET start_ts = start_ts - INTERVAL '1 day' WHERE interval_minutes = 60"
    )
    done = sealed(stores)
    assert done.days == 1
    found = {one.day_s: (one.revision, one.buckets) for one in days_after(stores, before)}
    assert found == {DAYS[0]: (2, 24), DAYS[0] - DAY_S: (1, 18)}


def test_what_no_record_explains_is_named_until_it_is_accepted(stores: Stores) -> None:
    before = sealed(stores).head.number
    foreign(stores, UPDATE, us=HOURS[30] * 1_000_000)
    put(stores, HOURLY, [HOLES[0]])
    day_s = HOURS[30] // DAY_S * DAY_S
    assert day_s == DAYS[1]
    done = sealed(stores)
    assert days_after(stores, before) == []
    (odd,) = done.disagreements
    assert (odd.series, odd.day_s, odd.ts_s) == (HOURLY, day_s, HOURS[30])
    assert "is not what was sealed" in odd.said
    # It stays so without another change.
    assert [one.ts_s for one in sealed(stores).disagreements] == [HOURS[30]]
    accepted = AcceptedDays(HOURLY, day_s, day_s + DAY_S, "ann: checked against our copy")
    after = sealed(stores, accepted=[accepted])
    assert (after.disagreements, dict(after.revisions)) == ([], {SealReason.ACCEPTED: 1})
    (accepted_day,) = days_after(stores, before)
    assert (accepted_day.day_s, accepted_day.revision, accepted_day.note) == (day_s, 2, accepted.note)
    assert sealed(stores).disagreements == []


def test_a_disagreement_ends_when_the_day_is_as_sealed_again(stores: Stores) -> None:
    before = sealed(stores).head.number
    us = HOURS[30] * 1_000_000
    foreign(stores, UPDATE, us=us)
    touched = UPDATE.replace("SET close = 7.5", "SET stored_at = %(moment_us)s")
    foreign(stores, touched, us=us, moment_us=settled_us(stores.ledger, is_kept=True))
    assert [one.ts_s for one in sealed(stores).disagreements] == [HOURS[30]]
    foreign(stores, UPDATE.replace("7.5", "2.0"), us=us)
    done = sealed(stores)
    assert (done.disagreements, days_after(stores, before)) == ([], [])


def test_a_candle_that_no_write_brought_is_not_explained(stores: Stores) -> None:
    sealed(stores)
    moment_us = settled_us(stores.ledger, is_kept=True)
    stores.questdb.write_batch("ohlcv", INSERT, [candle(HOURLY, HOLES[0], stored_us=moment_us)])
    (odd,) = sealed(stores).disagreements
    assert (odd.day_s, odd.ts_s) == (DAYS[1], HOLES[0])
    assert "no record says what was there before" in odd.said


def test_a_sealing_that_died_between_batches_is_continued(stores: Stores) -> None:
    stores.ledger.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'died'; END $$"
    )
    stores.ledger.execute(
        "CREATE TRIGGER die BEFORE INSERT ON seal_log FOR EACH ROW"
        " WHEN (seal_field(new.entry, 'interval') = '1440') EXECUTE FUNCTION die()"
    )
    with pytest.raises(psycopg.errors.RaiseException, match="died"):
        sealed(stores)
    assert {one.series for one in days_after(stores)} == {HOURLY}
    put(stores, HOURLY, [HOLES[0]])
    stores.ledger.execute("DROP TRIGGER die ON seal_log")
    done = sealed(stores)
    assert (done.days, dict(done.revisions)) == (3, {SealReason.FILLED: 1})
    assert len(days_after(stores)) == 7


def test_two_sealings_at_once_seal_each_day_once(
    stores: Stores, ledger_uri: str, questdb_server: QuestDBServer
) -> None:
    def run(_: int) -> int:
        with open_stores(questdb_server.url(), ledger_uri, clock=lambda: NOW) as own:
            return sealed(own).days

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, range(2))) == [0, 6]
    assert len(days_after(stores)) == 6


def test_a_write_that_may_not_know_of_the_sealing_is_waited_for(
    stores: Stores, ledger_uri: str, questdb_server: QuestDBServer
) -> None:
    with connect(ledger_uri) as own, ThreadPoolExecutor(1) as pool:
        with open_write(own) as moment_us:

            def run() -> int:
                with open_stores(questdb_server.url(), ledger_uri, clock=lambda: NOW) as both:
                    return sealed(both).days

            running = pool.submit(run)
            while sealed_until_s(own) is None:
                time.sleep(0.01)
            assert list(read_log(own)) == []
        assert running.result() == 6
    assert all(one.as_of_us > moment_us for one in days_after(stores))


def test_days_that_are_not_due_are_not_sealed(stores: Stores) -> None:
    put(stores, HOURLY, [DAYS[-1] + DAY_S])
    sealed(stores)
    assert max(one.day_s for one in days_after(stores)) == DAYS[-1]
    assert min(one.day_s for one in days_after(stores)) == FIRST_S // DAY_S * DAY_S


def test_a_sealing_that_is_over_leaves_older_days_to_the_next(stores: Stores) -> None:
    done = seal(stores, now_s=NOW, is_over=lambda: True)
    assert (done.days, done.left) == (3, 3)
    assert (sealed(stores).days, sealed(stores).left) == (3, 0)


def test_days_behind_the_end_of_a_delisted_pair_lose_their_buckets(stores: Stores) -> None:
    before = sealed(stores).head.number
    stores.ledger.execute("UPDATE assets SET delisted_at = to_timestamp(%s)", (DAYS[1] + 12 * HOUR,))
    done = sealed(stores)
    assert (done.days, done.disagreements) == (0, [])
    found = {(one.series, one.day_s): (one.buckets, [*one.reasons]) for one in days_after(stores, before)}
    lost = [SealReason.LOST]
    assert found == {
        (HOURLY, DAYS[1]): (12, lost),
        (HOURLY, DAYS[2]): (0, lost),
        (DAILY, DAYS[1]): (0, lost),
        (DAILY, DAYS[2]): (0, lost),
    }
    after = done.head.number
    assert sealed(stores).head.number == after
    # The pair is back.
    stores.ledger.execute("UPDATE assets SET delisted_at = NULL")
    again = sealed(stores)
    assert again.disagreements == []
    assert {one.day_s: one.buckets for one in days_after(stores, after) if one.series == HOURLY}[
        DAYS[2]
    ] == 24
