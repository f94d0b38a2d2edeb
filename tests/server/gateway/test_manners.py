"""Promise: a connection without hello, a silent one and a flooding one are closed with the documented code, and nobody
else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import messages
from server.gateway.limits import GatewayLimits
from tests.server.gateway.stand_in import eventually, running_edge, talking
from worldline import protocol

REJECTED = protocol.Outcome(world="w_1", player="p_1", seq=1, status="rejected", tick=3, code="too_much", message="m")


async def test_without_hello_a_connection_is_closed_1008(tmp_path: Path) -> None:
    limits = GatewayLimits(hello_timeout_s=0.2, sweep_every_s=0.05)
    async with running_edge(tmp_path, limits) as edge, talking(edge, hello=False) as client, talking(edge) as polite:
        refused = await client.ask(type="ping", id=1)
        assert (refused["code"], refused["re"]) == ("hello_required", 1)
        assert await client.ended() == (1008, "no hello within 0.2 s")
        assert (await polite.ask(type="ping", id=1))["type"] == "pong"


async def test_silence_is_closed_4008_and_pongs_are_no_silence(tmp_path: Path) -> None:
    limits = GatewayLimits(ping_every_s=0.1, silence_s=1.0, sweep_every_s=0.05)
    async with running_edge(tmp_path, limits) as edge, talking(edge) as thinking, talking(edge) as silent:
        silent.connection.transport.pause_reading()  # so its library answers no ping
        await eventually(lambda: len(edge.gateway.sessions) == 1, "the silent one is closed")
        silent.connection.transport.resume_reading()
        code, reason = await silent.ended()
        assert code == 4008
        assert reason.startswith("retry_after_ms=")
        # By now the other one has thought for longer than the silence that is allowed.
        assert (await thinking.ask(type="ping", id=1))["type"] == "pong"


async def test_a_hundred_refusals_are_closed_4029_and_ninety_nine_are_not(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as flooding, talking(edge) as polite:
        for number in range(99):
            refused = await flooding.ask(type="x", id=number)
            assert refused["code"] in ("unknown_type", "rate_limited")
        assert (await flooding.ask(type="ping", id=1))["type"] == "pong"
        await flooding.send({"type": "x", "id": 2})
        code, reason = await flooding.ended()
        assert code == 4029
        assert reason == "retry_after_ms=10000; 100 refusals in 10 s"
        assert (await polite.ask(type="ping", id=1))["type"] == "pong"


@pytest.mark.parametrize(
    ("answer", "closed"),
    [
        (protocol.Error(code="too_late", message="m"), True),
        (protocol.Error(code="seq_conflict", message="m"), True),
        # What the server or the end of a world brings about is no flood of the client's.
        (protocol.Error(code="internal", message="m", retry_after_ms=1), False),
        (protocol.Error(code="overloaded", message="m", retry_after_ms=1), False),
        (protocol.Error(code="world_paused", message="m", retry_after_ms=1), False),
        (protocol.Error(code="world_closed", message="m"), False),
        # A rejection by the game's rules is no refusal.
        (REJECTED, False),
    ],
    ids=lambda case: getattr(case, "code", None) or str(case),
)
async def test_a_flood_is_of_refusals_that_a_client_could_have_spared_itself(
    tmp_path: Path, answer: protocol.Error | protocol.Outcome, closed: bool
) -> None:
    limits = GatewayLimits(rate_hz=10_000.0, burst=1000, agent_rate_hz=10_000.0, agent_burst=1000)
    async with running_edge(tmp_path, limits) as edge, talking(edge) as client:
        await edge.seat(client)
        for number in range(1, 121):
            await client.send({"type": "leave", "id": number, "world": "w_1"})
            question = await edge.told(messages.LeaveWorld)
            edge.shard_link.send(messages.Answer(request=question.request, message=answer))
            if number == 100 and closed:
                break
            assert (await client.hear())["re"] == number
        if closed:
            assert (await client.ended())[0] == 4029
        else:
            assert (await client.ask(type="ping", id=1))["type"] == "pong"


async def test_without_limits_nobody_is_closed_for_being_refused(tmp_path: Path) -> None:
    async with running_edge(tmp_path, GatewayLimits(rate_limited=False)) as edge, talking(edge) as client:
        for number in range(300):
            assert (await client.ask(type="x", id=number))["code"] == "unknown_type"


async def test_a_second_hello_is_refused_and_does_no_harm(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        again = await client.ask(type="hello", id=1)
        assert (again["code"], again["re"]) == ("invalid_args", 1)
        assert (await client.ask(type="ping", id=1))["type"] == "pong"
