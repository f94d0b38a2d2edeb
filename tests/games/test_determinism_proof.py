"""Promise: the same entries give the same worlds, of every game that is shipped: in every process, with and without the
JIT, whenever garbage is collected, on processors with other instructions, and restored from every snapshot.

The second half shows that these checks find what they are for: each mutant has one of the mistakes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest

from games.code import Engine, GameCode, find_games
from games.errors import GameError, StateNotSaveable, WorldFaulted
from games.runtime import sandbox
from tests.games.proof import Recording, computed, record
from tests.games.small import body
from tests.games.small import code as small_code

TICKS: Final = 2000
OLD_PROCESSOR: Final = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable"}
"""The C library does without these instructions, then: its sin and pow come out differently in the last digit."""


class Way(NamedTuple):
    """A way to compute the same worlds again."""

    options: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    def lines(self, files: list[Path], *more: str) -> list[str]:
        """The checkpoints that a process of its own prints."""
        return computed(files, *self.options, *more, **dict(self.environment))


WAYS: Final = {
    "another seed of hashes": Way(environment=(("PYTHONHASHSEED", "2"),)),
    "without the JIT": Way(("--jit-off",)),
    "garbage collected after each call": Way(("--collect",)),
    "an older processor": Way(environment=tuple(OLD_PROCESSOR.items())),
    "restored from every snapshot": Way(("--restore",)),
}
PLAIN: Final = Way(environment=(("PYTHONHASHSEED", "1"),))


def compute_in_all_ways(files: list[Path], *more: str) -> dict[str, list[str]]:
    """The checkpoints by way, two processes at a time; "plain" is the run that the others are compared with."""
    with ThreadPoolExecutor(2) as two:
        running = {name: two.submit(way.lines, files, *more) for name, way in {"plain": PLAIN, **WAYS}.items()}
        return {name: future.result() for name, future in running.items()}


def save(recording: Recording, path: Path) -> Path:
    """Write a recording for other processes."""
    path.write_bytes(msgspec.msgpack.encode(recording))
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """All games, played and computed again in every way."""
    folder = tmp_path_factory.mktemp("proof")
    files = [save(record(game, ticks=TICKS), folder / name) for name, game in find_games().items()]
    return compute_in_all_ways(files)


def test_every_game_was_played(results: dict[str, list[str]]) -> None:
    assert {line.split()[0] for line in results["plain"]} == set(find_games())
    assert len(results["plain"]) > 3 * 30
    assert len(set(results["plain"])) == len(results["plain"])


@pytest.mark.parametrize("way", WAYS)
def test_every_game_comes_out_the_same(results: dict[str, list[str]], way: str) -> None:
    assert results[way] == results["plain"]


# --- mutants -------------------------------------------------------------------------------------------


def code(main: str) -> GameCode:
    """A game of one input that does nothing: who plays must have something to send."""
    inputs = "function game.inputs.run() end\nreturn game\n"
    return small_code(main.replace("return game\n", inputs), '[inputs.run]\nhelp = "Run."')


def mutant_engine(file: str, old: str, new: str) -> Engine:
    """The engine with a text of one file replaced, which must occur once."""
    files = dict(Engine.current().files)
    text = files[file].decode()
    assert text.count(old) == 1, f"{file} has {text.count(old)} × {old!r}"
    return Engine.from_files(files | {file: text.replace(old, new).encode()})


def ways_that_differ(tmp_path: Path, game: GameCode, engine: Engine | None = None, *more: str) -> set[str]:
    """In which ways a game comes out differently."""
    results = compute_in_all_ways([save(record(game, ticks=200, engine=engine), tmp_path / "mutant")], *more)
    return {way for way in WAYS if results[way] != results["plain"]}


WALKS: Final = body(
    setup="world.state.bag = {}",
    tick="""
    local bag, order = world.state.bag, {}
    for i = 1, 5 do bag["key" .. world.random(200)], bag["key" .. world.random(200)] = i, nil end
    for key in pairs(bag) do order[#order + 1] = key end
    world.state.order = table.concat(order, " ")
    """,
)
# These two go on from their own results, and make a difference in the last digit a large one.
WAVES: Final = body(
    setup="world.state.x = 0.5",
    tick="for i = 1, 100 do world.state.x = math.sin(world.state.x * 1000 + i) end",
)
COUNTS: Final = body(setup="world.state.n = 0", extra="local count = 0", tick="count = count + 1 world.state.n = count")
POWERS: Final = body(
    setup="world.state.x, world.state.square = 0.5, 0",
    tick="""
    for i = 1, 100 do
      world.state.x = (1 + world.state.x) ^ 17.3 % 1
      world.state.square = world.state.x ^ 2
    end
    """,
)


def test_games_without_a_mistake_come_out_the_same(tmp_path: Path) -> None:
    for name, main in {"walks": WALKS, "waves": WAVES}.items():
        folder = tmp_path / name
        folder.mkdir()
        assert ways_that_differ(folder, code(main)) == set()


def test_pairs_in_no_order_is_found(tmp_path: Path) -> None:
    engine = mutant_engine(
        "order.lua", "return step, { t = t, at = 0, run = run, keys = keys, last = run + count }, nil", "return next, t"
    )
    assert "restored from every snapshot" in ways_that_differ(tmp_path, code(WALKS), engine)


def library_differs(name: str) -> bool:
    """Does the C library of this machine compute this function in more than one way?"""
    args = {"sin": "1 + i * 0.00137", "pow": "1 + i * 0.00137, 17.3"}[name]
    program = f"import math; print([math.{name}({args}) for i in range(9999)])"
    return computed_by(program) != computed_by(program, **OLD_PROCESSOR)


def computed_by(program: str, **environment: str) -> str:
    """What a Python program prints."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | environment
    ).stdout


def test_the_c_librarys_sine_is_found(tmp_path: Path) -> None:
    own = "maths.sin, maths.cos, maths.tan = "
    engine = mutant_engine("sandbox.lua", f"{own}math_trig.sin,", f"{own}math.sin,")
    assert ("an older processor" in ways_that_differ(tmp_path, code(WAVES), engine)) == library_differs("sin")


def test_powers_are_refused_and_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GameError, match="gives other results on other machines"):
        record(code(POWERS), ticks=1)
    monkeypatch.setattr(sandbox, "find_refused", lambda source: None)
    found = ways_that_differ(tmp_path, code(POWERS), None, "--allow-power")
    assert ("an older processor" in found) == library_differs("pow")


def test_a_counter_of_a_module_is_found(tmp_path: Path) -> None:
    assert ways_that_differ(tmp_path, code(COUNTS)) == {"restored from every snapshot"}


def test_a_list_with_holes_is_found() -> None:
    holes = body(setup="world.state.list = {1, 2, 3}", tick="world.state.list[2] = nil")
    with pytest.raises(StateNotSaveable, match=r"state\.list\[2\] is a hole in a list"):
        record(code(holes), ticks=200)


def test_an_observe_that_writes_is_found() -> None:
    writes = body(setup="world.state.n = 0", observe="world.state.n = world.state.n + 1 return {}")
    with pytest.raises(WorldFaulted, match=r"changed state\.n") as caught:
        record(code(writes), ticks=2000)
    assert caught.value.kind == "observe_writes"
