"""What a run may be asked for: one model per DAG; Airflow makes its trigger form and its checks from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from kraken_ohlcv.core.assets import TICKER_PATTERN, TOKENISED
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.incident import KEY_PATTERN
from kraken_ohlcv.core.intervals import INTERVALS
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import DEFAULT_HOURS, DEFAULT_INTERVAL, SOURCES, Source, Tier
from kraken_ohlcv.core.times import midnight_s

Schema: TypeAlias = dict[str, Any]

UNIQUE: Final[Schema] = {"uniqueItems": True}

TierOrAll: TypeAlias = Literal[Tier, "ALL"]
# As whole numbers with an enumeration: JSON schema takes 60.0 for an integer, too.
Interval: TypeAlias = Annotated[int, Field(json_schema_extra={"enum": list(INTERVALS)})]
# Tokenised assets are let in, so that a sentence refuses them and not a pattern.
TICKER_OR_TOKENISED: Final = f"{TICKER_PATTERN}|^{TOKENISED.pattern}$"
Ticker: TypeAlias = Annotated[str, Field(pattern=TICKER_OR_TOKENISED)]
Tickers: TypeAlias = Annotated[list[Ticker], Field(min_length=1, json_schema_extra=UNIQUE)]
Day: TypeAlias = Annotated[
    date, WithJsonSchema({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
]

Moment: TypeAlias = Annotated[
    str,
    Field(
        pattern="^20[0-9]{2}(-[0-9]{2}){2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$",
        description="A day or a time, UTC unless it says otherwise: 2026-11-03 or 2026-11-03T04:00.",
    ),
]
Reason: TypeAlias = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f]*[^\s\x00-\x1f][^\x00-\x1f]*$",
    ),
]
"""Why somebody decides something, in their own words, on one line."""

TIER: Final = Field(title="Tier", description="Assets of this tier, or ALL. Ignored when tickers are given.")
INTERVAL_LIST: Final = Field(
    min_length=1,
    title="Intervals",
    description=f"Candle lengths in minutes, among Kraken's: {', '.join(map(str, INTERVALS))}.",
    examples=list(INTERVALS),
    json_schema_extra=UNIQUE,
)
TICKERS: Final = Field(
    title="Tickers",
    description="Kraken altnames such as XBTUSD; they replace the tier as selection. Tokenised assets such as"
    " AAPLxUSD are not supported.",
)


CONF_ONLY: Final = "x-conf-only"
"""Key in the schema of a param that the trigger form hides: Airflow's editor garbles a typed JSON object."""

PLAN_ONLY: Final = Field(
    title="Plan only",
    description="Only plan: task result says what would be fetched, from where and at what price; nothing is"
    " fetched, stored or recorded.",
)


class RunRequest(BaseModel):
    """The checked params of a run; each model below is also the JSON schema of its DAG's params."""

    model_config: ClassVar = ConfigDict(frozen=True)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return the request that the params of a run make.

        :param params: keys that are no param of the DAG are passed over
        :raises BadRequestError: names the param, its value and what is allowed
        """
        try:
            return cls.model_validate(params)
        except ValidationError as error:
            raise BadRequestError(
                "; ".join(
                    f"param {'.'.join(map(str, one['loc']))} is {one['input']!r}: {_cure(one)}"
                    for one in error.errors()
                )
            ) from None

    @classmethod
    def schemas(cls, **defaults: Any) -> dict[str, Schema]:
        """Return the JSON schema of each param, with ``default``, as Airflow's trigger form reads it.

        :param defaults: what differs from the defaults of the model, or has none there
        """
        made, values = cls.model_json_schema(), cls.from_params(defaults).model_dump(mode="json")
        return {
            name: _flat(schema, made.get("$defs", {})) | {"default": values[name]}
            for name, schema in made["properties"].items()
        }


def _flat(schema: Schema, parts: Mapping[str, Schema]) -> Schema:
    """Return a schema without references, and with ``"type": [kind, "null"]`` where None is allowed."""
    flat = {key: value for key, value in schema.items() if key not in {"anyOf", "$ref"}}
    if "$ref" in schema:
        flat = _flat(parts[schema["$ref"].rpartition("/")[2]], parts) | flat
    if "anyOf" in schema:
        kind, _ = (_flat(option, parts) for option in schema["anyOf"])
        flat = kind | flat | {"type": [kind["type"], "null"]}
    if "$ref" in flat.get("items", {}):
        flat["items"] = _flat(flat["items"], parts)
    return flat


class RepairRange(BaseModel):
    """UTC days, without the day ``end`` itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Day
    end: Day


