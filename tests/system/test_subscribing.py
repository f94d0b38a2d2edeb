"""Promise: who subscribes gets each event once and in order, over cuts and crashes, and observations no more often than
it may; who does not read costs nobody anything and is told what was left out."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

import worldline
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer, eventually
from worldline import blocking


async def pushed_events(agent: Agent, count: int) -> list[dict[str, Any]]:
    """The first so many events that are pushed."""

    def events() -> list[dict[str, Any]]:
        return [push for push in agent.pushes if push["type"] == "event"]

    await eventually(lambda: len(events()) >= count, f"{count} events are pushed")
    return events()[:count]


async def test_events_are_pushed_in_order_and_observations_hold_them_all_the_same(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    joined = await ada.ask("join", game="echo")
    where = {"world": joined["world"]}
    await ben.ask("join", **where)
    await ben.ask("input", **where, name="say", args={"text": "before"})
    subscribed = await ada.ask("subscribe", **where, events=True)
    assert subscribed == {
        "type": "subscribed",
        "re": subscribed["re"],
        **where,
        "player": joined["player"],
        "events": True,
        "cursor": joined["cursor"] + 1,
    }
    for text in ("one", "two"):
        await ben.ask("input", **where, name="say", args={"text": text})
    events = await pushed_events(ada, 2)
    assert [(event["n"], event["kind"], event["data"]["text"]) for event in events] == [
        (subscribed["cursor"], "said", "one"),
        (subscribed["cursor"] + 1, "said", "two"),
    ]
    assert "re" not in events[0]
    seen = await ada.ask("observe", **where)
    assert [event["data"]["text"] for event in seen["events"]] == ["before", "one", "two"]
    again = await ada.ask("subscribe", **where, events=True, since=joined["cursor"])
    assert again["cursor"] == joined["cursor"]
    assert [event["data"]["text"] for event in (await pushed_events(ada, 5))[2:]] == ["before", "one", "two"]
    assert (await ada.ask("subscribe", **where))["events"] is False
    await ben.ask("input", **where, name="say", args={"text": "unheard"})
    await ada.ask("observe", **where)
    assert len([push for push in ada.pushes if push["type"] == "event"]) == 5


async def test_observations_are_pushed_as_often_as_they_are_paid_for(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    where = {"world": (await ada.ask("join", game="echo"))["world"]}
    subscribed = await ada.ask("subscribe", **where, observe_hz=10)
    assert subscribed["observe_hz"] == 10

    def seen() -> list[dict[str, Any]]:
        return [push for push in ada.pushes if push["type"] == "observation"]

    await eventually(lambda: len(seen()) >= 15, "observations are pushed")
    ticks = [push["tick"] for push in seen()]
    assert ticks == sorted(set(ticks)), "each of a newer tick"
    assert "re" not in seen()[0]
    refused = 0
    for _ in range(60):  # pushed observations use up what requests could
        refused += (await ada.request("observe", **where)).get("code") == "rate_limited"
    assert refused
    await eventually(lambda: _paid(ada, where), "there is something left to pay with")
    count = len(seen())
    await ada.ask("ping")
    assert len(seen()) - count <= 2, "nothing is pushed any more"


async def _paid(ada: Agent, where: dict[str, Any]) -> bool:
    reply = await ada.request("subscribe", **where)
    return bool(reply["type"] == "subscribed")


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        ({"observe_hz": 11}, "observe_hz"),
        ({"observe_hz": 0}, "observe_hz"),
        ({"observe_hz": "often"}, "observe_hz"),
        ({"since": 1}, "since"),
        ({"events": 1}, "events"),
        ({"events": True, "player": "p_9"}, "player"),
    ],
)
async def test_what_cannot_be_pushed_is_refused(
    server: RunningServer, connect_agent: Connect, wish: dict[str, Any], path: str
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="echo"))["world"]
    refused = await ada.request("subscribe", world=world, **wish)
    assert refused["path"] == path
    assert refused["code"] == ("unknown_player" if path == "player" else "invalid_args")
    assert (await ada.request("subscribe", world="w_0000000000", events=True))["code"] == "unknown_world"


async def test_a_subscription_outlives_the_worlds_process_but_not_its_connection(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    where = {"world": (await ada.ask("join", game="echo"))["world"]}
    await ben.ask("join", **where)
    first = (await ada.ask("subscribe", **where, events=True, observe_hz=1))["cursor"]
    await ben.ask("input", **where, name="say", args={"text": "one"})
    await pushed_events(ada, 1)
    os.kill(server.shard_pids()[0], signal.SIGKILL)
    await ben.ask("input", **where, name="say", args={"text": "two"}, seq=2)
    events = await pushed_events(ada, 2)
    assert [(event["n"], event["data"]["text"]) for event in events] == [(first, "one"), (first + 1, "two")]
    later = await connect_agent(server.url, "ada", resume=ada.welcome["resume"])
    await ben.ask("input", **where, name="say", args={"text": "three"})
    assert [event["data"]["text"] for event in (await later.ask("observe", **where))["events"]][-1] == "three"
    assert not [push for push in later.pushes if push["type"] == "event"]


async def test_the_end_of_the_game_is_pushed(server: RunningServer, connect_agent: Connect) -> None:
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    where = {"world": (await ada.ask("join", game="duel"))["world"]}
    await ben.ask("join", **where)
    await ada.ask("subscribe", **where, events=True)
    turn = asyncio.create_task(ben.ask("input", **where, name="retire"))
    await ada.ask("input", **where, name="pick", args={"n": 1})
    await turn
    assert (await ada.push("event"))["kind"] == "picked"
    await ada.ask("input", **where, name="stop")
    last = await ada.push("observation")
    assert (last["ended"], last["result"]) == ("terminated", {"ticks": 2})
    await ada.push("closed")
    assert [push["type"] for push in ada.pushes if push["type"] != "started"] == ["event", "observation", "closed"]


async def test_the_client_streams_each_event_once_over_cuts_and_crashes(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--limits", "off")
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        me = await ada.join("echo")
        other = await ben.join(world=me.world)
        heard: list[str] = []

        async def listen() -> None:
            async for event in me.events(kinds=["said"]):
                text: str = event.data["text"]
                heard.append(text)

        listening = asyncio.create_task(listen())
        for number in range(60):
            assert (await other.input("say", text=str(number))).ok
            if number % 20 == 5:
                assert ada._conversation._socket is not None
                ada._conversation._socket.transport.abort()
            if number % 20 == 15:
                os.kill(server.shard_pids()[0], signal.SIGKILL)
        await eventually(lambda: len(heard) >= 60, "all have been heard")
        assert heard == [str(number) for number in range(60)]
        seen = await me.observe()
        assert [event.data["text"] for event in seen.events if event.kind == "said"] == heard, "they are seen, too"
        await me.leave()
        await listening


async def test_several_streams_each_have_all(server: RunningServer) -> None:
    async with worldline.connect(server.url, name="ada") as ada:
        me = await ada.join("echo")
        assert (await me.input("say", text="0")).ok

        async def listen(count: int) -> list[str]:
            texts: list[str] = []
            async for event in me.events():
                texts.append(event.data["text"])
                if len(texts) == count:
                    break
            return texts

        streams = [asyncio.create_task(listen(count)) for count in (2, 3, 3)]
        looks = aiter(me.observations(5))
        ticks = [(await anext(looks)).tick for _ in range(3)]
        assert ticks == sorted(set(ticks))
        for text in ("1", "2"):
            assert (await me.input("say", text=text)).ok
        assert await asyncio.gather(*streams) == [["0", "1"], ["0", "1", "2"], ["0", "1", "2"]]
        assert (await anext(looks)).tick > ticks[-1]
        await looks.aclose()  # type: ignore[attr-defined]


def test_the_blocking_client_streams_too(server: RunningServer) -> None:
    with blocking.connect(server.url, name="ada") as client:
        me = client.join("echo")
        me.input("say", text="one")
        assert next(me.events()).data == {"by": me.player, "text": "one"}
        assert next(me.observations(5)).player == me.player
