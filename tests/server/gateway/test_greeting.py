"""Promise: a session that shows its token gets its players back before anything else is read, whatever happens
meanwhile; its older connection is closed; and no player stays driven by nobody."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from server import messages
from server.gateway import resume
from tests.server.gateway.stand_in import SECRET, Edge, Talker, joined, observation, running_edge, talking
from worldline import protocol


def token(session: str = "s_1", expires_s: int = 2**40, secret: bytes = SECRET) -> str:
    identity = resume.Identity(session=session, agent="a_1", name="ada", guest=True, expires_s=expires_s)
    return resume.sign(identity, secret)


def resumed_player(world: str = "w_1", player: str = "p_1") -> protocol.ResumedPlayer:
    return protocol.ResumedPlayer(
        world=world,
        game="echo",
        player=player,
        seat=1,
        status="running",
        tick=9,
        next_seq=3,
        cursor=7,
        driven=True,
    )


def session_player(world: str = "w_1", player: str = "p_1", shard: int = 0) -> messages.SessionPlayer:
    return messages.SessionPlayer(world=world, player=player, shard=shard, tick=8)


@contextlib.asynccontextmanager
async def greeted(edge: Edge, **hello: Any) -> AsyncIterator[Talker]:
    """A client that has said hello, and has not been answered yet."""
    async with talking(edge, hello=False) as client:
        await client.send({"type": "hello", "id": 0, **hello})
        yield client


async def let_return(edge: Edge, *, since: int = 4) -> None:
    """Play lobby and shard for a session with one player."""
    question = await edge.asked(messages.AskSession)
    assert question.session == "s_1"
    edge.control.send(messages.SessionFound(request=question.request, players=[session_player()], lost=[]))
    attach = await edge.told(messages.AttachPlayer)
    assert (attach.world, attach.player) == ("w_1", "p_1")
    edge.shard_link.send(messages.PlayerAttached(request=attach.request, player=resumed_player(), since=since))


async def test_a_good_token_brings_session_agent_and_players_back(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, greeted(edge, resume=token(), name="somebody else") as client:
        await let_return(edge)
        welcome = await client.hear()
        assert (welcome["re"], welcome["resumed"], welcome["session"]) == (0, True, "s_1")
        assert (welcome["agent"], welcome["name"]) == ("a_1", "ada")
        assert welcome["lost"] == []
        (player,) = welcome["players"]
        assert (player["world"], player["player"], player["next_seq"], player["driven"]) == ("w_1", "p_1", 3, True)
        assert resume.read(welcome["resume"], SECRET, 0.0) is not None
        # The first observation goes on from where the shard says, the next from there.
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        question = await edge.told(messages.ObservePlayer)
        assert (question.since, question.named) == (4, False)
        edge.shard_link.send(messages.Answer(request=question.request, message=observation(cursor=7)))
        await client.hear()
        await client.send({"type": "observe", "id": 2, "world": "w_1", "since": 5})
        question = await edge.told(messages.ObservePlayer)
        assert (question.since, question.named) == (5, True)


async def test_any_other_token_makes_somebody_new(tmp_path: Path) -> None:
    good = token()
    bad = [token(expires_s=1), token(secret=b"x" * 32), good[:-1], good[1:], "", "." * 5000, "ż"]
    async with running_edge(tmp_path) as edge:
        for one in bad:
            async with talking(edge, hello=False) as client:
                welcome = await client.ask(type="hello", id=0, resume=one, name="bob")
                assert (welcome["type"], welcome["resumed"], welcome["name"]) == ("welcome", False, "bob")
                assert welcome["session"] != "s_1"
                assert (welcome["players"], welcome["lost"]) == ([], [])
        assert edge.supervisor.empty()


async def test_what_follows_the_hello_is_read_after_the_welcome(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, greeted(edge, resume=token()) as client:
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        await let_return(edge)
        assert (await client.hear())["type"] == "welcome"
        assert (await edge.told(messages.ObservePlayer)).world == "w_1"


async def test_what_is_lost_is_told_whoever_knows_it(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, greeted(edge, resume=token()) as client:
        question = await edge.asked(messages.AskSession)
        known = protocol.LostPlayer(world="w_0", player="p_1", reason="idle", tick=3)
        players = [session_player("w_1"), session_player("w_2"), session_player("w_3"), session_player("w_4", shard=9)]
        edge.control.send(messages.SessionFound(request=question.request, players=players, lost=[known]))
        timed_out, left, dies = [await edge.told(messages.AttachPlayer) for _ in range(3)]
        edge.shard_link.send(messages.PlayerAbsent(request=timed_out.request, reason="timeout", tick=77))
        edge.shard_link.send(messages.PlayerAbsent(request=left.request, reason="left", tick=78))
        edge.shard_link.close()
        assert dies.world == "w_3"
        edge.control.send(messages.ShardDown(shard=0, worlds=["w_3"]))
        for world in ("w_3", "w_4"):
            edge.control.send(messages.WorldGone(world=world, status="damaged", reason="damaged"))
        welcome = await client.hear()
        assert welcome["players"] == []
        assert [(lost["world"], lost["reason"], lost["tick"]) for lost in welcome["lost"]] == [
            ("w_0", "idle", 3),
            ("w_1", "timeout", 77),
            ("w_3", "damaged", 8),
            ("w_4", "damaged", 8),
        ]


async def test_pushes_wait_for_the_welcome(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, greeted(edge, resume=token()) as client:
        question = await edge.asked(messages.AskSession)
        players = [session_player("w_1"), session_player("w_2")]
        edge.control.send(messages.SessionFound(request=question.request, players=players, lost=[]))
        first, second = [await edge.told(messages.AttachPlayer) for _ in range(2)]
        edge.shard_link.send(messages.PlayerAttached(request=first.request, player=resumed_player("w_1"), since=1))
        edge.shard_link.send(messages.Push(world="w_1", message=protocol.Closed(world="w_1", reason="idle")))
        edge.shard_link.send(messages.PlayerAttached(request=second.request, player=resumed_player("w_2"), since=1))
        assert [(await client.hear())["type"] for _ in range(2)] == ["welcome", "closed"]


async def test_a_newer_connection_takes_over(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge, hello=False) as old:
        welcome = await old.ask(type="hello", id=0)
        await edge.seat(old)
        await old.send({"type": "observe", "id": 1, "world": "w_1"})
        open_question = await edge.told(messages.ObservePlayer)
        async with greeted(edge, resume=welcome["resume"]) as new:
            assert (await edge.told(messages.PlayerDetached)).player == "p_1"
            code, reason = await old.ended()
            assert (code, "retry_after_ms" in reason) == (4001, False)
            question = await edge.asked(messages.AskSession)
            edge.control.send(messages.SessionFound(request=question.request, players=[session_player()], lost=[]))
            attach = await edge.told(messages.AttachPlayer)
            edge.shard_link.send(messages.Answer(request=open_question.request, message=observation()))
            edge.shard_link.send(messages.PlayerAttached(request=attach.request, player=resumed_player(), since=1))
            assert (await new.hear())["type"] == "welcome"
            # The player is driven from here: its end is told here, and the old connection's end detaches nobody.
            closed = protocol.Closed(world="w_1", player="p_1", reason="timeout")
            edge.shard_link.send(messages.Push(world="w_1", player="p_1", message=closed))
            assert (await new.hear())["type"] == "closed"
            assert edge.shard.empty()


async def test_a_seat_that_comes_late_goes_to_the_newer_connection(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge, hello=False) as old:
        welcome = await old.ask(type="hello", id=0)
        await old.send({"type": "join", "id": 1, "world": "w_1"})
        place = await edge.asked(messages.AskPlace)
        edge.control.send(messages.Placed(request=place.request, world="w_1", game="echo", shard=0))
        join = await edge.told(messages.JoinWorld)
        async with greeted(edge, resume=welcome["resume"]) as new:
            question = await edge.asked(messages.AskSession)
            edge.control.send(messages.SessionFound(request=question.request, players=[], lost=[]))
            assert (await new.hear())["players"] == []
            edge.shard_link.send(messages.Answer(request=join.request, message=joined()))
            await edge.seat(new)
            await new.send({"type": "observe", "id": 2, "world": "w_1"})
            await edge.told(messages.ObservePlayer)  # and no detaching before it
        assert (await edge.told(messages.PlayerDetached)).player == "p_1"


async def test_a_client_that_vanishes_while_it_returns_leaves_its_player_undriven(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        async with greeted(edge, resume=token()) as client:
            question = await edge.asked(messages.AskSession)
            edge.control.send(messages.SessionFound(request=question.request, players=[session_player()], lost=[]))
            attach = await edge.told(messages.AttachPlayer)
            client.connection.transport.abort()
        async with talking(edge) as other:  # by now the gateway has read the end of the first one
            edge.shard_link.send(messages.PlayerAttached(request=attach.request, player=resumed_player(), since=1))
            assert (await edge.told(messages.PlayerDetached)).player == "p_1"
            assert (await other.ask(type="ping", id=1))["type"] == "pong"


async def test_a_client_that_vanishes_before_its_players_are_asked_for_attaches_none(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        async with greeted(edge, resume=token()) as client:
            question = await edge.asked(messages.AskSession)
            client.connection.transport.abort()
        async with talking(edge) as other:
            edge.control.send(messages.SessionFound(request=question.request, players=[session_player()], lost=[]))
            assert (await other.ask(type="ping", id=1))["type"] == "pong"
            assert edge.shard.empty()
