"""A statement has the root of each day, and says which days were sealed again, and which not at all."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from typer.core import TyperGroup
from typer.main import get_command

from kraken_ohlcv.core.seal import NO_ENTRY, DaySeal, SealReason
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.statement.document import is_good
from kraken_ohlcv.stores.ledger.disagreements import Disagreement, keep_disagreements
from kraken_ohlcv.stores.ledger.seals import Draft, append, read_log
from kraken_ohlcv_cli.app import app
from tests.integration.scripted_month import DAILY, HOURLY, OCTOBER, OTHER, made
from tests.unit.builders import DAY, HOUR

if TYPE_CHECKING:
    from kraken_ohlcv.core.gap import Series
    from tests.integration.scripted_month import Month

FIRST, SECOND = OCTOBER.start_s, OCTOBER.start_s + DAY


def seal(series: Series, day_s: int, revision: int = 1, *reasons: SealReason, root: str = "ab") -> Draft:
    """Return a seal that is to be added."""
    entry = DaySeal(
        number=0,
        before=NO_ENTRY,
        as_of_us=(OCTOBER.end_s + revision) * 1_000_000,
        series=series,
        day_s=day_s,
        revision=revision,
        reasons=reasons or (SealReason.FIRST,),
        root=root * 32,
        root_before=None if revision == 1 else "ab" * 32,
        stored=1,
        empty=0,
        missing=0,
    )
    return Draft(entry, leaves=b"\0\0\0\0")


def sealed(month: Month) -> None:
    """Seal the first day of three series, and one of them again; of the second day one series of the tier."""
    with month.ledger() as connection:
        append(
            connection,
            [seal(HOURLY, FIRST), seal(DAILY, FIRST), seal(OTHER, FIRST), seal(HOURLY, SECOND)],
        )
        append(connection, [seal(HOURLY, FIRST, 2, SealReason.FILLED, SealReason.RESTATED, root="cd")])


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node of RFC 9162."""
    return hashlib.sha256(b"\1" + left + right).digest()


def test_a_day_has_the_root_over_the_newest_seals_of_all_series(month: Month) -> None:
    sealed(month)
    statement = made(month)
    seals = statement.document["seals"]
    with month.ledger() as connection:
        log = {(one.day.series, one.day.day_s): one for one in read_log(connection)}
        newest = log[HOURLY, FIRST]
    leaves = [
        hashlib.sha256(b"\0" + log[series, FIRST].text.encode()).digest() for series in (HOURLY, DAILY, OTHER)
    ]
    days = {one["day"]: one for one in seals["days"]}
    assert len(days) == 31
    assert days["2026-10-01"] == {
        "day": "2026-10-01",
        "root": node(node(leaves[0], leaves[1]), leaves[2]).hex(),
        "sealed": 2,
        "unsealed": 0,
        "all_series": 3,
    }
    assert (days["2026-10-02"]["sealed"], days["2026-10-02"]["unsealed"]) == (1, 1)
    assert (days["2026-10-03"]["root"], days["2026-10-03"]["unsealed"]) == (None, 2)
    assert (seals["head"]["number"], seals["head"]["hash"]) == (5, newest.hash)
    (again,) = seals["revisions"]["listed"]
    assert (again["day"], again["revision"], again["reasons"]) == ("2026-10-01", 2, ["filled", "restated"])
    assert (again["root"], again["root_before"]) == ("cd" * 32, "ab" * 32)
    assert "59 days of single series are due and not sealed" in " ".join(statement.document["unknown"])
    html = statement.html()
    for said in (
        days["2026-10-01"]["root"],
        "a missing bucket was stored; a candle got other values",
        f"kraken-ohlcv verify AAAUSD --interval 60 --interval 1440 --from 2026-10-01 --to 2026-11-01 --root "
        f"{newest.hash}",
    ):
        assert said in html, said


def test_a_day_that_is_not_over_is_not_one_that_is_not_sealed(month: Month) -> None:
    sealed(month)
    during = made(month, now_s=SECOND + 12 * HOUR).document
    days = {one["day"]: one["unsealed"] for one in during["seals"]["days"]}
    assert sum(days.values()) == 0
    assert not any("not sealed" in said for said in during["unknown"])


def test_the_commands_that_verify_it_are_commands_of_this_version(month: Month) -> None:
    sealed(month)
    commands = [one["command"] for one in made(month).document["verify"]]
    ours = [one.split()[1:] for one in commands if one.startswith("kraken-ohlcv ")]
    assert {words[0] for words in ours} == {"verify", "export", "statement"}
    program = get_command(app)
    for words in ours:
        with program.make_context("kraken-ohlcv", list(words)) as context:
            assert isinstance(program, TyperGroup)
            _, command, rest = program.resolve_command(context, list(words))
            assert command is not None
            # Raises for an option or an argument that the command does not take.
            command.make_context(words[0], rest, parent=context)


def test_no_root_is_shown_of_a_log_that_somebody_has_altered(month: Month) -> None:
    sealed(month)
    with month.ledger() as connection:
        connection.execute("ALTER TABLE seal_log DISABLE TRIGGER ALL")
        connection.execute("ALTER TABLE seal_log DROP CONSTRAINT seal_has_its_hash")
        connection.execute("UPDATE seal_log SET entry = replace(entry, ':', ' :') WHERE number = 2")
    document = made(month).document
    assert document["seals"]["unreadable_entries"] == [2]
    assert {one["root"] for one in document["seals"]["days"]} == {None}
    assert "The log of seals was altered: entry 2 cannot be read" in " ".join(document["unknown"])


def test_a_sealed_day_that_changed_without_a_record_is_named(month: Month) -> None:
    sealed(month)
    found = Disagreement(HOURLY, FIRST, FIRST + 5 * HOUR, "the candle has <other> values")
    with month.ledger() as connection:
        keep_disagreements(connection, [found, replace(found, series=OTHER)])
    statement = made(month)
    (one,) = statement.document["seals"]["changed_without_record"]
    assert (one["day"], one["bucket"], one["what"]) == ("2026-10-01", iso(found.ts_s), found.said)
    html = statement.html()
    assert "The candle has &lt;other&gt; values." in html
    assert "Seals are broken" in html
    assert not is_good({**statement.document, "targets": []})


def test_a_ledger_without_seals_says_so(month: Month) -> None:
    statement = made(month)
    assert statement.document["seals"]["head"] is None
    assert "Nothing is sealed in this ledger" in statement.html()
    assert [one["command"].split()[1] for one in statement.document["verify"]] == ["statement"]
