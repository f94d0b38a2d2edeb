"""Promise: no reply exceeds `max_reply_bytes`, and an outcome is told whatever must be left out of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from server.gateway.decoding import Encoding
from server.gateway.replies import fitting, without_waiting
from worldline import protocol

LIMIT = 2_000


def observation(text: str) -> protocol.Observation:
    return protocol.Observation(
        re=7,
        world="w_1",
        player="p_1",
        tick=3,
        game_time_s=0.05,
        status="running",
        cursor=1,
        missed=0,
        events=[],
        score=0,
        total_reward=0,
        text=text,
    )


def outcome(seen: protocol.Observation | None, result: Any = None) -> protocol.Outcome:
    return protocol.Outcome(
        re=7, world="w_1", player="p_1", seq=4, status="applied", tick=3, observation=seen, result=result
    )


def sent(message: protocol.Reply, encoding: Encoding) -> dict[str, Any]:
    data = fitting(message, encoding, LIMIT)
    assert len(data) <= LIMIT
    decoded: dict[str, Any] = json.loads(data) if encoding == "json" else msgspec.msgpack.decode(data)
    return decoded


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_what_is_too_large_gives_way_to_an_error(encoding: Encoding) -> None:
    reply = sent(observation("x" * LIMIT), encoding)
    assert (reply["type"], reply["code"], reply["re"]) == ("error", "too_large", 7)
    assert reply["data"] == {"limit_bytes": LIMIT}
    assert reply["hint"]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@pytest.mark.parametrize("message", [outcome(observation("x" * LIMIT)), outcome(None, result="x" * LIMIT)])
def test_an_outcome_is_told_without_what_does_not_fit(message: protocol.Outcome, encoding: Encoding) -> None:
    reply = sent(msgspec.structs.replace(message), encoding)
    assert (reply["type"], reply["seq"], reply["status"], reply["tick"]) == ("outcome", 4, "applied", 3)
    assert "observation" not in reply
    assert reply["hint"]


def test_what_fits_is_left_alone() -> None:
    assert sent(outcome(observation("x")), "json")["observation"]["text"] == "x"


def test_a_reader_that_is_behind_gets_outcomes_and_may_ask_for_the_rest_again() -> None:
    told = without_waiting(outcome(observation("x")))
    assert isinstance(told, protocol.Outcome)
    assert told.observation is None
    assert told.hint
    asked_again = without_waiting(observation("x"))
    assert isinstance(asked_again, protocol.Error)
    assert (asked_again.code, asked_again.re) == ("overloaded", 7)
    assert asked_again.retry_after_ms is not None
