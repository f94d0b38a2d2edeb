"""Promise: docs/reference/game-api.md tells what exists, all of it and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from games.code import Engine, GameCode, load_check
from games.manifest import Manifest
from games.runtime.effects import Input
from games.runtime.world import World
from tests.games.small import join, run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "game-api.md").read_text()


def block(language: str) -> bytes:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(text).encode()


def berries() -> GameCode:
    return GameCode.from_files("berries", {"game.toml": block("toml"), "main.lua": block("lua")})


def test_the_whole_game_loads_and_can_be_played() -> None:
    load_check(berries())
    world = World.load(berries(), world_id="w", seed=3)
    join(world)
    kinds: set[str] = set()
    for _ in range(12):
        seen = msgspec.msgpack.decode(world.observe("p_1", "data").data or b"")
        target = seen["near"][0] if seen["near"] else {"x": 0, "z": 0}
        args = world.code.manifest.check_input("walk", {"x": target["x"], "z": target["z"]})
        world.apply([Input("p_1", world.players["p_1"].next_seq, "walk", args)], step=True)
        result = world.run_empty(80)
        assert result.debug == []
        kinds |= {event.kind for event in world.events("p_1", 1).items}
    assert kinds == {"arrived", "ate"}
    assert world.players["p_1"].score > 0


def defined(file: str, pattern: str) -> set[str]:
    """Names that a file of the engine defines."""
    return set(re.findall(pattern, Engine.current().files[file].decode(), re.MULTILINE))


WORLD = defined("world.lua", r"^function fields\.(\w+)") | {
    *(
        "state",
        "tick",
        "time",
        "settings",
        "players",
        "scene",
        "random",
        "shuffle",
        "stream",
        "map",
        "after",
        "every",
        "cancel",
    ),
}
SCENE = defined("scene.lua", r"^function methods\.(\w+)")
NODE_METHODS = defined("nodes.lua", r"^function methods\.(\w+)")


@pytest.mark.parametrize(
    ("names", "written"),
    [(WORLD, r"`world\.(\w+)"), (SCENE, r"`scene:(\w+)"), (NODE_METHODS, r"`node:(\w+)")],
    ids=["world", "scene", "node"],
)
def test_every_function_is_on_the_page_and_no_other(names: set[str], written: str) -> None:
    on_page = set(re.findall(written, PAGE))
    assert on_page == names


def test_every_property_of_a_node_is_on_the_page_and_no_other() -> None:
    on_page = set(re.findall(r"`node\.(\w+)", PAGE))
    (listed,) = re.findall(r"local PROPERTIES = \{(.*?)\}", Engine.current().files["nodes.lua"].decode(), re.DOTALL)
    assert on_page == set(re.findall(r'"(\w+)"', listed))


def test_every_global_is_on_the_page_and_no_other() -> None:
    (text,) = re.findall(r"The globals are (.*?)\. Reading", PAGE, re.DOTALL)
    names = re.findall(r"`(\w+)`", text)
    assert run(f"return {{{', '.join(f'type({name})' for name in names)}}}") == [
        "table" if name in ("bit", "coroutine", "math", "string", "table") else "function" for name in names
    ]
    assert defined("sandbox.lua", r"globals\.(\w+)(?:, globals\.\w+)* =") <= set(names)


@pytest.mark.parametrize("library", ["math", "table", "string", "coroutine"])
def test_every_function_of_the_libraries_is_on_the_page_and_no_other(library: str) -> None:
    (text,) = re.findall(rf"`{library}` has (.*?)(?:;|\. |, nested)", PAGE, re.DOTALL)
    on_page = sorted(set(re.findall(r"`(\w+)`", text)))
    assert (
        run(f"local names = {{}} for name in pairs({library}) do table.insert(names, name) end return names") == on_page
    )


def test_every_key_of_a_manifest_is_on_the_page() -> None:
    written = set(re.findall(r"`\[?(\w+)", PAGE[PAGE.index("## game.toml") : PAGE.index("## main.lua")]))
    assert set(Manifest.__struct_fields__) <= written