class BackfillRequest(RunRequest):
    """The params of a backfill DAG; the schedule table has the defaults of those without one."""

    tier: Annotated[TierOrAll, TIER]
    intervals: Annotated[list[Interval], INTERVAL_LIST]
    lookback_days: int = Field(
        ge=0,
        le=36500,
        title="Lookback (days)",
        description="Series whose newest candle is older are skipped and named, unless the asset was added"
        " since, or two pauses of its schedule are longer. 0 = no limit.",
    )
    max_gaps_per_asset: int = Field(
        ge=0,
        le=100_000,
        title="Gaps per asset",
        description="At most so many gaps of an asset are fetched by one run, first those that Kraken stops"
        " serving soonest. 0 = no limit.",
    )
    tickers: Annotated[Tickers | None, TICKERS] = None
    retry_failed: bool = Field(
        default=False,
        title="Retry failed gaps",
        description="Claim FAILED gaps before their next attempt, including permanent failures.",
    )
    full_scan: bool = Field(
        default=False,
        title="Full scan",
        description="Read the open times of all candles, not only of months that have changed; once a week"
        " every run does.",
    )
    trades_call_budget: int = Field(
        default=200,
        ge=0,
        le=10_000,
        title="Trade calls",
        description="Calls that a run may make to rebuild candles from trades, 1,000 trades each.",
    )
    repair_from: list[Source] = Field(
        default=["ohlc", "trades"],
        min_length=1,
        title="Repair from",
        description="ohlc: the newest 720 candles; archive: published quarters, only the members that"
        " help are fetched; trades: what the other sources leave open, call by call.",
        examples=list(SOURCES),
        json_schema_extra=UNIQUE,
    )
    repair_start: Day | None = Field(
        default=None,
        title="Repair from day",
        description="Repair only the days from this one on (UTC), and compare their candles and proofs with"
        " OHLC calls and trades. Needs repair_end. In conf, repair_range {start, end} means the same.",
    )
    repair_end: Day | None = Field(
        default=None,
        title="Repair up to day",
        description="First day that is not repaired any more (UTC); it must have begun. Needs repair_start.",
    )
    repair_range: RepairRange | None = Field(
        default=None,
        title="Range to repair",
        description="The days of repair_start and repair_end as one object: {start, end}.",
        json_schema_extra={CONF_ONLY: True},
    )

    approve_above_calls: int | None = Field(
        default=None,
        ge=0,
        le=100_000,
        title="Approve above (calls)",
        description="Walks through trades with which the run makes more calls wait for an approval in"
        " Airflow's UI, 4 hours at most; what OHLC calls serve is stored before. Empty = never.",
    )
    plan_only: Annotated[bool, PLAN_ONLY] = False

    @property
    def days(self) -> tuple[date, date] | None:
        """Return the first day to repair and the first one behind, UTC, or None when everything is.

        :raises BadRequestError: if only one of them is given, or they are given twice
        """
        ends = (self.repair_start, self.repair_end)
        if self.repair_range is not None and ends != (None, None):
            raise BadRequestError("give repair_start and repair_end, or repair_range, not both")
        if self.repair_range is not None:
            return self.repair_range.start, self.repair_range.end
        start, end = ends
        if start is not None and end is not None:
            return start, end
        if start is None and end is None:
            return None
        given, absent = ("repair_start", "repair_end") if end is None else ("repair_end", "repair_start")
        raise BadRequestError(f"{given} is {start or end}, but {absent} is empty: give both or none")

    @property
    def span(self) -> Range | None:
        """Return the range to repair, epoch seconds UTC, or None when everything is.

        :raises BadRequestError: see :attr:`days`
        """
        days = self.days
        return None if days is None else (midnight_s(days[0]), midnight_s(days[1]))

    def check(self, now_s: int) -> None:
        """Refuse a range that no run can repair.

        :raises BadRequestError: names the range and the cure
        """
        if self.days is None:
            return
        start, end = self.days
        if start >= end:
            raise BadRequestError(
                f"the range to repair begins on {start} and ends on {end}: start must be earlier"
            )
        if midnight_s(end) > now_s:
            raise BadRequestError(
                f"the range to repair ends on {end}, which has not begun: use today or earlier"
            )


