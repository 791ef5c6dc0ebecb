"""What a run may be asked for: JSON schemas, from which Airflow makes the trigger form and the checks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kraken_ohlcv.core.assets import NOT_SUPPORTED, TICKER_PATTERN, TIERS, TOKENISED, is_tokenised
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.freshness import DEFAULT_HOURS
from kraken_ohlcv.core.intervals import INTERVALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.schedules import BackfillScope

Schema: TypeAlias = dict[str, Any]

TIER: Final[Schema] = {
    "type": "string",
    "enum": [*TIERS, "ALL"],
    "title": "Tier",
    "description": "Assets of this tier, or ALL. Ignored when tickers are given.",
}
INTERVAL_LIST: Final[Schema] = {
    "type": "array",
    "items": {"type": "integer", "enum": list(INTERVALS)},
    "minItems": 1,
    "uniqueItems": True,
    "title": "Intervals",
    "description": f"Candle lengths in minutes, among Kraken's: {', '.join(map(str, INTERVALS))}.",
    "examples": list(INTERVALS),
}
TICKERS: Final[Schema] = {
    "type": ["array", "null"],
    # Tokenised assets are let in, so that a sentence refuses them and not a pattern.
    "items": {"type": "string", "pattern": f"{TICKER_PATTERN}|^{TOKENISED.pattern}$"},
    "minItems": 1,
    "uniqueItems": True,
    "title": "Tickers",
    "description": "Kraken altnames such as XBTUSD; they replace the tier as selection. Tokenised assets"
    " such as AAPLxUSD are not supported.",
}


SOURCES: Final = ("ohlc", "archive", "trades")
"""What gaps can be repaired from."""

DAY_SCHEMA: Final[Schema] = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}

TRADES_CALL_BUDGET: Final[Schema] = {
    "type": "integer",
    "minimum": 0,
    "maximum": 10_000,
    "default": 200,
    "title": "Trade calls",
    "description": "Calls that a run may spend on rebuilding candles from trades, 1,000 trades each.",
}
REPAIR_FROM: Final[Schema] = {
    "type": "array",
    "items": {"type": "string", "enum": list(SOURCES)},
    "minItems": 1,
    "uniqueItems": True,
    "default": ["ohlc", "trades"],
    "title": "Repair from",
    "description": "ohlc: the newest 720 candles; archive: published quarters, only the members that"
    " help are fetched; trades: what the others leave open or cannot bring, call by call.",
    "examples": list(SOURCES),
}
REPAIR_RANGE: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {"start": DAY_SCHEMA, "end": DAY_SCHEMA},
    "required": ["start", "end"],
    "additionalProperties": False,
    "default": None,
    "title": "Range to repair",
    "description": "Repair only this range, and check again what is stored and proven in it, by OHLC calls"
    " and trades: {start, end}, ISO days UTC, without the day end itself.",
}


def backfill_schemas(scope: BackfillScope) -> dict[str, Schema]:
    """Return the params of a backfill DAG.

    :param scope: defaults of the DAG
    :return: JSON schema with ``default``, by param
    """
    return {
        "tier": {**TIER, "default": scope.tier},
        "intervals": {**INTERVAL_LIST, "default": list(scope.intervals)},
        "lookback_days": {
            "type": "integer",
            "minimum": 0,
            "maximum": 36500,
            "default": scope.lookback_days,
            "title": "Lookback (days)",
            "description": "Series whose newest candle is older are skipped and named, unless the asset was "
            "added since. 0 = no limit.",
        },
        "max_gaps_per_asset": {
            "type": "integer",
            "minimum": 0,
            "maximum": 100_000,
            "default": scope.max_gaps_per_asset,
            "title": "Gaps per asset",
            "description": "Gaps of an asset that may cause calls, earliest expiry first. 0 = no limit.",
        },
        "tickers": {**TICKERS, "default": None},
        "retry_failed": {
            "type": "boolean",
            "default": False,
            "title": "Retry failed gaps",
            "description": "Take FAILED gaps before their next attempt, permanent failures too.",
        },
        "trades_call_budget": TRADES_CALL_BUDGET,
        "repair_from": REPAIR_FROM,
        "repair_range": REPAIR_RANGE,
    }


def validation_schemas() -> dict[str, Schema]:
    """Return the params of the validation DAG.

    :return: JSON schema with ``default``, by param
    """
    return {
        "hours": {
            "type": "integer",
            "minimum": 1,
            "maximum": 8760,
            "default": DEFAULT_HOURS,
            "title": "Hours",
            "description": "A newest candle that closed longer ago is old.",
        },
        "interval_minutes": {
            "type": "integer",
            "enum": list(INTERVALS),
            "default": 1440,
            "title": "Interval",
            "description": "Candle length in minutes.",
        },
        "tiers": {
            "type": "array",
            "items": {"type": "string", "enum": list(TIERS)},
            "minItems": 1,
            "uniqueItems": True,
            "default": ["TIER1", "TIER2"],
            "title": "Tiers",
            "description": "Active assets of these tiers are checked.",
            "examples": list(TIERS),
        },
        "snooze": {
            "type": ["array", "null"],
            "items": {
                "type": "string",
                "pattern": "^(stale|source|at_risk|run:[a-z0-9_]+|pair:[A-Za-z0-9._ -]{1,32})$",
            },
            "default": None,
            "title": "Snooze incidents",
            "description": "Open incidents whose growth is not reported: stale, source, at_risk,"
            " run:<dag_id>, pair:<ticker>.",
        },
        "snooze_hours": {
            "type": "integer",
            "minimum": 0,
            "maximum": 720,
            "default": 24,
            "title": "Snooze for (hours)",
            "description": "For so long from now; 0 ends a snooze.",
        },
    }


def report_schemas() -> dict[str, Schema]:
    """Return the params of the completeness report's DAG.

    :return: JSON schema with ``default``, by param
    """
    return {
        "tier": {**TIER, "default": "TIER1", "description": "Active assets of this tier, or ALL."},
        "intervals": {**INTERVAL_LIST, "default": [60, 1440]},
        "digest": {
            "type": "boolean",
            "default": False,
            "title": "Digest",
            "description": "Send to Slack what has changed since the report before.",
        },
    }


def cleanup_schemas() -> dict[str, Schema]:
    """Return the params of the clean-up DAG.

    :return: JSON schema with ``default``, by param
    """
    return {
        "days": {
            "type": "integer",
            "minimum": 1,
            "maximum": 36500,
            "default": 90,
            "title": "Days",
            "description": "Records filled, last tried or over longer ago are deleted.",
        },
        "dry_run": {
            "type": "boolean",
            "default": False,
            "title": "Dry run",
            "description": "Only count what would be deleted.",
        },
    }


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The checked params of a completeness report.

    :ivar tier: ``TIER1`` .. ``TIER4`` or ``ALL``
    :ivar intervals: candle lengths, minutes
    :ivar digest: whether to send what has changed
    """

    tier: str
    intervals: list[int]
    digest: bool

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ReportRequest:
        """Return the request that the params of a run make.

        :param params: checked params
        :return: the request
        """
        # JSON schema takes 60.0 for an integer.
        return cls(params["tier"], [int(interval) for interval in params["intervals"]], params["digest"])


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """The checked params of a backfill run.

    :ivar tier: ``TIER1`` .. ``TIER4`` or ``ALL``
    :ivar intervals: candle lengths, minutes
    :ivar lookback_days: limit in days; 0 = none
    :ivar max_gaps_per_asset: limit; 0 = none
    :ivar tickers: selection that replaces the tier, or None
    :ivar retry_failed: take FAILED gaps before their time
    :ivar trades_call_budget: calls for trades, >= 0
    :ivar repair_from: sources in order
    :ivar repair_range: ``{"start", "end"}``, ISO days UTC, end exclusive, or None
    """

    tier: str
    intervals: list[int]
    lookback_days: int
    max_gaps_per_asset: int
    tickers: list[str] | None
    retry_failed: bool
    trades_call_budget: int = 200
    repair_from: Sequence[str] = ("ohlc", "trades")
    repair_range: Mapping[str, str] | None = None

    @property
    def span(self) -> Range | None:
        """Return the range to repair, epoch seconds UTC, or None when everything is."""
        if self.repair_range is None:
            return None
        start, end = (
            int(datetime.fromisoformat(self.repair_range[name]).replace(tzinfo=UTC).timestamp())
            for name in ("start", "end")
        )
        return start, end

    def check(self, now_s: int) -> None:
        """Refuse a range that no run can repair.

        :param now_s: the exchange's time, epoch seconds UTC
        :raises BadRequestError: names the range and the cure
        """
        if self.repair_range is None or self.span is None:
            return
        start, end = self.repair_range["start"], self.repair_range["end"]
        if self.span[0] >= self.span[1]:
            raise BadRequestError(f"repair_range begins on {start} and ends on {end}: start must be earlier")
        if self.span[1] > now_s:
            raise BadRequestError(f"repair_range ends on {end}, which has not begun: use today or earlier")

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> BackfillRequest:
        """Return the request that the params of a run make.

        :param params: checked params; keys that are no param of a backfill are passed over
        :return: the request
        """
        given = {name: params[name] for name in cls.known_keys()}
        # JSON schema takes 60.0 for an integer.
        whole = {
            "intervals": [int(interval) for interval in given["intervals"]],
            "trades_call_budget": int(given["trades_call_budget"]),
        }
        return cls(**{**given, **whole})

    @classmethod
    def known_keys(cls) -> list[str]:
        """Return the names of the params of a backfill."""
        return [field.name for field in fields(cls)]


