"""Promise: a world does what its entries and its game say, and keeps what each player must be told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from games.code import GameCode
from games.errors import ArgumentProblem
from games.runtime.effects import Input, Join, Leave
from games.runtime.players import MAX_EVENTS, MAX_OUTCOMES, PlayerState, input_digest
from games.runtime.world import Ended, World
from tests.games.small import HEAD, act, body, join, load

TOML = """
tick_hz = 20
[settings]
speed = 3
pace = { type = "enum", values = ["slow", "fast"], default = "slow" }
[inputs.run]
help = "Run."
args.n = { type = "integer", optional = true }
[events.told]
help = "Told."
args.n = { type = "integer", optional = true }
"""


def decoded(raw: msgspec.Raw | None) -> Any:
    assert raw is not None
    return msgspec.msgpack.decode(raw)


def seen(world: World, player: str = "p_1") -> Any:
    return msgspec.msgpack.decode(world.observe(player, "data").data or b"\xc0")


def with_input(lua: str, **parts: str) -> str:
    return body(inputs=f"function game.inputs.run(world, player, args) {lua} end", **parts)


def test_outcomes_come_in_the_order_of_inputs() -> None:
    world = load(
        with_input(
            "if args.n == 2 then return world.reject('odd', 'Even.', {hint = 'try 3', x = 1}) end return {n = args.n}"
        ),
        TOML,
    )
    join(world)
    join(world)
    result = world.apply(
        [Input("p_2", 1, "run", {"n": 1}), Input("p_1", 1, "run", {"n": 2}), Input("p_2", 2, "run", {"n": 3})],
        step=True,
    )
    assert [(o.player, o.seq, o.status, o.tick) for o in result.outcomes] == [
        ("p_2", 1, "applied", 1),
        ("p_1", 1, "rejected", 1),
        ("p_2", 2, "applied", 1),
    ]
    rejected = result.outcomes[1]
    assert (rejected.code, rejected.message, rejected.hint) == ("odd", "Even.", "try 3")
    assert decoded(rejected.result) == {"x": 1}
    assert decoded(result.outcomes[2].result) == {"n": 3}


def test_a_step_shows_its_own_tick_and_entries_between_ticks_the_last_one() -> None:
    world = load(
        with_input("return {world.tick, world.time}", tick="world.state.t = {world.tick, world.time, dt}"),
        TOML,
    )
    join(world)
    assert decoded(act(world, "p_1", "run").outcomes[0].result) == [0, 0]
    assert decoded(act(world, "p_1", "run", step=True).outcomes[0].result) == [1, 0.05]
    assert decoded(act(world, "p_1", "run").outcomes[0].result) == [1, 0.05]
    world.run_empty(19)
    assert world.tick == 20
    assert decoded(act(world, "p_1", "run").outcomes[0].result) == [20, 1]


def test_players_sit_in_order_of_their_seats() -> None:
    world = load(
        body(
            extra="""
            function game.join(world, player) world.state[player.id] = player.seat .. player.name end
            function game.leave(world, player, reason) world.state.left = player.id .. reason .. #world.players end""",
            observe="""
            local ids = {}
            for i, p in ipairs(world.players) do ids[i] = p.id end
            local me, gone = world.player("p_1") == player, world.player("p_2") == nil
            return {ids = ids, state = world.state, gone = gone, me = me}""",
        )
    )
    world.apply(
        [Join("p_1", 3, "a", "ada"), Join("p_2", 1, "b", "bob"), Join("p_3", 2, "c", "cy"), Leave("p_2", "timeout")],
        step=True,
    )
    assert seen(world) == {
        "gone": True,
        "ids": ["p_3", "p_1"],
        "me": True,
        "state": {"left": "p_2timeout3", "p_1": "3ada", "p_2": "1bob", "p_3": "2cy"},
    }
    assert world.free_seat() == 1
    assert world.next_player_id() == "p_4"
    assert [player.id for player in world.players.values()] == ["p_1", "p_3"]


def test_the_order_of_many_seats_is_that_of_their_numbers() -> None:
    game = body(observe="local s = {} for i, p in ipairs(world.players) do s[i] = p.seat end return s")
    files = {"game.toml": HEAD.replace("max_players = 4", "max_players = 500").encode(), "main.lua": game.encode()}
    world = World.load(GameCode.from_files("many", files), world_id="w", seed=1)
    seats = [400, 17, 250, 90, 3, 333, 64, 500, 128, 1]
    world.apply([Join(f"p_{i}", seat, "a", "n") for i, seat in enumerate(seats, start=1)], step=True)
    assert seen(world) == sorted(seats)


