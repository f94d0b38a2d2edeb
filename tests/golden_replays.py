"""Records the golden replays of the games that we ship, and says what has become of them.

    python -m tests.golden_replays                      play all again with the code of today
    python -m tests.golden_replays --record [NAME…]     record those anew that go another way, and show the difference

A change of rules, or of the engine, that alters history makes ``tests/replays/test_golden.py`` fail. If it is meant,
record them again and look at what this prints: which files of the code have changed, at what tick the old game goes
another way by the new rules, and how both ended. One that goes the same way is kept as it is: the older the engine that
it was recorded with, the more it proves. The same code records the same bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from games.code import Engine, GameCode, find_games
from games.parley import bot as parley
from games.runtime.world import World
from games.snakes import bot as snakes
from games.tsunami.bot import decide
from replays.bundle import SUFFIX, export_world, unpacked
from replays.golden import FOLDER, check_golden, golden_replays
from replays.replay import replay
from tests.games.tsunami_driver import at_random
from tests.replays.recording import Recording

GAMES: Final = Path(__file__).resolve().parents[1] / "games"
CHECKPOINT_TICKS: Final = {"snakes": 25, "parley": 10}
"""How often the hash of the whole state is written down, and so compared."""


def seen(world: World, player: str) -> dict[str, Any]:
    data = world.observe(player, "data").data
    assert data is not None
    return dict(msgspec.msgpack.decode(data))


def play_tsunami(recording: Recording, seed: int) -> None:
    """58 s with a whole wave in them: three play well, two do anything, one leaves, one comes late."""
    wild = at_random(seed)
    thinks: dict[str, Callable[[dict[str, Any]], Any]] = {
        recording.join(): chooser for chooser in (decide, decide, decide, wild, wild)
    }
    for second in range(58):
        if second == 20:
            leaver = next(iter(thinks))
            recording.leave(leaver)
            del thinks[leaver]
        if second == 30:
            thinks[recording.join()] = decide
        for number, (player, chooser) in enumerate(list(thinks.items())):
            if (second + number) % 2:
                decision = chooser(seen(recording.world, player))
                if decision.name is not None:
                    recording.input(player, decision.name, decision.args)
            recording.run(10 - recording.world.tick % 10)
        recording.run(60 * (second + 1) - recording.world.tick)
        if second % 10 == 9:
            recording.claim()


def play_in_turns(
    recording: Recording, seed: int, players: int, move: Callable[[World, str, random.Random], Any]
) -> None:
    """A whole game; now and then somebody says nothing until the deadline has passed."""
    chance = random.Random(seed)
    for _ in range(players):
        recording.join()
    world = recording.world
    while world.finished is None:
        moves = {player: None if chance.random() < 0.03 else move(world, player, chance) for player in world.to_act()}
        recording.turn(moves)
        if world.finished is None and world.tick % CHECKPOINT_TICKS[world.code.name] == 0:
            recording.claim()


def snake_move(world: World, player: str, _chance: random.Random) -> tuple[str, dict[str, Any]]:
    return "move", {"direction": snakes.decide(seen(world, player)).direction}


def parley_move(world: World, player: str, _chance: random.Random) -> tuple[str, dict[str, Any]]:
    decision = parley.decide(seen(world, player))
    return decision.name, world.code.manifest.check_input(decision.name, decision.args)


RECORDED: Final[Mapping[str, Mapping[str, tuple[int, Callable[[Recording, int], None]]]]] = {
    "tsunami": {"a-wave": (11, play_tsunami)},
    "snakes": {
        f"game-{seed}": (seed, lambda recording, seed: play_in_turns(recording, seed, 4, snake_move))
        for seed in (1, 2, 3)
    },
    "parley": {
        f"game-{seed}": (seed, lambda recording, seed: play_in_turns(recording, seed, 2 + seed, parley_move))
        for seed in (1, 2, 3)
    },
}
"""Game → name of the file → seed, and how it is played."""


async def record(game: str, name: str, target: Path) -> None:
    """Play one of `RECORDED` with the code of today, and write it to ``target``."""
    seed, play = RECORDED[game][name]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"wave_interval_s": 26} if game == "tsunami" else {}
        world = f"w_golden-{game}-{name}"
        recording = Recording(Path(folder), find_games()[game], seed=seed, settings=settings, world=world)
        play(recording, seed)
        await recording.close(reason="finished" if recording.world.finished is not None else "operator")
        target.parent.mkdir(exist_ok=True)
        export_world(Path(folder), world, target, keyframes=False, replace=True)


def path_of(game: str, name: str) -> Path:
    return GAMES / game / FOLDER / f"{name}{SUFFIX}"


def ending(path: Path) -> list[str]:
    """How a recorded game ended: when, and who had what score."""
    with unpacked(path) as (data, world):
        done = replay(data, world).run().world
        return [f"tick {done.tick}", *(f"{each.name} {each.score:g}" for each in done.players.values())]


def changed_files(path: Path, code: GameCode, engine: Engine) -> list[str]:
    """The files of code and engine that are not those with which a replay was recorded."""
    with unpacked(path) as (data, world):
        then = replay(data, world).world
    pairs = ((then.code.files, code.files), (then.engine.files, engine.files))
    return [name for old, new in pairs for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def record_anew(game: str, name: str) -> str:
    """Record one again in its place; returns what is different."""
    path = path_of(game, name)
    if not path.exists():
        asyncio.run(record(game, name, path))
        return f"{game}/{name}: new, {', '.join(ending(path))}, {path.stat().st_size} bytes"
    code = find_games()[game]
    verdict = check_golden(path, code)
    if verdict.status == "same":
        return f"{game}/{name}: goes the same way, and is kept (to have another game recorded, remove {path})"
    was, changed = ending(path), changed_files(path, code, Engine.current())
    asyncio.run(record(game, name, path))
    lines = [f"{game}/{name}: recorded anew; other code in {', '.join(changed)}"]
    lines.append(f"  {verdict.problem}")
    lines.append(f"  it ended: {', '.join(was)}")
    lines.append(f"  now ends: {', '.join(ending(path))}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Golden replays of the games that we ship.")
    parser.add_argument("--record", action="store_true", help="record anew what goes another way")
    parser.add_argument("games", nargs="*", metavar="NAME", help="only those of these games")
    asked = parser.parse_args()
    games = asked.games or list(RECORDED)
    if unknown := [game for game in games if game not in RECORDED]:
        parser.error(f"no golden replays are recorded of {', '.join(unknown)}: there are {', '.join(RECORDED)}")
    bad = False
    for game in games:
        if asked.record:
            for name in RECORDED[game]:
                print(record_anew(game, name), flush=True)
            continue
        for path in golden_replays(GAMES / game):
            verdict = check_golden(path, find_games()[game])
            print(f"{verdict.status}\t{path.relative_to(GAMES)}\t{verdict.tick}\t{verdict.problem or ''}")
            bad = bad or verdict.status != "same"
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
