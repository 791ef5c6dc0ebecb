"""Random tamperings with one of the two stores, as somebody could make them who owns it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.sql import SQL, Composable, Identifier

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.merkle import leaf_hash
from kraken_ohlcv.stores.ledger.seals import head, sealed_days
from kraken_ohlcv.stores.queries import statement

if TYPE_CHECKING:
    from random import Random

    from kraken_ohlcv.reader.stores import Stores

INSERT: Final = statement("insert_candle")
SOURCES: Final = ("ohlc", "trades", "archive", "archive_provisional", "imported")
COLUMNS: Final = ("open", "high", "low", "close", "vwap", "volume", "trades", "source")


@dataclass(frozen=True, slots=True)
class Tampered:
    """What was tampered with.

    :ivar what: in words
    :ivar series: ticker and interval; None = the log, which belongs to no series
    :ivar ts_s: open time of the bucket, epoch seconds UTC; None = no single one is named
    :ivar root: hash kept elsewhere that a verification is given, hexadecimal; None = none is needed
    :ivar is_candle: whether a candle was, so that its bucket is to be named
    """

    what: str
    series: Series | None = None
    ts_s: int | None = None
    root: str | None = None
    is_candle: bool = False


class CandleTamperings:
    """Tampers with QuestDB; a copy of the table on the server gives back what was there."""

    def __init__(self, stores: Stores, random: Random) -> None:
        """Copy the table, and look up what is sealed.

        The first day of a series is left out: what lies before its start is in no seal.
        """
        self._questdb, self._random = stores.questdb, random
        self._days = {
            series: [day_s for stretch in stretches for day_s in stretch][1:]
            for series, stretches in sealed_days(stores.ledger).items()
        }
        self._sealed_us = head(stores.ledger).as_of_us or 0
        self._questdb.query("DROP TABLE IF EXISTS ohlcv_untouched")
        self._questdb.query("CREATE TABLE ohlcv_untouched AS (SELECT * FROM ohlcv) TIMESTAMP(ts)")
        rows = self._questdb.query(
            "SELECT ticker, interval, ts::long / 1000000L, open, high, low, close, vwap, volume, trades,"
            " source, stored_at::long FROM ohlcv"
        )
        self._rows = {
            (Series(ticker, int(interval)), ts_s): dict(zip((*COLUMNS, "stored_us"), rest, strict=True))
            for ticker, interval, ts_s, *rest in rows
        }

    @contextmanager
    def one(self) -> Iterator[Tampered]:
        """Tamper with a bucket, and give back what was there."""
        series = self._random.choice(sorted(self._days))
        day_s = self._random.choice(self._days[series])
        opens = range(day_s, day_s + DAY_S, step_s(series.interval_minutes))
        ts_s = self._random.choice(opens)
        row = self._rows.get((series, ts_s))
        stored = [one for one in opens if (series, one) in self._rows]
        if row is None and stored and self._random.random() < 0.5:
            # Rows that are there are tampered with more often: to take one out again takes long.
            ts_s = self._random.choice(stored)
            row = self._rows[series, ts_s]
        new, what = self._inserted() if row is None else self._altered(row)
        self._put(series, ts_s, new)
        try:
            yield Tampered(f"{series} at {ts_s}: {what}", series, ts_s, is_candle=True)
        finally:
            if row is None:
                self.restore()
            else:
                self._put(series, ts_s, row)

    def _altered(self, row: dict[str, Any]) -> tuple[dict[str, Any], str]:
        name = self._random.choice([*COLUMNS, "stored_us"])
        old: Any = row[name]
        new = dict(row)
        if name == "stored_us":
            earlier, later = old - self._random.randrange(1, 10**9), self._sealed_us + 1
            new[name] = self._random.choice([None, earlier, later])
        elif name == "source":
            new[name] = self._random.choice([one for one in SOURCES if one != old])
        elif name == "trades":
            new[name] = old + self._random.choice([-1, 1, 1000])
        elif name == "vwap" and old is not None and self._random.random() < 0.5:
            new[name] = None
        else:
            new[name] = math.nextafter(old or 1.0, self._random.choice([0.0, math.inf]))
        if name != "stored_us" and self._random.random() < 0.5:
            new["stored_us"] = self._moment()
        return new, f"{name} {old} became {new[name]}, stored at {row['stored_us']} became {new['stored_us']}"

    def _inserted(self) -> tuple[dict[str, Any], str]:
        figures: dict[str, Any] = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5, "vwap": 100.2}
        rest = {
            "volume": 2.0,
            "trades": 3,
            "source": self._random.choice(SOURCES),
            "stored_us": self._moment(),
        }
        return figures | rest, f"inserted, stored at {rest['stored_us']}"

    def _moment(self) -> int | None:
        """Return a moment that somebody may claim."""
        others = [row["stored_us"] for row in self._random.sample(sorted_rows(self._rows), 2)]
        moments: list[int | None] = [None, self._sealed_us + 1, self._sealed_us - 1, *others]
        return self._random.choice(moments)

    def _put(self, series: Series, ts_s: int, row: dict[str, Any]) -> None:
        key = {"ticker": series.ticker, "interval": str(series.interval_minutes), "ts_us": ts_s * 1_000_000}
        self._questdb.write_batch("ohlcv", INSERT, [key | row])

    def restore(self) -> None:
        """Make the table what it was."""
        self._questdb.query("TRUNCATE TABLE ohlcv")
        self._questdb.query("INSERT INTO ohlcv SELECT * FROM ohlcv_untouched")
        self._questdb.wait_applied("ohlcv")


def sorted_rows(rows: dict[tuple[Series, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in an order that each run has."""
    return [rows[key] for key in sorted(rows)]


