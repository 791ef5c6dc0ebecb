"""What a run may be asked for."""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are not pinned
import pytest

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.incident import IncidentClass
from kraken_ohlcv.core.params import BackfillRequest, ValidationRequest
from kraken_ohlcv.core.refusals import refuse_unknown_keys
from kraken_ohlcv.core.schedules import BACKFILL_TIER1, BACKFILL_TIER2, BackfillScope, Schedule
from tests.unit.builders import NOW, at

BACKFILLS = [BACKFILL_TIER1, BACKFILL_TIER2]
NAMES = ["tier", "intervals", "lookback_days", "max_gaps_per_asset", "tickers", "retry_failed"]
NAMES += [
    "full_scan",
    "trades_call_budget",
    "repair_from",
    "repair_start",
    "repair_end",
    "repair_range",
    "approve_above_calls",
    "plan_only",
]


def schemas(entry: Schedule = BACKFILL_TIER1) -> dict[str, dict[str, Any]]:
    assert isinstance(entry.backfill, BackfillScope)
    return BackfillRequest.schemas(**entry.backfill.params())


def check(name: str, value: object) -> None:
    """Judge a value as Airflow does."""
    jsonschema.Draft7Validator(schemas()[name], format_checker=jsonschema.FormatChecker()).validate(value)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_and_made_for_the_trigger_form(name: str) -> None:
    schema = schemas()[name]
    for dialect in (jsonschema.Draft7Validator, jsonschema.Draft202012Validator):
        dialect.check_schema(schema)
    assert schema["title"]
    assert schema["description"]
    check(name, schema["default"])


def test_a_backfill_has_exactly_these_params() -> None:
    assert list(schemas()) == NAMES


@pytest.mark.parametrize("entry", BACKFILLS, ids=lambda entry: entry.dag_id)
def test_the_defaults_are_the_arguments_of_the_schedule_table(entry: Schedule) -> None:
    defaults = {name: schema["default"] for name, schema in schemas(entry).items()}
    scope = entry.backfill
    assert scope is not None
    assert BackfillRequest.from_params(defaults) == BackfillRequest(
        tier=scope.tier,
        intervals=list(scope.plan.intervals),
        lookback_days=scope.plan.lookback_days,
        max_gaps_per_asset=scope.plan.max_gaps_per_asset,
        tickers=None,
        retry_failed=False,
        trades_call_budget=200,
        repair_from=["ohlc", "trades"],
        repair_range=None,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("tier", "TIER4", id="the last tier"),
        pytest.param("tier", "ALL", id="all tiers"),
        pytest.param("intervals", [1], id="the shortest interval"),
        pytest.param("intervals", [21600, 10080, 60], id="the long intervals, in any order"),
        pytest.param("lookback_days", 0, id="no lookback limit"),
        pytest.param("max_gaps_per_asset", 0, id="no cap"),
        pytest.param("tickers", ["1INCHUSD", "SUSD"], id="odd tickers"),
        pytest.param("tickers", None, id="no tickers"),
        pytest.param("retry_failed", True, id="failed gaps too"),
        pytest.param("trades_call_budget", 0, id="no calls for trades"),
        pytest.param("repair_from", ["trades"], id="one source"),
        pytest.param("repair_range", {"start": "2026-01-01", "end": "2026-02-01"}, id="a range"),
    ],
)
def test_the_schemas_accept(name: str, value: object) -> None:
    check(name, value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("tier", "TIER9", "'TIER9'", id="tier: TIER9"),
        pytest.param("tier", "tier1", "'tier1'", id="a tier in lower case"),
        pytest.param("tier", None, "None", id="no tier"),
        pytest.param("intervals", [7], "7", id="intervals: [7]"),
        pytest.param("intervals", [60, 720], "720", id="twelve hours, which only the archive has"),
        pytest.param("intervals", 60, "60", id="a bare interval"),
        pytest.param("intervals", ["60"], "'60'", id="an interval as text"),
        pytest.param("intervals", [60, 60], r"\[60, 60\]", id="an interval twice"),
        pytest.param("intervals", [], r"\[\]", id="no interval"),
        pytest.param("lookback_days", -1, "-1", id="lookback_days: -1"),
        pytest.param("lookback_days", 1.5, "1.5", id="half a day"),
        pytest.param("lookback_days", True, "True", id="a truth for a number"),
        pytest.param("max_gaps_per_asset", -1, "-1", id="a negative cap"),
        pytest.param("max_gaps_per_asset", "10", "'10'", id="a cap as text"),
        pytest.param("tickers", ["XBT/USD"], "'XBT/USD'", id="a display name"),
        pytest.param("tickers", ["xbtusd"], "'xbtusd'", id="a ticker in lower case"),
        pytest.param("tickers", "XBTUSD", "'XBTUSD'", id="a bare ticker"),
        pytest.param("tickers", [], r"\[\]", id="an empty list of tickers"),
        pytest.param("tickers", ["XBTUSD", "XBTUSD"], "XBTUSD", id="a ticker twice"),
        pytest.param("retry_failed", "yes", "'yes'", id="a word for a truth"),
        pytest.param("trades_call_budget", -1, "-1", id="a negative budget"),
        pytest.param("repair_from", [], r"\[\]", id="no source"),
        pytest.param("repair_from", ["websocket"], "'websocket'", id="a source that does not exist"),
        pytest.param("repair_range", {"start": "2026-01-01"}, "'end'", id="a range without end"),
        pytest.param(
            "repair_range", {"start": "2026-02-30", "end": "2026-03-01"}, "'2026-02-30'", id="no such day"
        ),
        pytest.param(
            "repair_range", {"start": "2026-01-01T10:00", "end": "2026-03-01"}, "T10:00", id="a time of day"
        ),
    ],
)
def test_the_schemas_refuse_and_name(name: str, value: object, said: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=said):
        check(name, value)


