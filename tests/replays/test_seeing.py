"""Promise: of any tick of a log one can see what stood there: the state as plain data, what each player was shown, what
happened, and which inputs were applied."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog import records
from games.runtime.plain import NoSuchPath, parse_path, path_text, plain_state, value_at, walk
from games.runtime.results import Seen, TickResult
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from games.tsunami.bot import decide
from replays.errors import TickOutOfRange, UnknownPlayer
from replays.outline import outline
from replays.replay import replay
from replays.seeing import (
    AppliedInput,
    applied_inputs,
    events_between,
    hash_of,
    inputs_between,
    observation,
    state,
)
from tests.replays.mill import changed
from tests.replays.recording import WORLD, Recording
from tests.replays.test_old_engine import unpack
from tests.replays.test_reexecution import tsunami

Sent = tuple[str, int, Seen]


async def recorded(data: Path, *, seconds: int = 20) -> list[Sent]:
    """Write the log of a game of three; return what the players were shown, and so decided on: player, tick, bytes."""
    recording = Recording(data, tsunami(), seed=11, settings={"wave_interval_s": 26})
    sent: list[Sent] = []
    players = [recording.join() for _ in range(3)]
    sent.append((players[0], 0, recording.world.observe(players[0])))
    recording.input(players[0], "buy_speed", {}, observed_tick=0, note="at 0")  # rejected: nobody has coins yet
    for second in range(seconds):
        for player in list(recording.world.players):
            seen = recording.world.observe(player)
            decision = decide(msgspec.msgpack.decode(seen.data or b""))
            looked_at = recording.world.tick
            recording.run(5)
            if decision.name is not None:
                sent.append((player, looked_at, seen))
                recording.input(player, decision.name, decision.args, observed_tick=looked_at, note=f"at {looked_at}")
        recording.run(60 * (second + 1) - recording.world.tick)
    await recording.close()
    return sent


async def test_an_observation_is_what_was_sent_to_the_last_byte(tmp_path: Path) -> None:
    sent = await recorded(tmp_path)
    assert len(sent) > 20
    walk_ = replay(tmp_path, WORLD)
    known = outline(tmp_path, WORLD)
    chance = random.Random(2)
    for player, tick, seen in chance.sample(sent, len(sent)):
        assert known.last_observed(player, tick) == tick
        walk_.seek(tick)
        assert walk_.world.observe(player) == seen
        again = observation(walk_, player)
        assert (again.tick, again.text) == (tick, seen.text)
        assert again.data == msgspec.msgpack.decode(seen.data or b"")
    assert known.last_observed("p_1", -1) is None
    with pytest.raises(UnknownPlayer, match=r"has no player p_9: seated are p_1, p_2, p_3"):
        observation(walk_, "p_9")


async def test_inputs_are_told_as_the_log_and_as_the_execution_have_them(tmp_path: Path) -> None:
    sent = await recorded(tmp_path)
    told = list(inputs_between(tmp_path, WORLD, 0, 10**6))
    assert [(each.player, each.observed_tick, each.note) for each in told] == [
        (player, tick, f"at {tick}") for player, tick, _ in sent
    ]
    assert {each.status for each in told} == {"applied", "rejected"}
    first, last = told[3].tick, told[8].tick
    assert list(inputs_between(tmp_path, WORLD, first, last)) == told[3:9]
    assert list(inputs_between(tmp_path, WORLD, first + 1, last - 1)) == [
        each for each in told[3:9] if first < each.tick < last
    ]
    executed: list[AppliedInput] = []

    def listen(record: records.Tick, result: TickResult) -> None:
        executed.extend(applied_inputs(record, result))

    walk_ = replay(tmp_path, WORLD)
    walk_.listener = listen
    walk_.run()
    assert executed == told


async def test_events_of_some_ticks_name_all_who_were_told(tmp_path: Path) -> None:
    await recorded(tmp_path, seconds=24)
    world = replay(tmp_path, WORLD).seek(1440)
    everything = events_between(world, 0, 1440)
    assert sum(len(each.players) for each in everything) == sum(len(player.events) for player in world.players.values())
    assert any(each.players == ["p_1", "p_2", "p_3"] for each in everything), "a warning goes to all"
    middle = everything[len(everything) // 2].tick
    assert events_between(world, 0, middle - 1) + events_between(world, middle, 1440) == everything


async def test_a_state_is_plain_and_can_be_walked(tmp_path: Path) -> None:
    await recorded(tmp_path, seconds=10)
    walk_ = replay(tmp_path, WORLD)
    walk_.seek(500)
    before = state_hash(walk_.world.snapshot())
    whole = state(walk_)
    assert (whole.world, whole.tick, whole.hash) == (WORLD, 500, before.hex())
    assert len(whole.state["scene"]["nodes"]) > 2000
    assert msgspec.json.decode(msgspec.json.encode(whole.state)) == whole.state
    chance = random.Random(5)
    for _ in range(200):
        path: list[str] = []
        here: Any = whole.state
        while isinstance(here, dict | list) and here and (not path or chance.random() < 0.9):
            path.append(chance.choice(list(here)) if isinstance(here, dict) else str(chance.randint(1, len(here))))
            here = walk(here, path[-1:])
        assert value_at(walk_.world, tuple(path)) == here, path_text(path)
        assert parse_path(path_text(path)) == tuple(path)
    for nowhere in ("state.none", "state.players.p_1.coins.x", "scene.nodes.999999", "players.p_1.events.0"):
        assert value_at(walk_.world, parse_path(nowhere)) is msgspec.UNSET
    assert state_hash(walk_.world.snapshot()) == before, "looking leaves no trace"
    walk_.run()


async def test_worlds_differ_in_plain_form_exactly_if_their_hashes_differ(tmp_path: Path) -> None:
    await recorded(tmp_path, seconds=10)
    one, other = replay(tmp_path, WORLD), replay(tmp_path, WORLD)
    for tick in (0, 1, 60, 300, 301):
        one.seek(tick)
        other.seek(tick)
        assert plain_state(one.world) == plain_state(other.world)
        other.seek(tick + 1)
        assert hash_of(one.world) != hash_of(other.world)
        assert plain_state(one.world) != plain_state(other.world)


def test_a_world_of_an_older_engine_has_a_plain_state_too(tmp_path: Path) -> None:
    data = unpack(tmp_path)
    walk_ = replay(data, WORLD)
    walk_.seek(1000)
    found = state(walk_)
    assert found.tick == 1000
    assert len(found.state["scene"]["nodes"]) > 2000
    assert set(found.state["state"]["players"]) == set(found.state["players"])


@pytest.mark.parametrize("text", ["", "state..a", ".state", "state[a", "state.a]", "nonsense", "state.[1"])
def test_what_is_no_path_is_refused_with_how_one_is_written(text: str) -> None:
    with pytest.raises(NoSuchPath, match="is no path: one"):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("state.teams[2].leader", ("state", "teams", "2", "leader")),
        ('state["a.b"]["c\\"d"].e', ("state", "a.b", 'c"d', "e")),
        ("scene.nodes.12.x", ("scene", "nodes", "12", "x")),
    ],
)
def test_a_path_is_read_as_it_is_written(text: str, steps: tuple[str, ...]) -> None:
    assert parse_path(text) == steps
    assert parse_path(path_text(steps)) == steps


async def test_ticks_outside_of_the_log_are_refused_with_those_that_there_are(tmp_path: Path) -> None:
    await recorded(tmp_path, seconds=2)
    known = outline(tmp_path, WORLD)
    assert (known.first_tick, known.last_tick, list(known.parts)) == (0, 120, ["p_1", "p_2", "p_3"])
    assert known.check_tick(120) == 120
    with pytest.raises(TickOutOfRange, match=r"w_0123456789@121: the log goes from tick 0 to tick 120 → name"):
        known.check_tick(121)


def test_what_json_has_no_form_for_is_told_apart_all_the_same() -> None:
    setup = """function game.setup(world)
  local state = world.state
  state.minus, state.plus, state.none, state.high, state.low = -0.0 * 1, 0, 0 / 0, 1 / 0, -1 / 0
  state.node = world.scene:spawn("tree", { name = "oak" })
  state.map, state.list, state.itself = world.map{}, {}, {}
  state.itself.again = state.itself
  state.f = print
  state[world.tick == 0 and "a.b" or ""] = { [10] = "ten", [9] = "nine" }
"""
    code = changed(("function game.setup(world)\n", setup))
    world = World.load(code, world_id=WORLD, seed=1)
    found = plain_state(world)["state"]
    numbers = {name: found[name] for name in ("minus", "plus", "none", "high", "low")}
    assert numbers == {"minus": "-0", "plus": 0, "none": "NaN", "high": "Infinity", "low": "-Infinity"}
    assert (found["node"], found["map"], found["list"]) == ("node 1", {}, [])
    assert (found["itself"], found["f"]) == ({"again": "a table that contains itself"}, "a function")
    assert value_at(world, parse_path('state["a.b"].9')) == "nine"
    assert hash_of(world) is None, "such a world cannot be saved, and is looked at all the same"
