"""Promise: a token proves its agent, in the hello or in the upgrade's header; nobody is let in by a wrong one; what one
may do without a token is what the operator says; and what a role may not do is refused with the role that may."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from server import messages
from server.gateway import permissions
from server.gateway.limits import GatewayLimits
from server.tokens import create_token, revoke_token
from tests.server.gateway.hints import mended
from tests.server.gateway.stand_in import Edge, Talker, running_edge, talking
from worldline import protocol

QUICK = GatewayLimits(sweep_every_s=0.02)


@contextlib.asynccontextmanager
async def stranger(edge: Edge, **options: Any) -> AsyncIterator[Talker]:
    async with talking(edge, hello=False, **options) as client:
        yield client


async def test_a_token_in_the_hello_proves_the_agent(tmp_path: Path) -> None:
    record, token = create_token(tmp_path, "ada", "agent")
    async with running_edge(tmp_path, nobody_plays=True, guests="none") as edge, stranger(edge) as client:
        welcome = await client.ask(type="hello", id=1, token=token, name="somebody else")
        assert (welcome["type"], welcome["resumed"]) == ("welcome", False)
        assert (welcome["agent"], welcome["name"], welcome["role"]) == (record.agent, "ada", "agent")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_a_token_in_the_header_does_the_same(tmp_path: Path, scheme: str) -> None:
    record, token = create_token(tmp_path, "ada", "spectator")
    async with (
        running_edge(tmp_path, nobody_plays=True, guests="developer") as edge,
        stranger(edge, additional_headers={"Authorization": f"{scheme} {token}"}) as client,
    ):
        welcome = await client.ask(type="hello", id=1)
        assert (welcome["agent"], welcome["role"]) == (record.agent, "spectator")


async def test_another_scheme_is_a_proxys_business(tmp_path: Path) -> None:
    async with (
        running_edge(tmp_path, nobody_plays=True) as edge,
        stranger(edge, additional_headers={"Authorization": "Basic YWRhOnBhc3M="}) as client,
    ):
        assert (await client.ask(type="hello", id=1))["type"] == "welcome"


@pytest.mark.parametrize("guests", ["none", "developer"])
async def test_a_wrong_token_lets_nobody_in(tmp_path: Path, guests: Any) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    async with running_edge(tmp_path, nobody_plays=True, guests=guests) as edge:
        for wrong in (token[:-1], token + "x", "", "wl_", "ż"):
            async with stranger(edge) as client:
                await client.send({"type": "hello", "id": 1, "token": wrong})
                await client.send({"type": "games", "id": 2})
                error = await client.hear()
                assert (error["type"], error["re"], error["code"], error["path"]) == (
                    "error",
                    1,
                    "unauthorized",
                    "token",
                )
                assert "retry_after_ms" not in error
                assert (await client.ended())[0] == 1008
        header = {"Authorization": f"Bearer {token[1:]}"}
        async with stranger(edge, additional_headers=header) as client:
            assert (await client.ask(type="hello", id=1))["code"] == "unauthorized"
            assert (await client.ended())[0] == 1008
        assert edge.supervisor.empty()


async def test_without_a_token_one_is_what_guests_may_be(tmp_path: Path) -> None:
    for guests in ("spectator", "agent", "developer"):
        async with running_edge(tmp_path, nobody_plays=True, guests=guests) as edge, stranger(edge) as client:
            welcome = await client.ask(type="hello", id=1, name="bob")
            assert (welcome["role"], welcome["name"]) == (guests, "bob")
    async with running_edge(tmp_path, nobody_plays=True, guests="none") as edge, stranger(edge) as client:
        assert (await client.ask(type="hello", id=1))["code"] == "unauthorized"
        assert (await client.ended())[0] == 1008


async def test_a_token_made_just_now_is_good_at_once(tmp_path: Path) -> None:
    async with running_edge(tmp_path, GatewayLimits(sweep_every_s=3600), nobody_plays=True) as edge:
        record, token = create_token(tmp_path, "ada", "agent")
        async with stranger(edge) as client:
            assert (await client.ask(type="hello", id=1, token=token))["agent"] == record.agent


async def test_revoking_ends_the_sessions_of_that_agent_and_no_other(tmp_path: Path) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    _, others = create_token(tmp_path, "bob", "agent")
    async with running_edge(tmp_path, QUICK, nobody_plays=True) as edge, stranger(edge) as ada, stranger(edge) as again:
        async with stranger(edge) as bob, talking(edge) as guest:
            resume = (await ada.ask(type="hello", id=1, token=token))["resume"]
            await again.ask(type="hello", id=1, token=token)
            await bob.ask(type="hello", id=1, token=others)
            revoke_token(tmp_path, "ada")
            for client in (ada, again):
                code, reason = await client.ended()
                assert (code, reason) == (1008, "the token of this agent was revoked")
            for client in (bob, guest):
                assert (await client.ask(type="ping", id=2))["type"] == "pong"
        # Neither the token nor the session's own token opens the door again.
        async with stranger(edge) as client:
            assert (await client.ask(type="hello", id=1, token=token))["code"] == "unauthorized"
        async with stranger(edge) as client:
            welcome = await client.ask(type="hello", id=1, resume=resume)
            assert (welcome["resumed"], welcome["name"]) == (False, f"guest-{welcome['agent'][-4:]}")


async def test_a_session_goes_on_with_the_role_its_agent_has_now(tmp_path: Path) -> None:
    record, token = create_token(tmp_path, "ada", "agent")
    async with running_edge(tmp_path, QUICK, nobody_plays=True, guests="none") as edge:
        async with stranger(edge) as client:
            resume = (await client.ask(type="hello", id=1, token=token))["resume"]
            path = tmp_path / "tokens.json"
            path.write_text(path.read_text().replace('"agent"', '"spectator"'))
        async with stranger(edge) as client:
            welcome = await client.ask(type="hello", id=1, resume=resume)
            assert (welcome["resumed"], welcome["agent"], welcome["role"]) == (True, record.agent, "spectator")


async def test_another_agents_session_does_not_go_on(tmp_path: Path) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    async with running_edge(tmp_path, nobody_plays=True) as edge:
        async with stranger(edge) as guest:
            welcome = await guest.ask(type="hello", id=1)
        async with stranger(edge) as client:
            mine = await client.ask(type="hello", id=1, token=token, resume=welcome["resume"])
            assert (mine["resumed"], mine["name"]) == (False, "ada")
            assert mine["session"] != welcome["session"]


async def test_a_guests_session_ends_when_guests_are_no_longer_let_in(tmp_path: Path) -> None:
    async with running_edge(tmp_path, nobody_plays=True) as edge, stranger(edge) as client:
        resume = (await client.ask(type="hello", id=1))["resume"]
    async with running_edge(tmp_path, nobody_plays=True, guests="none") as edge, stranger(edge) as client:
        assert (await client.ask(type="hello", id=1, resume=resume))["code"] == "unauthorized"


# --- roles ------------------------------------------------------------------------------------------------

EXAMPLES: dict[str, dict[str, Any]] = {
    "join": {"game": "echo"},
    "input": {"world": "w_1", "name": "count"},
    "observe": {"world": "w_1"},
    "leave": {"world": "w_1"},
}


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_a_spectator_cannot_play_and_is_told_who_can(tmp_path: Path, kind: str) -> None:
    async with running_edge(tmp_path, nobody_plays=True, guests="spectator") as edge, talking(edge) as client:
        message = {"type": kind, "id": 7, **EXAMPLES[kind]}
        error = await client.ask(**message)
        assert (error["code"], error["re"], error["data"]) == ("forbidden", 7, {"needs_role": "agent"})
        assert "retry_after_ms" not in error
        await client.send(mended(message, error))
        question = await edge.asked(messages.AskWorlds)
        edge.control.send(messages.WorldsFound(request=question.request, worlds=[]))
        assert (await client.hear())["type"] == "worlds"
        assert edge.shard.empty()


async def test_a_spectator_may_look_around(tmp_path: Path) -> None:
    async with running_edge(tmp_path, nobody_plays=True, guests="spectator") as edge, talking(edge) as client:
        assert (await client.ask(type="ping", id=1))["type"] == "pong"
        assert (await client.ask(type="rules", id=2, game="chess"))["code"] == "unknown_game"
        await client.send({"type": "games", "id": 3})
        question = await edge.asked(messages.AskGameCounts)
        edge.control.send(messages.GameCounts(request=question.request, players={}, worlds={}))
        assert (await client.hear())["type"] == "games"


@pytest.mark.parametrize("kind", protocol.REQUESTS, ids=lambda kind: str(kind.__name__))
def test_each_role_may_do_what_those_below_it_may(kind: type[protocol.Request]) -> None:
    required = {
        "game": "g",
        "world": "w_1",
        "name": "n",
        "inputs": [],
        "ticks": 1,
        "watch": "v_1",
        "action": "stop",
        "tick": 1,
    }
    request = kind(id=1, **{name: required[name] for name in required if _requires(kind, name)})
    needed = permissions.needed_role(request)
    roles = get_args(protocol.Role)
    assert [permissions.may(role, needed) for role in roles] == [
        roles.index(role) >= roles.index(needed) for role in roles
    ]


def _requires(kind: type[protocol.Request], name: str) -> bool:
    return any(field.name == name and field.required for field in msgspec.structs.fields(kind))