def test_events_reach_those_they_are_for() -> None:
    world = load(
        with_input(
            """
            world.emit(player, "told", {n = 1})
            world.emit("all", "told", {n = 2})
            world.emit({world.players[2], world.players[3]}, "told", {n = 3})
            world.emit(world.players, "told", {n = 4})
            world.emit({}, "told", {n = 5})
            world.emit(player, "told")"""
        ),
        TOML,
    )
    for _ in range(3):
        join(world)
    act(world, "p_1", "run", step=True)
    got = {id_: [decoded(event.data) for event in world.events(id_, 1).items] for id_ in world.players}
    both = [{"n": 2}, {"n": 3}, {"n": 4}]
    assert got == {"p_1": [{"n": 1}, {"n": 2}, {"n": 4}, None], "p_2": both, "p_3": both}
    assert [(event.n, event.tick, event.kind) for event in world.events("p_2", 2).items] == [
        (2, 1, "told"),
        (3, 1, "told"),
    ]


def test_all_means_those_who_sit_at_that_moment() -> None:
    game = body(extra="function game.join(world, player) world.emit('all', 'told', {who = player}) end")
    world = load(game, '[events.told]\nhelp = "T."\nargs.who.type = "id"')
    world.apply([Join("p_1", 1, "a", "ada"), Join("p_2", 2, "b", "bob")], step=True)
    assert [decoded(event.data) for event in world.events("p_1", 1).items] == [{"who": "p_1"}, {"who": "p_2"}]
    assert [decoded(event.data) for event in world.events("p_2", 1).items] == [{"who": "p_2"}]


def test_who_has_left_gets_nothing_more() -> None:
    game = body(
        extra="local first function game.join(world, player) first = first or player end",
        tick="world.emit(first, 'told') world.score(first, world.tick) world.reward(first, 1)",
    )
    world = load(game, '[events.told]\nhelp = "T."')
    world.apply([Join("p_1", 1, "a", "ada"), Leave("p_1", "left")], step=True)
    assert world.apply([], step=True).debug == []
    assert world.players == {}


def test_the_last_events_are_kept_and_older_ones_counted() -> None:
    world = load(with_input("for i = 1, args.n do world.emit(player, 'told', {n = i}) end"), TOML)
    join(world)
    assert world.events("p_1", 1).cursor == 1
    act(world, "p_1", "run", n=MAX_EVENTS + 10)
    found = world.events("p_1", 5)
    assert (len(found.items), found.items[0].n, found.cursor, found.missed) == (MAX_EVENTS, 11, MAX_EVENTS + 11, 6)
    later = world.events("p_1", 200)
    assert (later.items[0].n, len(later.items), later.missed) == (200, 67, 0)
    future = world.events("p_1", 10_000)
    assert (future.items, future.missed) == ([], 0)


def test_the_last_outcomes_are_kept_with_what_was_sent() -> None:
    world = load(with_input("return args.n"), TOML)
    join(world)
    for n in range(1, MAX_OUTCOMES + 6):
        act(world, "p_1", "run", n=n)
    assert world.first_outcome("p_1", 5) is None
    assert world.first_outcome("p_9", 1) is None
    kept = world.first_outcome("p_1", 6)
    assert kept is not None
    assert decoded(kept.result) == 6
    assert kept.digest == input_digest("run", {"n": 6}) != input_digest("run", {"n": 7})
    assert input_digest("run", {"a": 1, "b": [{"c": 1, "d": 2}]}) == input_digest(
        "run", {"b": [{"d": 2, "c": 1}], "a": 1}
    )


def test_what_python_keeps_of_players_can_be_written_down() -> None:
    """A snapshot will hold it."""
    world = load(with_input("world.emit(player, 'told', {n = 1}) world.score(player, 2.5) return {a = {}}"), TOML)
    join(world)
    act(world, "p_1", "run")
    written = msgspec.msgpack.encode(list(world.players.values()))
    (back,) = msgspec.msgpack.decode(written, type=list[PlayerState])
    assert msgspec.msgpack.encode([back]) == written
    assert (back.score, back.next_seq, back.next_event) == (2.5, 2, 2)


