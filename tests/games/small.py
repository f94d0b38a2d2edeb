"""Small games made in tests: a few lines of Lua and a few of TOML, loaded as any other game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from games.code import GameCode
from games.runtime.effects import Input, Join
from games.runtime.world import TickResult, World

HEAD = 'title = "Small"\nsummary = "A game for one test."\nmax_players = 4\n'


def code(main: str, toml: str = "", name: str = "small", **modules: str) -> GameCode:
    """Return a game with this main.lua, these lines in game.toml and these further modules."""
    files = {f"{module}.lua": source.encode() for module, source in modules.items()}
    return GameCode.from_files(
        name, files | {"game.toml": (HEAD + toml).encode(), "main.lua": main.encode()}, origin=name
    )


def load(main: str, toml: str = "", *, seed: int = 1, settings: Mapping[str, Any] | None = None) -> World:
    """Return a world of such a game."""
    return World.load(code(main, toml), world_id="w_test", seed=seed, settings=settings)


def body(
    *, setup: str = "", tick: str = "", observe: str = "return {}", view: str = "", inputs: str = "", extra: str = ""
) -> str:
    """Return a main.lua with these function bodies; ``inputs`` is Lua that fills ``game.inputs``."""
    view = f"function game.view(world) {view} end" if view else ""
    return f"""
local game = {{ inputs = {{}} }}
{extra}
function game.setup(world) {setup} end
function game.tick(world, dt) {tick} end
function game.observe(world, player) {observe} end
{view}
{inputs}
return game
"""


def join(world: World, name: str = "ada") -> str:
    """Seat a player between ticks and return its id."""
    player, seat = world.next_player_id(), world.free_seat()
    assert seat is not None
    world.apply([Join(player, seat, f"a_{player}", name)], step=False)
    return player


def act(world: World, player: str, name: str, /, *, step: bool = False, **args: Any) -> TickResult:
    """Apply one input, between ticks or in a tick."""
    return world.apply([Input(player, world.players[player].next_seq, name, args)], step=step)


def run(lua: str, /, *, seed: int = 1, **values: Any) -> Any:
    """Run Lua in a game's sandbox with ``world`` and ``v`` (these values) and return what it returns, decoded.

    Raises AssertionError with the traceback if it raises.
    """
    game = body(inputs=f"function game.inputs.run(world, player, v) {lua} end")
    world = load(game, '[inputs.run]\nhelp = "Run."', seed=seed)
    result = act(world, join(world), "run", **values)
    outcome = result.outcomes[0]
    assert outcome.status == "applied", (outcome, result.debug)
    return None if outcome.result is None else msgspec.msgpack.decode(outcome.result)


def error_of(lua: str, /, **values: Any) -> str:
    """Return the message of the error that this Lua raises in the sandbox, as pcall shows it."""
    message = run(f"local ok, message = pcall(function() {lua} end) return {{ok, message}}", **values)
    assert message[0] is False, f"nothing was raised by {lua}"
    return str(message[1])
