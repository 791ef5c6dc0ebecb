"""Every query of docs/SQL.md runs on its server; the mapping file of docs/FROM_CELERY.md is valid."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv_from_celery.mapping import read_mapping
from tests.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.world import World

DOCS = ROOT / "docs"
BLOCK = re.compile(r"```sql\n-- (QuestDB|PostgreSQL)\n(.*?)```", re.DOTALL)
QUERIES = [
    pytest.param(server, sql, id=f"{server} {number}")
    for number, (server, sql) in enumerate(BLOCK.findall((DOCS / "SQL.md").read_text(encoding="utf-8")))
]
pytestmark = pytest.mark.development

VIEW = "ohlcv_1d_from_60"


@pytest.fixture
def readable(world: World) -> Iterator[World]:
    """Give a world with candles, one of them restated, a hole that was filled, and one that waits."""
    series = Series("XBTUSD", 60)
    start, end = world.window(series)
    world.store(
        series, (start - 100 * 3600, end), without=[(start - 50 * 3600, start - 40 * 3600), (end - 7200, end)]
    )
    newest = world.stored(series, (end - 10 * 3600, end - 7200))
    said_less = [replace(one, trades=one.trades - 1) for one in newest.values() if one.trades > 1]
    write_candles(world.questdb, series, said_less, (end - 10 * 3600, end - 7200))
    world.run()
    yield world
    world.questdb.query(f"DROP MATERIALIZED VIEW IF EXISTS {VIEW}")


def test_every_block_of_the_document_is_run() -> None:
    text = (DOCS / "SQL.md").read_text(encoding="utf-8")
    assert len(QUERIES) == text.count("```sql") > 10


def test_the_queries_run_and_those_on_candles_and_gaps_find_some(readable: World) -> None:
    answers = {}
    for parameter in QUERIES:
        server, sql = parameter.values
        assert isinstance(sql, str)
        rows = readable.questdb.query(sql) if server == "QuestDB" else readable.rows(sql)
        answers[sql.split("\n", 1)[0] + str(len(answers))] = rows
    found = [rows for rows in answers.values() if rows]
    assert len(found) >= len(QUERIES) // 2


def test_the_filled_view_has_every_bucket_and_no_hole(readable: World) -> None:
    (sql,) = [str(one.values[1]) for one in QUERIES if "generate_series" in str(one.values[1])]
    start, end = readable.window(Series("XBTUSD", 60))
    wanted = sql
    for old, new in (("2026-11-01", start), ("2026-11-08", end)):
        wanted = wanted.replace(old, datetime.fromtimestamp(new, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z"))
    rows = readable.questdb.query(wanted)
    assert len(rows) == (end - start) // 3600
    stored = readable.stored(Series("XBTUSD", 60), (start, end))
    assert sum(not row[-1] for row in rows) == len(stored)
    first = next(number for number, row in enumerate(rows) if not row[-1])
    assert all(row[4] is not None for row in rows[first:])


def test_the_mapping_file_of_the_document_is_valid(tmp_path: Path) -> None:
    text = (DOCS / "FROM_CELERY.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "mapping.yaml"
    file.write_text(block, encoding="utf-8")
    mapping = read_mapping(file)
    assert mapping.tickers()[1, "EUR"] == "XBTEUR"
    assert mapping.candles is not None
    assert list(mapping.candles.sources) == ["kraken_rest", "kraken_csv"]
