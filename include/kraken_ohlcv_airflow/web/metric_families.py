"""The metrics: their names, units and words, and how they follow from what the ledger says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.incident import IncidentClass
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.stores.ledger.metrics import KeptCount, Measures, SeriesMeasure

Sample: TypeAlias = tuple[tuple[str, ...], float]
"""Values of the labels, and the sample."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the metrics follow from.

    :ivar measures: what the ledger says
    :ivar successes: when each DAG's last good run ended, epoch seconds UTC, by DAG id
    :ivar now_s: epoch seconds UTC
    """

    measures: Measures
    successes: Mapping[str, float]
    now_s: int


@dataclass(frozen=True, slots=True)
class Family:
    """A metric.

    :ivar name: with its unit; a counter's without ``_total``
    :ivar help: what it says, one sentence
    :ivar labels: names of its labels, never a ticker
    :ivar samples: takes what was seen; what is not known has no sample
    :ivar unit: the name's last word, if that is a unit
    :ivar is_counter: whether it only grows
    """

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Seen], Iterable[Sample]]
    unit: str = ""
    is_counter: bool = False

    @property
    def sample_name(self) -> str:
        """Return the name as queries use it."""
        return f"{self.name}_total" if self.is_counter else self.name

    def metric(self, seen: Seen) -> Metric:
        """Return the metric with its samples."""
        kind = CounterMetricFamily if self.is_counter else GaugeMetricFamily
        metric = kind(self.name, self.help, labels=self.labels, unit=self.unit)
        for labels, value in self.samples(seen):
            metric.add_metric(labels, value)
        return metric


class MetricCollector(Collector):
    """What prometheus-client writes out."""

    def __init__(self, seen: Seen) -> None:
        """Store what was seen."""
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """Return every metric that has a sample."""
        for family in FAMILIES:
            metric = family.metric(self._seen)
            if metric.samples:
                yield metric


def _of_series(value: Callable[[SeriesMeasure, int], float | None]) -> Callable[[Seen], Iterator[Sample]]:
    def samples(seen: Seen) -> Iterator[Sample]:
        for one in seen.measures.series:
            found = value(one, seen.now_s)
            if found is not None:
                yield (one.tier, str(one.interval_minutes)), found

    return samples


def _age(moment_s: int | None, now_s: int) -> float | None:
    return None if moment_s is None else max(0, now_s - moment_s)


def _unmeasured(one: SeriesMeasure, now_s: int) -> float | None:
    until_s = one.measured_until_s
    return None if until_s is None else max(0, now_s - until_s - step_s(one.interval_minutes))


def _gaps(seen: Seen) -> Iterator[Sample]:
    for one in seen.measures.series:
        for status in GapStatus:
            labels = (one.tier, str(one.interval_minutes), status.value)
            yield labels, seen.measures.gaps.get((one.tier, one.interval_minutes, status), 0)


def _of_kept(value: Callable[[KeptCount], float]) -> Callable[[Seen], Iterator[Sample]]:
    return lambda seen: (((one.tier, str(one.interval_minutes)), value(one)) for one in seen.measures.kept)


BY_SERIES: Final = ("tier", "interval")

FAMILIES: Final = (
    Family(
        "ohlcv_series",
        "Series of active assets that were ever looked at.",
        BY_SERIES,
        _of_series(lambda one, _: one.n_series),
    ),
    Family(
        "ohlcv_kept_series",
        "Series that a schedule keeps, of pairs that are not delisted.",
        BY_SERIES,
        _of_kept(lambda one: one.series),
    ),
    Family(
        "ohlcv_never_measured_series",
        "Series that a schedule keeps and that were never looked at: no other figure counts them.",
        BY_SERIES,
        _of_kept(lambda one: one.never_measured),
    ),
    Family(
        "ohlcv_expected_candles",
        "Candles that should exist up to the last look: stored, proven empty or missing.",
        BY_SERIES,
        _of_series(lambda one, _: one.expected or None),
    ),
    Family(
        "ohlcv_missing_candles",
        "Candles that open gaps miss, accepted gaps included.",
        BY_SERIES,
        _of_series(lambda one, _: one.missing),
    ),
    Family(
        "ohlcv_verified_ratio",
        "Share of the expected candles that are stored, undisputed, or proven empty; 0 to 1.",
        BY_SERIES,
        _of_series(lambda one, _: one.verified / one.expected if one.expected else None),
        unit="ratio",
    ),
    Family(
        "ohlcv_oldest_missing_age_seconds",
        "How long ago the oldest missing candle closed; no sample when none is missing.",
        BY_SERIES,
        _of_series(lambda one, now_s: _age(one.oldest_missing_s, now_s)),
        unit="seconds",
    ),
    Family(
        "ohlcv_newest_candle_age_seconds",
        "How long ago the newest stored candle of all these series closed.",
        BY_SERIES,
        _of_series(lambda one, now_s: _age(one.newest_candle_s, now_s)),
        unit="seconds",
    ),
    Family(
        "ohlcv_next_expiry_seconds",
        "Time until Kraken's OHLC call no longer serves a candle that is missing; no sample when none is.",
        BY_SERIES,
        _of_series(lambda one, now_s: None if one.next_expiry_s is None else one.next_expiry_s - now_s),
        unit="seconds",
    ),
    Family(
        "ohlcv_measured_until_timestamp_seconds",
        "Candles that open later were not looked for yet in at least one series that a schedule keeps.",
        BY_SERIES,
        _of_series(lambda one, _: one.measured_until_s),
        unit="seconds",
    ),
    Family(
        "ohlcv_unmeasured_age_seconds",
        "How long ago the oldest candle closed that was not looked for yet; grows while no backfill runs.",
        BY_SERIES,
        _of_series(_unmeasured),
        unit="seconds",
    ),
    Family(
        "ohlcv_gaps",
        "Gap records; every status but FILLED is open.",
        (*BY_SERIES, "status"),
        _gaps,
    ),
    Family(
        "ohlcv_assets",
        "Active assets that are expected at the exchange.",
        ("tier",),
        lambda seen: [((one.tier,), one.assets) for one in seen.measures.assets],
    ),
    Family(
        "ohlcv_assets_without_data",
        "Active assets without a stored candle.",
        ("tier",),
        lambda seen: [((one.tier,), one.without_data) for one in seen.measures.assets],
    ),
    Family(
        "ohlcv_open_incidents",
        "Incidents that are open.",
        ("class",),
        lambda seen: [((kind.value,), seen.measures.incidents.get(kind, 0)) for kind in IncidentClass],
    ),
    Family(
        "ohlcv_exchange_calls",
        "Calls that the runs of a DAG have made to Kraken since the ledger began.",
        ("dag_id",),
        lambda seen: [((one.dag_id,), one.made) for one in seen.measures.calls],
        is_counter=True,
    ),
    Family(
        "ohlcv_exchange_calls_left",
        "Calls that the newest run of a DAG has planned and not made.",
        ("dag_id",),
        lambda seen: [((one.dag_id,), one.calls_left) for one in seen.measures.calls],
    ),
    Family(
        "ohlcv_last_success_timestamp_seconds",
        "When the last good run of a DAG ended; runs that only planned do not count.",
        ("dag_id",),
        lambda seen: [((dag_id,), ended_s) for dag_id, ended_s in sorted(seen.successes.items())],
        unit="seconds",
    ),
    Family(
        "ohlcv_scrape_timestamp_seconds",
        "When these figures were read, by the clock of Airflow's web server.",
        (),
        lambda seen: [((), seen.now_s)],
        unit="seconds",
    ),
)
"""In the order in which they are written."""