class GapDecision(BaseModel):
    """What is missing of a series from ``start`` to ``end``, and why it is decided on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticker: Ticker
    interval: Interval
    start: Moment
    end: Moment
    reason: Reason

    def span(self) -> Range:
        """Return the range, epoch seconds UTC.

        :raises BadRequestError: if a time is none, or the range is empty
        """
        start_s, end_s = epoch_s("start", self.start), epoch_s("end", self.end)
        if start_s >= end_s:
            raise BadRequestError(f"start {self.start} is not before end {self.end}")
        return start_s, end_s


def epoch_s(name: str, text: str) -> int:
    """Return a moment that somebody wrote, epoch seconds UTC.

    :param name: of what it was given for, for the message
    :param text: ISO day or time; without an offset it is UTC
    :raises BadRequestError: if it is none
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequestError(f"{name} {text!r} is no time: write it like 2026-11-03T04:00, UTC") from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


class ValidationRequest(RunRequest):
    """The params of the validation DAG."""

    hours: int = Field(
        default=DEFAULT_HOURS,
        ge=1,
        le=8760,
        title="Hours",
        description="A newest candle that closed longer ago is stale.",
    )
    interval_minutes: Interval = Field(
        default=DEFAULT_INTERVAL, title="Interval", description="Candle length in minutes."
    )
    tiers: list[Tier] = Field(
        default=["TIER1", "TIER2"],
        min_length=1,
        title="Tiers",
        description="Active assets of these tiers are checked; by default TIER1, TIER2 and every other"
        " tier that the plan schedules.",
        examples=list(get_args(Tier)),
        json_schema_extra=UNIQUE,
    )
    snooze: list[Annotated[str, Field(pattern=KEY_PATTERN)]] | None = Field(
        default=None,
        title="Snooze incidents",
        description="Open incidents whose growth is not reported: stale, source, at_risk, seal,"
        " slo:<tier>, run:<dag_id>, pair:<ticker>, approval:<dag_id>.",
    )
    snooze_hours: int = Field(
        default=24,
        ge=0,
        le=720,
        title="Snooze for (hours)",
        description="Duration from now; 0 ends a snooze.",
    )
    accept_gap: GapDecision | None = Field(
        default=None,
        title="Accept a gap",
        description="What is missing in this range stays missing: no run tries it, nobody is alerted, and it"
        " counts as missing in every figure: {ticker, interval, start, end, reason}, times UTC.",
    )
    take_back_gap: GapDecision | None = Field(
        default=None,
        title="Take back an accepted gap",
        description="What was accepted in this range is tried again by the next backfill:"
        " {ticker, interval, start, end, reason}, times UTC.",
    )


class ChangedDays(BaseModel):
    """Sealed UTC days of a series, without the day ``end`` itself, whose changes are accepted, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticker: Ticker
    interval: Interval
    start: Day
    end: Day
    reason: Reason


class ReportRequest(RunRequest):
    """The params of the completeness report's DAG."""

    tier: TierOrAll = Field(default="TIER1", title="Tier", description="Active assets of this tier, or ALL.")
    intervals: Annotated[list[Interval], INTERVAL_LIST] = [60, 1440]
    digest: bool = Field(
        default=False,
        title="Digest",
        description="Send to Slack what has changed since the previous report.",
    )
    verified_since: Day | None = Field(
        default=None,
        title="Verified since",
        description="Also publish the verified days of the tier and intervals from this UTC day on, again"
        " if they were published before; ISO day. Later runs go on from it.",
    )

    accept_changed_days: list[ChangedDays] | None = Field(
        default=None,
        title="Accept changed days",
        description="What has changed of these sealed days is sealed though no record explains it: a list of"
        " {ticker, interval, start, end, reason}, ISO days UTC, without the day end itself.",
    )

    verify_history_days: int = Field(
        default=30,
        ge=0,
        le=365,
        title="Verify history within (days)",
        description="Each run verifies the newest sealed days, the log, and such a part of the other sealed"
        " days that daily runs have verified all of them within so many days; 0 = none.",
    )

    def verified_since_of(self, tier: str, interval_minutes: int) -> int | None:
        """Return from which day on the verified days of a tier and interval are to be published.

        :param tier: ``TIER1`` .. ``TIER4``
        :return: its first second, epoch seconds UTC; None when the run asks for none of them
        """
        if self.verified_since is None or interval_minutes not in self.intervals:
            return None
        if self.tier not in {tier, "ALL"}:
            return None
        return midnight_s(self.verified_since)


class CleanupRequest(RunRequest):
    """The params of the clean-up DAG."""

    days: int = Field(
        default=90,
        ge=1,
        le=36500,
        title="Days",
        description="Records filled, last tried or over longer ago are deleted.",
    )
    dry_run: bool = Field(default=False, title="Dry run", description="Only count what would be deleted.")


def _cure(error: ErrorDetails) -> str:
    if error.get("ctx", {}).get("pattern") == TICKER_OR_TOKENISED:
        return "use Kraken's altname in capital letters, such as XBTUSD"
    return error["msg"]
