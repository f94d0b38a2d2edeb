"""Promise: a log over plain HTTP comes in pages that fit, parted between ticks only; nothing is left out, or twice."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import messages
from server.gateway.logpages import LogPages, page
from server.gateway.paths import MAX_BODY_BYTES, Asked, Body, Paths
from worldline import protocol


def next_of(body: Body) -> int | None:
    """Where the page after this one begins, by its Link."""
    links = [value for name, value in body.headers if name == "Link"]
    return int(links[0].partition("from_tick=")[2].partition(">")[0]) if links else None


def lines_of(body: Body) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.content.splitlines()]


@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0, 100, 30_000, 60_000])), min_size=1, max_size=60),
    records_per_reply=st.integers(1, 80),
)
def test_all_pages_together_are_the_log(sizes: list[tuple[int, int]], records_per_reply: int) -> None:
    log: list[dict[str, Any]] = [
        {"tick": tick, "number": number, "text": "x" * size}
        for tick, (count, size) in enumerate(sizes)
        for number in range(count)
    ]
    read, from_tick = list[dict[str, Any]](), 0
    while True:
        # As a replayer answers: records of one tick are never parted, whatever the limit.
        rest = [record for record in log if record["tick"] >= from_tick]
        end = min(records_per_reply, len(rest))
        while 0 < end < len(rest) and rest[end]["tick"] == rest[end - 1]["tick"]:
            end += 1
        answer = protocol.LogReply(records=rest[:end], next=rest[end]["tick"] if end < len(rest) else None)
        body = page(answer, "w_1")
        assert body.status is HTTPStatus.OK
        assert len(body.content) <= MAX_BODY_BYTES
        read += lines_of(body)
        following = next_of(body)
        if following is None:
            break
        assert following > from_tick
        from_tick = following
    assert read == log


def test_a_record_of_many_ticks_is_one_of_its_last() -> None:
    records = [{"tick": 1, "ticks": 9}, {"tick": 4, "x": "x" * 200_000}, {"tick": 10, "x": "x" * 100_000}]
    body = page(protocol.LogReply(records=records), "w_1")
    assert (lines_of(body), next_of(body)) == (records[:2], 10)


def test_a_tick_that_fits_into_no_page_is_said_with_where_to_find_it() -> None:
    body = page(protocol.LogReply(records=[{"tick": 7, "x": "x" * MAX_BODY_BYTES}]), "w_1")
    assert body.status is HTTPStatus.NOT_FOUND
    assert json.loads(body.content)["code"] == "too_large"
    assert "`log`" in json.loads(body.content)["hint"]


async def asked(query: str, answer: Any) -> tuple[Body, list[messages.ReadLog]]:
    """What is answered to a query, when the replayer answers so (an exception: when it is lost)."""
    orders: list[messages.ReadLog] = []

    def inquire(_: str, order: messages.ReadLog) -> asyncio.Future[Any]:
        orders.append(order)
        answered = asyncio.get_running_loop().create_future()
        if isinstance(answer, Exception):
            answered.set_exception(answer)
        else:
            answered.set_result(answer)
        return answered

    path = "/worlds/w_1/log.jsonl"
    return await LogPages(inquire).body(Asked(path=path, name="w_1", query=query, agent=None, role="spectator")), orders


@pytest.mark.parametrize(("query", "from_tick"), [("", None), ("from_tick=0", 0), ("from_tick=812", 812)])
async def test_a_page_begins_where_it_is_asked_for(query: str, from_tick: int | None) -> None:
    _, (order,) = await asked(query, protocol.LogReply(records=[]))
    assert (order.world, order.from_tick, order.agent, order.role) == ("w_1", from_tick, "", "spectator")


@pytest.mark.parametrize(
    "query", ["from_tick=", "from_tick=-1", "from_tick=x", "from_tick=1.0", "tick=1", "from_tick=" + "9" * 40, "x"]
)
async def test_a_wrong_query_is_refused_before_anybody_is_asked(query: str) -> None:
    body, orders = await asked(query, None)
    assert (body.status, orders) == (HTTPStatus.BAD_REQUEST, [])
    assert json.loads(body.content)["code"] == "invalid_args"


@pytest.mark.parametrize(
    ("answer", "status", "retry_after"),
    [
        (protocol.Error(code="unknown_world", message="m"), 404, None),
        (protocol.Error(code="live_world", message="m"), 403, None),
        (protocol.Error(code="forbidden", message="m"), 403, None),
        (protocol.Error(code="world_damaged", message="m"), 409, None),
        (protocol.Error(code="overloaded", message="m", retry_after_ms=1500), 503, "2"),
        (ConnectionError(), 503, "5"),
    ],
)
async def test_why_there_is_no_page(answer: Any, status: int, retry_after: str | None) -> None:
    body, _ = await asked("", answer)
    assert body.status.value == status
    assert dict(body.headers).get("Retry-After") == retry_after


@pytest.mark.parametrize(
    "path",
    [
        "/worlds//log.jsonl",
        "/worlds/a/b/log.jsonl",
        "/worlds/../log.jsonl",
        "/worlds/w_1/log.jsonl/",
        "/worlds/w%5f1/log.jsonl",
    ],
)
def test_only_names_of_worlds_have_logs(path: str) -> None:
    paths = Paths()
    LogPages(lambda _, order: asyncio.Future()).add_to(paths)
    assert paths.find(path) is None
    assert paths.find("/worlds/w_2n2f54g46w/log.jsonl") is not None