RECORDS: Final[dict[str, dict[str, str]]] = {
    "replaced_candles": {
        **{name: f"{name} * 1.0000001" for name in ("open", "high", "low", "close", "volume")},
        "vwap": "CASE WHEN vwap IS NULL THEN 1 END",
        "trades": "trades + 1",
        "source": "CASE source WHEN 'imported' THEN 'ohlc' ELSE 'imported' END",
        "stored_at": "coalesce(stored_at, replaced_at) - INTERVAL '1 microsecond'",
        "replaced_at": "replaced_at + INTERVAL '1 microsecond'",
        "ts": "ts + make_interval(mins => interval_minutes)",
    },
    "former_sources": {
        "first_bucket": "first_bucket + 1",
        "buckets": "buckets || B'1'",
        "source": "CASE source WHEN 'imported' THEN 'ohlc' ELSE 'imported' END",
        "stored_at": "coalesce(stored_at, replaced_at) - INTERVAL '1 microsecond'",
        "replaced_at": "replaced_at + INTERVAL '1 microsecond'",
    },
    "candle_restatements": {
        "ts": "ts + make_interval(mins => interval_minutes)",
        "source": "source || 'x'",
        "old": "old || '{\"close\": 1.5}'",
        "new": "new || '{\"close\": 1.5}'",
        "first_seen_at": "first_seen_at - INTERVAL '1 second'",
        "applied_at": "applied_at + INTERVAL '1 second'",
        "recorded_at": "recorded_at - INTERVAL '1 second'",
    },
    "coverage_changes": {
        "evidence": "CASE WHEN evidence IS NULL THEN 'ohlc' WHEN evidence = 'ohlc' THEN 'trades' END",
        "first_bucket": "first_bucket + 1",
        "buckets": "buckets || B'1'",
        "changed_at": "changed_at - INTERVAL '1 second'",
        "run_id": "coalesce(run_id, '') || 'x'",
        "recorded_at": "recorded_at - INTERVAL '1 microsecond'",
    },
    "series_starts": {
        "start_ts": "start_ts + make_interval(mins => interval_minutes)",
        "recorded_at": "recorded_at - INTERVAL '1 microsecond'",
    },
    "added_candles": {
        "first_bucket": "first_bucket + 1",
        "buckets": "buckets || B'1'",
        "written_at": "written_at - INTERVAL '1 microsecond'",
    },
}
"""What becomes of a column of a record, by table; times claim moments before the newest sealing."""

