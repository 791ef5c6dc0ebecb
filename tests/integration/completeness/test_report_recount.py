"""For any damaged history and gap records: every figure of the whole report is what a naive recount gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, step_s
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.damage import (
    EVIDENCE,
    MISSING,
    NOW,
    TIERS,
    Damaged,
    History,
    histories,
    of_kind,
    recount,
    spoil,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.clients.questdb.client import QuestDBClient

INTERVALS = [60, 1440]
MONTH_S = 30 * DAY_S
TODAY = NOW // DAY_S * DAY_S
STATUSES = ["DETECTED", "BACKFILLING", "FAILED", "UNFILLABLE", "FILLED"]

INSERT_GAP = """
INSERT INTO gap_records (
    ticker, interval_minutes, gap_start, gap_end, missing_candles, is_api_fillable, overflow_candles,
    candles_from_today, status, detected_at, filled_at, filled_from, expires_at, unfillable_reason,
    required_csv_file
)
VALUES (
    %(ticker)s, %(interval)s, to_timestamp(%(start_s)s), to_timestamp(%(end_s)s), %(candles)s, TRUE, 0,
    %(from_today)s, %(status)s, to_timestamp(%(detected_s)s), to_timestamp(%(filled_s)s),
    CASE WHEN %(status)s = 'FILLED' THEN 'ohlc' END, now(),
    CASE WHEN %(status)s = 'UNFILLABLE' THEN 'outside_api_window' END, 'x.csv'
)
"""


@dataclass(frozen=True)
class Record:
    """A gap record.

    :ivar series: ticker and interval
    :ivar start_s: oldest missing open time, epoch seconds UTC
    :ivar n: missing candles
    :ivar status: its state
    :ivar detected_s: epoch seconds UTC
    :ivar filled_s: epoch seconds UTC, None unless FILLED
    """

    series: Series
    start_s: int
    n: int
    status: str
    detected_s: int
    filled_s: int | None

    @property
    def values(self) -> dict[str, Any]:
        """Return the parameters of the statement that writes it."""
        step = step_s(self.series.interval_minutes)
        return {
            "ticker": self.series.ticker,
            "interval": self.series.interval_minutes,
            "start_s": self.start_s,
            "end_s": self.start_s + self.n * step,
            "candles": self.n,
            "from_today": (self.detected_s // step * step - self.start_s) // step,
            "status": self.status,
            "detected_s": self.detected_s,
            "filled_s": self.filled_s,
        }


@st.composite
def worlds(draw: st.DrawFn) -> tuple[History, list[Record]]:
    """Give a damaged history in which some days are whole, and gap records of the series that are known."""
    drawn = draw(histories(*INTERVALS))
    days = {ticker: draw(st.sets(st.integers(-4, -1), max_size=3)) for ticker in TIERS}
    history = History([_with_days(one, days[one.series.ticker]) for one in drawn.series], drawn.gone)
    records = []
    for one in history.series:
        step = step_s(one.series.interval_minutes)
        # A slot of ten buckets each: open records of a series never overlap.
        for slot in draw(st.sets(st.integers(1, 90), max_size=3)) if one.known is not None else ():
            n, status = draw(st.integers(1, 10)), draw(st.sampled_from(STATUSES))
            start_s = one.open_s(-10 * slot)
            detected_s = start_s + n * step + draw(st.integers(0, 50 * DAY_S))
            filled_s = detected_s + draw(st.integers(1, 9 * DAY_S)) if status == "FILLED" else None
            records.append(Record(one.series, start_s, n, status, detected_s, filled_s))
    return history, records


def _with_days(one: Damaged, days: Iterable[int]) -> Damaged:
    """Return a series in which these days, counted back from today, are stored whole."""
    step = step_s(one.series.interval_minutes)
    first = {day: (TODAY + day * DAY_S - one.open_s(0)) // step for day in days}
    return replace(one, stored=one.stored.union(*(range(b, b + DAY_S // step) for b in first.values())))


def cut(share: Fraction) -> float:
    """Return a share as percent, cut after four decimals."""
    return int(share * 1_000_000) / 10_000


def share(part: int, whole: int) -> float | None:
    return cut(Fraction(part, whole)) if whole else None


def moment(times_s: list[int], *, newest: bool = False) -> str | None:
    return iso(times_s[-1 if newest else 0]) if times_s else None


def is_open(record: Record) -> bool:
    return record.status != "FILLED"


def naive_line(history: Damaged, counted: dict[int, str], records: list[Record]) -> dict[str, Any]:
    """Return what the report is to say of a series, counted one by one."""
    n = {kind: len(of_kind(counted, kind)) for kind in ("stored", "pending", *EVIDENCE, *MISSING)}
    missing, saveable = of_kind(counted, *MISSING), of_kind(counted, "fillable", "expiring")
    proven = sum(n[evidence] for evidence in EVIDENCE)
    expected = n["stored"] + proven + len(missing)
    step = step_s(history.series.interval_minutes)
    disputed = history.disputed(counted)
    stored_s = sorted(history.open_s(bucket) for bucket in history.stored)
    return {
        "ticker": history.series.ticker,
        "interval": history.series.interval_minutes,
        "tier": TIERS[history.series.ticker],
        "expected": expected,
        "stored": n["stored"],
        "proven_empty": proven,
        "proven_by": {evidence: n[evidence] for evidence in EVIDENCE if n[evidence]},
        "missing": len(missing),
        "fillable": len(saveable),
        "unfillable": n["unfillable"],
        "pending": n["pending"],
        "restated": len({history.open_s(b) for b in history.restated} & set(of_kind(counted, "stored"))),
        "disputed": disputed,
        "coverage_pct": share(n["stored"], expected),
        "verified_pct": share(n["stored"] - disputed + proven, expected),
        "first_candle": moment(stored_s),
        "last_candle": moment(stored_s, newest=True),
        "oldest_open_gap": moment(missing),
        "next_expiry": moment([ts_s + 720 * step for ts_s in saveable]),
        "open_gaps": sum(is_open(record) for record in records if record.series == history.series),
    }


def naive_interval(lines: list[dict[str, Any]], records: list[Record], interval: int) -> dict[str, Any]:
    """Return what the report is to say of all series of an interval."""
    those = [line for line in lines if line["interval"] == interval]
    total = {
        name: sum(line[name] for line in those)
        for name in ("expected", "stored", "proven_empty", "missing", "pending", "disputed")
    }
    of_it = [one.status for one in records if is_open(one) and one.series.interval_minutes == interval]
    return {
        **total,
        "series": len(those),
        "coverage_pct": share(total["stored"], total["expected"]),
        "verified_pct": share(total["stored"] - total["disputed"] + total["proven_empty"], total["expected"]),
        "fillable_gaps": len(of_it) - of_it.count("UNFILLABLE"),
        "unfillable_gaps": of_it.count("UNFILLABLE"),
        "total_gaps": len(of_it),
    }


def naive_times(records: list[Record]) -> dict[str, Any]:
    """Return the gap times: a gap can be seen when its oldest bucket has closed."""
    detected = [r for r in records if r.detected_s >= NOW - MONTH_S]
    filled = [r for r in records if r.filled_s is not None and r.filled_s >= NOW - MONTH_S]
    to_detect = [r.detected_s - r.start_s - step_s(r.series.interval_minutes) for r in detected]
    to_fill = [(r.filled_s or 0) - r.detected_s for r in filled]

    def percentiles(values: list[int]) -> Any:
        if not values:
            return None
        return {f"p{p}": pytest.approx(np.percentile(values, p), abs=1) for p in (50, 95)}

    return {
        "days": 30,
        "gaps_detected": len(detected),
        "gaps_filled": len(filled),
        "mttd_s": percentiles(to_detect),
        "mttr_s": percentiles(to_fill),
    }


def naive_days(counted: dict[Series, dict[int, str]]) -> tuple[int, set[tuple[str, str]]]:
    """Return how many days can be compared, and which do not match.

    All candles are alike, so a stored day never is what its stored hours add up to.
    """
    n_compared, wrong = 0, set()
    here = {"stored", *EVIDENCE}
    for ticker in {series.ticker for series in counted}:
        for day_s, of_day in counted[Series(ticker, 1440)].items():
            hours = [counted[Series(ticker, 60)].get(day_s + n * HOUR_S) for n in range(24)]
            if of_day in here and all(kind in here for kind in hours):
                n_compared += 1
                if (of_day == "stored") or "stored" in hours:
                    wrong.add((ticker, iso(day_s)[:10]))
    return n_compared, wrong


@pytest.fixture
def questdb(candle_table: str) -> QuestDBClient:
    del candle_table
    return QuestDBHook(questdb_conn_id="questdb_default").client()


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds(), tier=st.sampled_from(["ALL", "TIER1", "TIER2"]))
def test_the_whole_report_is_what_a_naive_recount_gives(
    ledger_uri: str, questdb: QuestDBClient, world: tuple[History, list[Record]], tier: str
) -> None:
    history, records = world
    spoil(ledger_uri, questdb, history)
    run = RunKey("completeness_report_daily", "run_1")
    with connect(ledger_uri) as connection:
        connection.execute("UPDATE assets SET added_at = 'epoch'")
        for record in records:
            connection.execute(INSERT_GAP, record.values)
        report = make_report(
            connection, questdb, ReportRequest(tier=tier, intervals=INTERVALS), now_s=NOW, clock="exchange"
        )
        report.keep(connection, run)
        kept = connection.execute(
            "SELECT ticker, interval_minutes AS interval, expected, stored, missing, pending"
            " FROM completeness_lines ORDER BY ticker, interval_minutes"
        ).fetchall()
        connection.execute("TRUNCATE completeness_reports CASCADE")
    found = report.result()

    chosen = [one for one in history.series if tier in {"ALL", TIERS[one.series.ticker]}]
    tickers = {one.series.ticker for one in chosen}
    records = [record for record in records if record.series.ticker in tickers]
    counted = {one.series: recount(ledger_uri, questdb, one.series) for one in chosen}
    lines = [naive_line(one, counted[one.series], records) for one in chosen]
    with_gaps = {record.series.ticker for record in records if is_open(record)}

    assert found["series"] == lines
    assert kept == [{name: line[name] for name in kept[0]} for line in lines]
    assert (found["total_assets"], found["assets_with_gaps"]) == (len(tickers), len(with_gaps))
    due = {line["ticker"] for line in lines if line["expected"]}
    there = {line["ticker"] for line in lines if line["stored"] + line["proven_empty"]}
    assert set(found["assets_without_data"]) == tickers - there
    assert found["completeness_pct"] == share(len((due & there) - with_gaps), len(due))
    assert found["intervals"] == {str(i): naive_interval(lines, records, i) for i in INTERVALS}
    assert found["gap_times"] == naive_times(records)
    assert found["restatements"]["candles"] == sum(len(one.restated) for one in chosen)

    n_compared, wrong = naive_days(counted)
    checked = found["cross_check"]
    assert (checked["days_compared"], checked["days_mismatched"]) == (n_compared, len(wrong))
    assert {(one["ticker"], one["day"]) for one in checked["mismatches"]} <= wrong

    never = [
        f"{line['ticker']} {line['interval']}"
        for line in lines
        if not line["first_candle"] and line["expected"]
    ]
    gone = sorted(tickers & set(history.gone))
    expected_warnings = [f"never loaded: {', '.join(never)}"] if never else []
    looked_for = {one.series.ticker for one in history.series if one.known is not None}
    told = {
        True: "delisted pairs, counted up to their delisting",
        False: "pairs that the exchange never had; nothing is expected of them",
    }
    expected_warnings += [f"{told[gone[0] in looked_for]}: {gone[0]}"] if gone else []
    assert found["warnings"] == expected_warnings