def refuse_backfill_run(run_type: str, dag_id: str) -> None:
    """Refuse a run of Airflow's own *Backfill*; Airflow does, too, unless somebody has changed the DAG.

    :param run_type: what started the run, as Airflow calls it
    :param dag_id: the run's DAG
    :raises BadRequestError: says what to use instead
    """
    if run_type == "backfill":
        raise BadRequestError(
            f"a run of Airflow's Backfill is refused: every run of {dag_id} is about now, whatever its date; "
            "to repair past days, trigger backfill_tier1_daily with tickers and repair_range, for example "
            '{"tickers": ["XBTUSD"], "repair_range": {"start": "2026-11-03", "end": "2026-11-06"}}'
        )


def refuse_tokenised(tickers: Iterable[str] | None) -> None:
    """Refuse a run for assets that this package cannot ask for.

    :param tickers: the tickers that a run names, or None
    :raises BadRequestError: names the first tokenised one
    """
    for ticker in tickers or ():
        if is_tokenised(ticker):
            raise BadRequestError(f"ticker {ticker!r}: {NOT_SUPPORTED}; take it out of tickers")


def refuse_unknown_keys(conf: Mapping[str, Any] | None, known: Iterable[str]) -> None:
    """Refuse a run whose conf names what the DAG does not know; Airflow itself passes such keys silently.

    :param conf: ``dag_run.conf``
    :param known: names of the DAG's params
    :raises BadRequestError: names the unknown key and the known ones
    """
    names = sorted(known)
    for key in conf or {}:
        if key not in names:
            raise BadRequestError(f"conf key {key!r} is unknown; this DAG knows {', '.join(names)}")
