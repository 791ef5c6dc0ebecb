"""Loads the SQL templates of ``include/sql/questdb``: one statement per file, values as driver parameters.

The ledger's statements are loaded by ``clients.statements``.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range

MICROSECONDS: Final = 1_000_000

BLOCK_BUCKETS: Final = 48
"""Buckets for which QuestDB returns one number; a day of half hours, two days of hours."""
MAX_TICKERS: Final = 400
"""With more tickers QuestDB looks faster through all of them than for each."""


@cache
def statement(name: str) -> str:
    """Return the text of one statement.

    :param name: file name without ``.sql``
    :return: SQL with ``%(name)s`` markers
    :raises FileNotFoundError: if there is no such file
    """
    return (files("kraken_ohlcv.sql") / "questdb" / f"{name}.sql").read_text(encoding="utf-8")


def rendered(name: str, **params: Any) -> str:
    """Return the text of a statement whose shape depends on how many values it takes.

    :param name: file name without ``.sql``
    :param params: numbers and fixed words for the template; values from data are driver parameters
    :return: SQL with ``%(name)s`` markers
    :raises FileNotFoundError: if there is no such file
    :raises jinja2.UndefinedError: if the template asks for a param that is not given
    """
    return _template(name).render(**params)


@cache
def _template(name: str) -> Template:
    # SQL is no HTML: nothing from data goes through the template.
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return environment.from_string(statement(name))


def bounds(covered: Range) -> dict[str, int]:
    """Return the parameters of a statement about a range.

    :param covered: half-open, epoch seconds UTC
    """
    return {"from_us": covered[0] * MICROSECONDS, "until_us": covered[1] * MICROSECONDS}


def key(series: Series) -> dict[str, str]:
    """Return the key columns of a series, as they are stored and as statements take them."""
    return {"ticker": series.ticker, "interval": str(series.interval_minutes)}


def chosen(tickers: Sequence[str]) -> tuple[int, dict[str, str]]:
    """Return how many tickers a statement is to name, 0 = it looks through all of them, and their parameters.

    :param tickers: Kraken's altnames
    """
    if len(tickers) > MAX_TICKERS:
        return 0, {}
    return len(tickers), {f"ticker_{n}": ticker for n, ticker in enumerate(tickers)}


def of_blocks(rows: Sequence[Sequence[int]], *, step: int) -> BucketSet:
    """Return the buckets that numbers of blocks stand for.

    :param rows: block, counted from the epoch, and its bits: bit k = its k-th bucket
    :param step: bucket length, seconds
    """
    first = min((block for block, _ in rows), default=0)
    size = BLOCK_BUCKETS // 8
    marks = bytearray((max((block for block, _ in rows), default=0) - first + 1) * size)
    for block, bits in rows:
        marks[(block - first) * size : (block - first + 1) * size] = bits.to_bytes(size, "little")
    return BucketSet(step, first * BLOCK_BUCKETS, int.from_bytes(marks, "little"))
