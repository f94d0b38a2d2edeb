"""Promise: a connection without hello, a silent one and a flooding one are closed with the documented code, and nobody
else is."""

from __future__ import annotations

from pathlib import Path

from server.gateway.limits import GatewayLimits
from tests.server.gateway.stand_in import eventually, running_edge, talking


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


async def test_a_hundred_refusals_are_closed_4029(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as flooding, talking(edge) as polite:
        for number in range(150):
            await flooding.send({"type": "games", "id": number, "unknown": number, "nonsense": True} | {"type": "x"})
        code, reason = await flooding.ended()
        assert code == 4029
        assert reason.startswith("retry_after_ms=")
        assert (await polite.ask(type="ping", id=1))["type"] == "pong"


async def test_a_second_hello_is_refused_and_does_no_harm(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        again = await client.ask(type="hello", id=1)
        assert (again["code"], again["re"]) == ("invalid_args", 1)
        assert (await client.ask(type="ping", id=1))["type"] == "pong"
