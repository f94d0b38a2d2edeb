"""Promise: controls that are sent one right after the other, without waiting for answers, come to what they say in
their order: the last one holds, each has an answer, and one that is refused takes none of the others with it."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import EdgeClient, edge_client
from tests.system.harness import RunningServer
from tests.system.screen import Screen
from tests.system.test_replays_on_screen import played

Message = dict[str, Any]
ROUNDS = 12
CONTROLS = 12


class Expected(msgspec.Struct):
    """What the controls so far come to. ``tick`` is None where it depends on how long it has played."""

    playing: bool
    speed: float
    tick: int | None

    def do(self, control: Message, last_tick: int) -> bool:
        """Do one; returns whether it is done and not refused."""
        match control["action"]:
            case "pause":
                self.playing = False
            case "play":
                self.playing, self.tick = True, None
            case "seek":
                if control["tick"] > last_tick:
                    return False
                self.playing, self.tick = False, control["tick"]
            case "speed":
                self.speed = control["speed"]
        return True


def a_control(chance: random.Random, last_tick: int) -> Message:
    """Any control."""
    return chance.choice(
        [
            {"action": "pause"},
            {"action": "play"},
            {"action": "seek", "tick": chance.randint(0, last_tick)},
            {"action": "seek", "tick": last_tick + 1000},
            {"action": "speed", "speed": chance.choice([0.25, 1, 2, 64])},
        ]
    )


async def answers_to(
    screen: Screen, client: EdgeClient, chance: random.Random, controls: list[Message]
) -> list[Message]:
    """Send controls, most without waiting, all of the name that the stream has when the first is sent; the answers, in
    the order of the controls."""
    watch = screen.watch
    answers: dict[int, Message] = {}

    async def hear() -> None:
        heard, raw = await screen.next()
        if "re" not in heard:
            if heard.get("watch") == screen.watch:
                screen.take(heard, raw)
            return
        assert heard["re"] not in answers, "one answer to each"
        answers[heard["re"]] = heard
        if heard["type"] == "watching":
            screen.begin(heard)

    for number, control in enumerate(controls):
        await client.send({"type": "control", "id": 100 + number, "watch": watch, **control})
        if chance.random() < 0.2:
            await hear()
    while len(answers) < len(controls):
        await hear()
    return [answers[100 + number] for number in range(len(controls))]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_last_of_many_quick_controls_holds(serve: ServerFactory, connect_agent: Connect, seed: int) -> None:
    server = serve("--shards", "1", "--limits", "off")
    chance = random.Random(seed)
    ada = await connect_agent(server.url, "ada")
    world, _ = await played(ada)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        watching = await screen.open(world, from_tick=0)
        last_tick = watching["last_tick"]
        for round_number in range(ROUNDS):
            begun = await screen.ask(type="control", watch=screen.watch, action="seek", tick=0)
            expected = Expected(playing=False, speed=begun["speed"], tick=0)
            controls = [a_control(chance, last_tick) for _ in range(chance.randint(2, CONTROLS))]
            about = f"seed {seed}, round {round_number}: {controls}"
            done = [expected.do(control, last_tick) for control in controls]
            answers = await answers_to(screen, client, chance, controls)
            for place, (was_done, answer) in enumerate(zip(done, answers, strict=True)):
                if was_done or answer["type"] == "watching":
                    # One that was overtaken by another seek need not be looked at.
                    sought = zip(controls[place:], done[place:], strict=True)
                    assert was_done or any(good and control["action"] == "seek" for control, good in sought), about
                    assert answer["type"] == "watching", about
                else:
                    assert (answer["code"], answer.get("path")) == ("tick_out_of_range", "tick"), about
            now = await screen.ask(type="control", watch=screen.watch, action="speed", speed=expected.speed)
            assert (now["playing"], now["speed"]) == (expected.playing, expected.speed), about
            assert expected.tick in (None, now["tick"]), about


async def test_a_stream_is_known_by_the_names_that_it_had_until_it_is_stopped(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    first = (await ada.ask("watch", world=world, from_tick=0))["watch"]
    second = (await ada.ask("control", watch=first, action="pause"))["watch"]
    third = await ada.ask("control", watch=first, action="seek", tick=min(shown))
    assert len({first, second, third["watch"]}) == 3
    assert (await ada.ask("control", watch=second, action="stop"))["tick"] == min(shown)
    for name in (first, second, third["watch"]):
        assert (await ada.request("control", watch=name, action="play"))["code"] == "unknown_watch"