KEYS: Final = {
    "replaced_candles": "record_id",
    "former_sources": "record_id",
    "candle_restatements": "restatement_id",
    "coverage_changes": "change_id",
    "series_starts": "change_id",
    "added_candles": "record_id",
}
MOMENTS: Final = {
    "replaced_candles": "replaced_at",
    "former_sources": "replaced_at",
    "candle_restatements": "recorded_at",
    "coverage_changes": "recorded_at",
    "series_starts": "recorded_at",
    "added_candles": "written_at",
}
BITMAPS: Final = ("missing", "empty_archive", "empty_ohlc", "empty_trades", "disputed")
FLIPPED: Final = SQL(
    "set_bit(coalesce({0}, %(zeros)s::bit varying), %(bucket)s,"
    " 1 - get_bit(coalesce({0}, %(zeros)s::bit varying), %(bucket)s))"
)
COUNTS: Final = {
    "stored": "stored + %(number)s",
    "first_ts": "first_ts - make_interval(mins => interval_minutes)",
    "last_ts": "last_ts + make_interval(mins => interval_minutes)",
    "off_grid_us": "off_grid_us + %(number)s",
    "reconciled": "coalesce(reconciled, 0) + %(number)s",
}
"""What becomes of what was counted of a coverage month."""


class LedgerTamperings:
    """Tampers with the ledger as its owner, in transactions that are rolled back."""

    def __init__(self, stores: Stores, random: Random, roots: list[str]) -> None:
        """Keep what to tamper with.

        :param roots: heads of the log that are kept elsewhere, the newest last
        """
        self._connection, self._random, self._roots = stores.ledger, random, roots

    @contextmanager
    def one(self) -> Iterator[Tampered]:
        """Tamper with something, and give back what was there."""
        kinds = [self._record, self._record, self._record, self._page, self._page, self._entry, self._entry]
        with self._connection.transaction(force_rollback=True):
            # No trigger of any table fires, and no constraint on what it holds is in the way.
            self._connection.execute("SET LOCAL session_replication_role = replica")
            self._connection.execute(
                "ALTER TABLE seal_log DROP CONSTRAINT seal_has_its_hash, DROP CONSTRAINT seal_says_its_number"
            )
            self._connection.execute(
                "ALTER TABLE coverage_months DROP CONSTRAINT proven_once_and_never_missing,"
                " DROP CONSTRAINT disputed_against_trades"
            )
            yield self._random.choice(kinds)()

    def _rows(self, sql: Any, *values: Any) -> list[dict[str, Any]]:
        return self._connection.execute(sql, values).fetchall()

    def _record(self) -> Tampered:
        table = self._random.choice([*RECORDS])
        key, moment = Identifier(KEYS[table]), Identifier(MOMENTS[table])
        of = {"table": Identifier(table), "key": key, "moment": moment}
        keys = self._rows(
            SQL("SELECT {key} AS key FROM {table} WHERE {moment} IS NOT NULL ORDER BY {key}").format(**of)
        )
        chosen = self._random.choice(keys)["key"]
        ((row),) = self._rows(
            SQL("SELECT ticker, interval_minutes FROM {table} WHERE {key} = %s").format(**of), chosen
        )
        series = Series(row["ticker"], row["interval_minutes"])
        how = self._random.choice(["alter", "alter", "delete", "add"])
        if how == "alter":
            column = self._random.choice([*RECORDS[table]])
            self._connection.execute(
                SQL("UPDATE {table} SET {column} = {new} WHERE {key} = %s").format(
                    column=Identifier(column), new=SQL(RECORDS[table][column]), **of
                ),
                (chosen,),
            )
            return Tampered(f"{table} {chosen}: {column} altered", series)
        if how == "delete":
            self._connection.execute(SQL("DELETE FROM {table} WHERE {key} = %s").format(**of), (chosen,))
            return Tampered(f"{table} {chosen}: deleted", series)
        names = [
            one["name"]
            for one in self._rows(
                "SELECT attname AS name FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                " AND NOT attisdropped AND attidentity = ''",
                table,
            )
        ]
        earlier = [
            SQL("{} - INTERVAL '7 microseconds'").format(Identifier(name))
            if name == MOMENTS[table]
            or (name == "stored_at" and table in {"replaced_candles", "former_sources"})
            else Identifier(name)
            for name in names
        ]
        self._connection.execute(
            SQL("INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {key} = %s").format(
                names=SQL(", ").join(map(Identifier, names)), values=SQL(", ").join(earlier), **of
            ),
            (chosen,),
        )
        return Tampered(f"{table} {chosen}: added once more, earlier", series)

    def _page(self) -> Tampered:
        pages = self._rows(
            "SELECT ticker, interval_minutes, month, extract(epoch FROM month)::bigint AS month_s,"
            " buckets_in_month(month, interval_minutes) AS n, reconciled, stored FROM coverage_months"
            " WHERE stored > 0 ORDER BY 1, 2, 3"
        )
        page = self._random.choice(pages)
        series = Series(page["ticker"], page["interval_minutes"])
        where = (*series, page["month"])
        column = self._random.choice([*BITMAPS, *BITMAPS, *COUNTS, "page"])
        bucket = self._random.randrange(page["n"])
        number = self._random.randrange(1, 9)
        of_page = " WHERE ticker = %(ticker)s AND interval_minutes = %(interval)s AND month = %(month)s"
        if column == "page":
            what: Composable = SQL("DELETE FROM coverage_months")
        else:
            new = SQL(COUNTS[column]) if column in COUNTS else FLIPPED.format(Identifier(column))
            what = SQL("UPDATE coverage_months SET {} = {}").format(Identifier(column), new)
        self._connection.execute(
            what + SQL(of_page),
            {
                "ticker": series.ticker,
                "interval": series.interval_minutes,
                "month": page["month"],
                "bucket": bucket,
                "number": number,
                "zeros": "0" * page["n"],
            },
        )
        return Tampered(f"page {where}: {column}, bucket {bucket}, {number}", series, page["month_s"])

    def _entry(self) -> Tampered:
        entries = self._rows("SELECT number, entry, kind FROM seal_log ORDER BY number")
        one = self._random.choice(entries)
        last, number = entries[-1]["number"], one["number"]
        how = self._random.choice(["text", "rehashed", "delete", "cut", "swap", "leaves"])
        what = f"entry {number} of {last}, {one['kind']}: {how}"
        root = self._roots[-1]
        if how in {"text", "rehashed"}:
            self._alter(number, one["entry"], is_rehashed=how == "rehashed")
            # Of the last one nobody else names the hash.
            return Tampered(what, root=root if number == last else None)
        if how == "delete" and number < last:
            self._connection.execute("DELETE FROM seal_log WHERE number = %s", (number,))
            return Tampered(what)
        if how in {"cut", "delete"}:
            self._connection.execute("DELETE FROM seal_log WHERE number >= %s", (number,))
            return Tampered(what, root=root)
        if how == "swap":
            other = number + 1 if number < last else number - 1
            for new, old in ((10**9, number), (number, other), (other, 10**9)):
                self._connection.execute("UPDATE seal_log SET number = %s WHERE number = %s", (new, old))
            return Tampered(what)
        days = [row["number"] for row in entries if row["kind"] == "day"]
        chosen = self._random.choice(days)
        self._connection.execute(
            "UPDATE seal_log SET leaves = set_byte(leaves, 1, get_byte(leaves, 1) # 1) WHERE number = %s",
            (chosen,),
        )
        return Tampered(f"entry {chosen}: leaves")

    def _alter(self, number: int, entry: str, *, is_rehashed: bool) -> None:
        """Alter a digit of an entry, one that leaves it something that the table takes."""
        places = [place for place, letter in enumerate(entry) if letter.isdigit()]
        for place in self._random.sample(places, len(places)):
            text = f"{entry[:place]}{(int(entry[place]) + 1) % 10}{entry[place + 1 :]}"
            hashed = leaf_hash(text.encode()) if is_rehashed else None
            try:
                with self._connection.transaction():
                    self._connection.execute(
                        "UPDATE seal_log SET entry = %s, entry_hash = coalesce(%s, entry_hash)"
                        " WHERE number = %s",
                        (text, hashed, number),
                    )
                return
            except psycopg.Error:
                continue
        raise AssertionError(f"entry {number} cannot be altered")
