"""Bring the candles and gap records of the Celery application over.

``kraken-ohlcv import-celery MAPPING.yaml`` says what would be done; with ``--write`` it is done.
Safe to run again: what stands already is left as it is. ``--mark-imported`` instead of a mapping gives
candles that version 0.1.0 brought over the source ``imported``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException

from kraken_hooks.dsn import ledger_dsn
from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.clients.errors import QuestDBError
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.assets import read_catalogue
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.settings import LEDGER_CONN_ID, QUESTDB_CONN_ID
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import ensure_candle_table, migrate_ledger
from kraken_ohlcv_from_celery.candles import check_candles, import_candles
from kraken_ohlcv_from_celery.gaps import check_gaps, import_gaps
from kraken_ohlcv_from_celery.mapping import Mapping, MappingError, read_mapping
from kraken_ohlcv_from_celery.marking import mark_imported
from kraken_ohlcv_from_celery.report import Report


def main(argv: Sequence[str]) -> int:
    """Run the import.

    :param argv: arguments without the program's name
    :return: exit code: 0 done, 1 a database failed, 2 the mapping does not fit
    """
    parser = argparse.ArgumentParser(prog="kraken-ohlcv import-celery", description=__doc__)
    parser.add_argument("mapping", type=Path, nargs="?", help="YAML, see docs/FROM_CELERY.md")
    parser.add_argument("--mark-imported", action="store_true", help="mark candles imported by version 0.1.0")
    parser.add_argument("--tickers", nargs="+", help="with --mark-imported: only these")
    parser.add_argument(
        "--write", action="store_true", help="write the changes; without it, nothing is changed"
    )
    arguments = parser.parse_args(argv)
    if arguments.mark_imported == (arguments.mapping is not None):
        parser.error("name a mapping, or give --mark-imported")
    try:
        if arguments.mark_imported:
            _mark(arguments.tickers, write=arguments.write)
        else:
            _import(read_mapping(arguments.mapping), write=arguments.write)
    except OhlcvError as error:
        print(error, file=sys.stderr)
        return 2
    except AirflowNotFoundException as error:
        print(f"{error}: define it, or correct the connection named in the mapping", file=sys.stderr)
        return 2
    except (QuestDBError, psycopg.Error) as error:
        print(f"stopped; run it again after fixing this: {error}", file=sys.stderr)
        return 1
    if not arguments.write:
        print("Nothing was written. Add --write to write it.")
    return 0


def _import(mapping: Mapping, *, write: bool) -> None:
    now_s = int(time.time())
    catalogue = read_catalogue()
    known = {entry.ticker for entry in catalogue.entries}
    for ticker in mapping.tickers().values():
        if ticker not in known:
            raise MappingError(f"ticker {ticker} is not in the catalogue; add it to assets.yaml first")
    # Empty tables are what an import begins with: a dry run makes them too, and nothing else.
    new, dsn = _stores()
    # Before candles are written: a mapping that does not fit is refused whole.
    old_dsn = ledger_dsn(mapping.gaps.connection) if mapping.gaps else ""
    gaps_left = check_gaps(old_dsn, mapping, mapping.gaps) if mapping.gaps else Counter[str]()
    coming: dict[Series, BucketSet] = {}
    if mapping.candles is not None:
        new.check_bulk()
        old = QuestDBHook(questdb_conn_id=mapping.candles.connection).client()
        spans, left = check_candles(old, mapping, mapping.candles)
        print("candles:")
        _print_left(left)
        with connect(dsn) as connection:
            for done in import_candles(
                connection, old, new, mapping.candles, spans, now_s=now_s, write=write
            ):
                _print(done)
                coming[done.series] = done.coming
    if mapping.gaps is not None:
        print("gap records:")
        _print_left(gaps_left)
        # A dry run does everything, so that it says the same, and takes it back.
        with (
            connect(dsn) as connection,
            nullcontext() if write else connection.transaction(force_rollback=True),
        ):
            sync_catalogue(connection, catalogue.entries, catalogue.tickers_with_problems)
            for report in import_gaps(
                old_dsn, connection, new, mapping, mapping.gaps, coming=coming, now_s=now_s
            ):
                _print(report)


def _mark(tickers: Sequence[str] | None, *, write: bool) -> None:
    questdb, dsn = _stores()
    print("candles that were imported:")
    with connect(dsn) as connection:
        for report in mark_imported(connection, questdb, tickers, write=write):
            _print(report)


def _stores() -> tuple[QuestDBClient, str]:
    """Return the candle store and the ledger's DSN, both with tables of this version."""
    questdb, dsn = QuestDBHook(questdb_conn_id=QUESTDB_CONN_ID).client(), ledger_dsn(LEDGER_CONN_ID)
    migrate_ledger(dsn)
    ensure_candle_table(questdb)
    return questdb, dsn


def _print_left(left: Counter[str]) -> None:
    for what, n_rows in left.items():
        print(f"  ignored: {what}, rows {n_rows}")


def _print(report: Report) -> None:
    for line in report.lines():
        print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
