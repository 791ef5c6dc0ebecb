"""Accepting a gap on the page and taking that back: who may, what is said of it, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.web.conftest import DAILY, HOURLY, OWN, detail
from tests.web.test_actions import gap_id

if TYPE_CHECKING:
    from tests.integration.world import World
    from tests.web.conftest import Site

REASON = "Kraken confirmed that it lost these"


def accepted(world: World) -> list[dict[str, Any]]:
    """Return the accepted records."""
    return [gap for gap in world.gaps() if gap["accepted_by"] is not None]


def accept(site: Site, number: int, user: str = "ops", **body: Any) -> Any:
    """Accept a gap over the API."""
    body = {"reason": REASON, **body}
    return site.client(user).post(f"/ohlcv/api/gaps/{number}/accept", json=body, headers=OWN)


def test_a_gap_is_accepted_by_the_user_who_pressed_and_taken_back(site: Site, damaged: World) -> None:
    client = site.client("ops")
    cells = client.get("/ohlcv/api/coverage").json()
    number = gap_id(damaged, "FAILED")
    (gap,) = [one for one in damaged.gaps() if one["gap_id"] == number]
    seen = {"start": gap["gap_start"].isoformat(), "end": gap["gap_end"].isoformat()}
    answer = client.post(
        "/ohlcv/actions/accept",
        data={"gap_id": number, "reason": f"  {REASON} ", **seen},
        headers={**OWN, "Referer": "http://testserver/ohlcv/gaps?status=failed"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "../gaps?status=failed")
    assert [(one["gap_id"], one["accepted_by"], one["accepted_reason"]) for one in accepted(damaged)] == [
        (number, "ops", REASON)
    ]

    page = client.get("/ohlcv/gaps?status=accepted").text
    assert "Accepted by <b>ops</b>" in page
    assert REASON in page
    assert "Take back" in page
    assert "Backfill now" not in page
    assert "Retry 1 failed gap" not in client.get("/ohlcv/gaps").text
    # It is still missing: every list of open gaps has it, and so has every cell.
    assert client.get("/ohlcv/api/coverage").json() == cells
    assert cells["series"]
    listed = client.get("/ohlcv/api/gaps?status=failed").json()["gaps"]
    assert [(one["gap_id"], one["accepted_by"]) for one in listed] == [(number, "ops")]

    answer = client.post(
        "/ohlcv/actions/take-back", data={"gap_id": number, "reason": "they sent a file"}, headers=OWN
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "../gaps")
    assert accepted(damaged) == []
    history = damaged.rows("SELECT decision, decided_by, reason FROM gap_decisions ORDER BY decision_id")
    assert [tuple(row.values()) for row in history] == [
        ("accepted", "ops", REASON),
        ("taken_back", "ops", "they sent a file"),
    ]
    assert "Retry 1 failed gap" in client.get("/ohlcv/gaps").text


def test_what_a_record_has_grown_by_since_it_was_seen_is_not_accepted(site: Site, damaged: World) -> None:
    number = gap_id(damaged, "FAILED")
    (gap,) = [one for one in damaged.gaps() if one["gap_id"] == number]
    half_s = (gap["start_s"] + gap["end_s"]) // 2 // 3600 * 3600
    seen = damaged.rows("SELECT to_timestamp(%(at)s) AS at", at=half_s)[0]["at"].isoformat()
    answer = accept(site, number, end=seen)
    assert (answer.status_code, answer.json()["candles"]) == (200, (half_s - gap["start_s"]) // 3600)
    assert [(one["start_s"], one["end_s"]) for one in accepted(damaged)] == [(gap["start_s"], half_s)]


def test_one_press_takes_back_all_that_a_decision_was_about(site: Site, damaged: World) -> None:
    hole = damaged.rows(
        "UPDATE gap_records SET accepted_by = 'eve', accepted_at = '2026-11-20Z', accepted_reason = 'old'"
        " WHERE gap_id IN (SELECT gap_id FROM gap_records WHERE interval_minutes = 1440"
        " ORDER BY gap_start DESC LIMIT 2) RETURNING gap_id"
    )
    assert len(hole) == 2
    answer = site.client("ops").post(
        f"/ohlcv/api/gaps/{hole[0]['gap_id']}/take-back", json={"reason": "we want them"}, headers=OWN
    )
    assert answer.json() == {"ticker": DAILY.ticker, "interval_minutes": 1440, "candles": 4, "by": "ops"}
    assert accepted(damaged) == []


def test_an_accepted_gap_is_not_backfilled_nor_asked_for_from_the_archive(site: Site, damaged: World) -> None:
    number = gap_id(damaged, "UNFILLABLE")
    assert HOURLY.ticker in site.client("viewer").get("/ohlcv/gaps.csv").text
    assert accept(site, number).status_code == 200
    assert HOURLY.ticker not in site.client("viewer").get("/ohlcv/gaps.csv").text
    answer = site.client("ops").post(f"/ohlcv/api/gaps/{number}/backfill", headers=OWN)
    assert answer.status_code == 409
    assert detail(answer) == f"Gap {number} was accepted by ops: take that back to have it tried again."


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        pytest.param({"reason": " "}, 422, "", id="without a reason"),
        pytest.param({"reason": "x" * 501}, 422, "", id="with an endless reason"),
        pytest.param({"reason": "lost\x00"}, 422, "", id="with what no database keeps"),
        pytest.param({"reason": "lost\nand found"}, 422, "", id="on two lines"),
        pytest.param({"start": "2026-11-01"}, 422, "", id="from a day without a time"),
        pytest.param({"end": "2020-01-01T00:00:00Z"}, 409, "othing is missing", id="of a time before it"),
    ],
)
def test_a_decision_that_says_too_little_is_refused(
    site: Site, damaged: World, body: dict[str, str], status: int, said: str
) -> None:
    answer = accept(site, gap_id(damaged, "FAILED"), **body)
    assert answer.status_code == status
    assert said in answer.text
    assert accepted(damaged) == []


def test_a_gap_that_is_filled_or_unknown_is_not_accepted(site: Site, damaged: World) -> None:
    number = gap_id(damaged, "FILLED")
    answer = accept(site, number)
    assert (answer.status_code, detail(answer)[:29]) == (409, "Nothing is missing of XBTUSD ")
    assert accept(site, 10**9).status_code == 404
    answer = site.client("ops").post(
        f"/ohlcv/api/gaps/{gap_id(damaged, 'FAILED')}/take-back", json={"reason": "why"}, headers=OWN
    )
    assert (answer.status_code, detail(answer)[-47:]) == (
        409,
        "is not accepted: there is nothing to take back.",
    )


def test_only_those_decide_who_may_start_the_hourly_check(site: Site, damaged: World) -> None:
    number = gap_id(damaged, "FAILED")
    answer = accept(site, number, user="viewer")
    assert answer.status_code == 403
    page = site.client("viewer").get("/ohlcv/gaps").text
    assert "Accept as missing" not in page
    assert page.count("Accepted") == 1  # the choice of the filter
    assert "Accept as missing" in site.client("ops").get("/ohlcv/gaps").text
    foreign = site.client("ops").post(
        "/ohlcv/actions/take-back",
        data={"gap_id": number, "reason": "x"},
        headers={"Origin": "http://elsewhere", "Sec-Fetch-Site": "cross-site"},
    )
    assert foreign.status_code == 403
    assert accepted(damaged) == []
