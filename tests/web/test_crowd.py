"""Many pages at once: few take threads, some wait, the rest are refused. Schema and answers agree."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest

from kraken_ohlcv_airflow.web.asgi import AT_ONCE, TOO_MANY, WAITING, Pages

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tests.integration.world import World
    from tests.web.conftest import Site


class Slow:
    """An application whose answers wait in a thread each, as the pages' do, until they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.now = self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with nothing."""
        del scope, receive
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.to_thread(self.let_go.wait)
        self.now -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def crowd(pages: Pages, slow: Slow, path: str) -> tuple[list[httpx.Response], list[httpx.Response]]:
    """Ask 200 times at once, let go once all that can wait do, then ask for six more."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url="http://pages") as client:
        asked = [asyncio.create_task(client.get(path)) for _ in range(200)]
        while sum(one.done() for one in asked) < len(asked) - AT_ONCE - WAITING:
            await asyncio.sleep(0)
        assert slow.now == AT_ONCE
        slow.let_go.set()
        answers = await asyncio.gather(*asked)
        return answers, await asyncio.gather(*(client.get(path) for _ in range(6)))


@pytest.mark.parametrize("path", ["/coverage", "/api/coverage"])
def test_of_200_pages_at_once_few_take_threads_and_the_rest_are_told_to_come_again(path: str) -> None:
    slow, pages = Slow(), Pages()
    pages.__dict__["_app"] = slow
    answers, later = asyncio.run(crowd(pages, slow, path))
    assert slow.most == AT_ONCE
    refused = [one for one in answers if one.status_code == 503]
    assert len(refused) == 200 - AT_ONCE - WAITING
    assert {one.status_code for one in answers} == {200, 503}
    assert TOO_MANY in refused[0].text
    assert refused[0].headers["retry-after"] == "5"
    if path.startswith("/api/"):
        assert refused[0].json() == {"detail": TOO_MANY}
    assert {one.status_code for one in later} == {200}


ASKED = [
    pytest.param("viewer", "GET", "/api/{}?tier=TIER9", 422, id="a bad query"),
    pytest.param(None, "GET", "/api/{}", 401, id="no login"),
    pytest.param("viewer", "GET", "/api/{}", 200, id="as it should be"),
]
READS = ("coverage", "gaps", "incidents", "required-files")


def answer_schema(schema: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any]:
    """Return the JSON schema of an answer as the OpenAPI document has it."""
    responses = schema["paths"][path][method.lower()]["responses"]
    found = responses.get(str(status)) or responses[f"{status // 100}XX"]
    return {**found["content"]["application/json"]["schema"], "components": schema["components"]}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(("user", "method", "path", "status"), ASKED)
def test_what_is_answered_is_what_the_schema_says(
    site: Site, world: World, user: str | None, method: str, path: str, status: int, name: str
) -> None:
    assert world
    schema = site.client("viewer").get("/ohlcv/api/openapi.json").json()
    path = path.format(name)
    answer = site.client(user).request(method, f"/ohlcv{path}")
    if answer.status_code == 200 and status == 422:
        pytest.fail(f"{path} takes any tier")
    assert answer.status_code == status
    jsonschema.validate(
        answer.json(), answer_schema(schema, path.partition("?")[0], method, answer.status_code)
    )


@pytest.mark.parametrize(
    ("user", "body", "status"),
    [
        pytest.param("admin", {"hours": "long"}, 422, id="a bad body"),
        pytest.param("viewer", {"hours": 1}, 403, id="no right"),
        pytest.param("admin", {"hours": 1}, 404, id="nothing of that name"),
    ],
)
def test_a_refused_action_is_what_the_schema_says(
    site: Site, world: World, user: str, body: dict[str, Any], status: int
) -> None:
    assert world
    schema = site.client("viewer").get("/ohlcv/api/openapi.json").json()
    headers = {"Authorization": f"Bearer {site.token(user)}"}
    answer = site.client().post("/ohlcv/api/incidents/stale/snooze", json=body, headers=headers)
    assert answer.status_code == status
    jsonschema.validate(
        answer.json(), answer_schema(schema, "/api/incidents/{key}/snooze", "post", answer.status_code)
    )


def test_every_operation_says_what_a_refusal_looks_like(site: Site) -> None:
    schema = site.client("viewer").get("/ohlcv/api/openapi.json").json()
    operations = [one for path in schema["paths"].values() for one in path.values()]
    assert len(operations) >= 7
    for operation in operations:
        assert {"4XX", "5XX"} <= operation["responses"].keys()
        assert "422" not in operation["responses"]