def test_score_is_the_reward_until_the_game_rewards() -> None:
    world = load(
        with_input("if args.n < 0 then world.reward(player, args.n) else world.score(player, args.n) end"), TOML
    )
    join(world)
    player = world.players["p_1"]
    act(world, "p_1", "run", n=7)
    assert (player.score, player.total_reward) == (7, 7)
    act(world, "p_1", "run", n=-2)
    act(world, "p_1", "run", n=-3)
    assert (player.score, player.total_reward) == (7, -5)


def test_an_unchanged_score_is_no_effect() -> None:
    world = load(body(tick="for _, player in ipairs(world.players) do world.score(player, 5) end"))
    join(world)
    assert world.apply([], step=True).had_effects
    assert not world.apply([], step=True).had_effects


def test_finish_ends_the_world_for_everybody() -> None:
    world = load(
        with_input("world.finish({winner = player}) world.finish({winner = 'late'})", tick="error('no')"), TOML
    )
    join(world)
    join(world)
    result = act(world, "p_2", "run", step=True)
    assert result.finished == world.finished == {"winner": "p_2"}
    assert result.debug == [], "no tick runs after the end"
    assert result.ended == [Ended(player, "terminated", {"winner": "p_2"}) for player in ("p_1", "p_2")]
    assert world.players["p_1"].ended == "terminated"
    with pytest.raises(ValueError, match="has finished"):
        world.apply([], step=True)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_world_finishes_at_the_tick_in_which_the_game_says_so(at_once: bool) -> None:
    world = load(body(tick="if world.tick == 30 then world.finish() end"))
    result = world.run_empty(100) if at_once else world.run_empty(29)
    if not at_once:
        result = world.apply([], step=True)
    assert (world.tick, result.tick, result.finished) == (30, 30, {})


@pytest.mark.parametrize("at_once", [True, False])
def test_max_ticks_truncates(at_once: bool) -> None:
    world = load(body(), "max_ticks = 5")
    join(world)
    if at_once:
        result = world.run_empty(50)
    else:
        for _ in range(5):
            result = world.apply([], step=True)
    assert (world.tick, result.finished) == (5, {"reason": "max_ticks"})
    assert [ended.how for ended in result.ended] == ["truncated"]


def test_settings_have_defaults_and_can_be_set() -> None:
    game = with_input("return {world.settings.speed, world.settings.pace}")
    worlds = [load(game, TOML), load(game, TOML, settings={"speed": 12.5, "pace": "fast"})]
    found = []
    for world in worlds:
        join(world)
        found.append(decoded(act(world, "p_1", "run").outcomes[0].result))
    assert found == [[3, "slow"], [12.5, "fast"]]
    with pytest.raises(ArgumentProblem, match=r"settings\.pace: pace must be one of slow, fast"):
        load(game, TOML, settings={"pace": "quick"})


def test_debug_lines_carry_their_tick_and_are_bounded() -> None:
    world = load(
        body(setup="world.debug('hello')", tick="print('tick', world.tick, {}) for i = 1, 80 do world.debug(i) end")
    )
    assert [(line.tick, line.text) for line in world.setup_lines] == [(0, "hello")]
    first = world.apply([], step=True)
    assert (first.debug[0].tick, first.debug[0].text, len(first.debug)) == (1, "tick 1 table", 81)
    lines = world.run_empty(5).debug
    assert len(lines) == 101
    assert "left out" in lines[-1].text


def test_helpers_of_the_world() -> None:
    world = load(
        with_input(
            """
            return {world.empty({}), world.empty({1}), world.empty({a = 1}), world.map{a = 1}.a,
              pcall(world.map, world.players) == false, world.player("nobody") == nil}"""
        ),
        TOML,
    )
    join(world)
    assert decoded(act(world, "p_1", "run").outcomes[0].result) == [True, False, False, 1, True, True]


def test_an_empty_tick_decodes_nothing() -> None:
    world = load(body(tick="world.state.n = (world.state.n or 0) + 1"))
    result = world.apply([], step=True)
    assert (result.tick, result.had_effects, result.outcomes, result.debug) == (1, False, [], [])


def test_a_closed_world_keeps_what_python_knows() -> None:
    world = load(with_input("world.score(player, 3)"), TOML)
    join(world)
    act(world, "p_1", "run")
    world.close()
    assert world.players["p_1"].score == 3