def test_a_request_passes_over_what_is_no_param_of_it() -> None:
    params = {name: schema["default"] for name, schema in schemas().items()} | {"added_by_somebody": 1}
    assert BackfillRequest.from_params(params).tier == "TIER1"


def ranged(start: str, end: str) -> BackfillRequest:
    params = {name: schema["default"] for name, schema in schemas().items()}
    return BackfillRequest.from_params(params | {"repair_range": {"start": start, "end": end}})


def test_a_range_to_repair_goes_from_midnight_to_midnight_and_may_end_today() -> None:
    request = ranged("2026-11-20", "2026-11-23")
    assert request.span == (at("2026-11-20"), at("2026-11-23"))
    request.check(NOW)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        pytest.param("2026-11-20", "2026-11-24", "ends on 2026-11-24, which has not begun", id="tomorrow"),
        pytest.param("2026-11-20", "2026-11-20", "start must be earlier", id="no length"),
        pytest.param("2026-11-20", "2026-11-01", "start must be earlier", id="backwards"),
    ],
)
def test_a_range_that_no_run_can_repair_is_refused(start: str, end: str, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        ranged(start, end).check(NOW)


def test_two_days_of_the_trigger_form_are_the_same_range() -> None:
    params = {name: schema["default"] for name, schema in schemas().items()}
    days = {"repair_start": "2026-11-20", "repair_end": "2026-11-23"}
    assert BackfillRequest.from_params(params | days).span == ranged("2026-11-20", "2026-11-23").span


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"repair_start": "2026-11-20"}, "repair_end is empty: give both", id="no end"),
        pytest.param({"repair_end": "2026-11-20"}, "repair_start is empty: give both", id="no start"),
        pytest.param(
            {"repair_start": "2026-11-20", "repair_end": "2026-11-21"}
            | {"repair_range": {"start": "2026-11-20", "end": "2026-11-21"}},
            "not both",
            id="a range in both forms",
        ),
    ],
)
def test_a_range_that_is_half_there_or_twice_there_is_refused(given: dict[str, Any], said: str) -> None:
    params = {name: schema["default"] for name, schema in schemas().items()}
    with pytest.raises(BadRequestError, match=said):
        BackfillRequest.from_params(params | given).check(NOW)


@pytest.mark.parametrize("conf", [None, {}, {"tier": "TIER2"}, dict.fromkeys(NAMES)])
def test_known_conf_keys_pass(conf: dict[str, Any] | None) -> None:
    refuse_unknown_keys(conf, NAMES)


@pytest.mark.parametrize("key", ["tiers", "Tier", "lookback", ""])
def test_an_unknown_conf_key_is_refused_by_name_with_those_known(key: str) -> None:
    with pytest.raises(BadRequestError) as error:
        refuse_unknown_keys({"tier": "TIER1", key: 1}, NAMES)
    assert f"conf key {key!r} is unknown" in str(error.value)
    for name in NAMES:
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("tier", "TIER9", "param tier is 'TIER9': Input should be 'TIER1', 'TIER2'", id="a tier"),
        pytest.param("intervals", [60.5], r"param intervals\.0 is 60\.5: .*integer", id="half a minute"),
        pytest.param("tickers", [], r"param tickers is \[\]: .*at least 1", id="no ticker"),
        pytest.param("tickers", ["xbtusd"], "'xbtusd': use Kraken's altname", id="a ticker in lower case"),
        pytest.param("trades_call_budget", -1, "param trades_call_budget is -1: .*greater than", id="a debt"),
        pytest.param(
            "repair_range", {"start": "2026-02-30", "end": "2026-03-01"}, "'2026-02-30'", id="no such day"
        ),
    ],
)
def test_a_request_refuses_and_names_what_no_schema_has_let_in(name: str, value: object, said: str) -> None:
    params = {name: schema["default"] for name, schema in schemas().items()}
    with pytest.raises(BadRequestError, match=said):
        BackfillRequest.from_params(params | {name: value})


def test_a_whole_number_with_a_decimal_point_is_an_interval_as_json_schema_says() -> None:
    params = {name: schema["default"] for name, schema in schemas().items()} | {"intervals": [60.0]}
    check("intervals", [60.0])
    assert [type(one) for one in BackfillRequest.from_params(params).intervals] == [int]


@pytest.mark.parametrize("kind", IncidentClass)
def test_an_incident_of_every_class_can_be_snoozed(kind: IncidentClass) -> None:
    subjects = {
        IncidentClass.RUN: ":acme_backfill.tier1",
        IncidentClass.PAIR: ":line 7",
        IncidentClass.APPROVAL: ":backfill_tier1_daily",
        IncidentClass.SLO: ":TIER4",
    }
    key = f"{kind}{subjects.get(kind, '')}"
    jsonschema.Draft7Validator(ValidationRequest.schemas()["snooze"]).validate([key])
