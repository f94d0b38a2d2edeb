"""A small game to try changes of code on: players work for coins and spend them, and a wage comes with time.

`recorded` writes the log of one game of two; `changed` gives its code with something else in it.
"""

from __future__ import annotations

from pathlib import Path

from games.code import GameCode
from tests.replays.recording import WORLD, Recording

MANIFEST = """
title = "Mill"
summary = "Work, and spend."
max_players = 4
clock = "realtime"
tick_hz = 60
[inputs.work]
help = "Work for so many hours."
args.hours = { type = "integer", min = 1, max = 24 }
[inputs.spend]
help = "Spend coins."
args.amount = { type = "integer", min = 1, max = 1000 }
[events.paid]
help = "Your wage."
quiet = true
args.coins = { type = "integer", min = 1, max = 10 }
[observation.fields]
coins = { type = "integer", min = 0, max = 1000000 }
"""
MAIN = """
local game = { inputs = {} }
function game.setup(world)
  world.state.coins = world.map{}
  world.state.mood = 0
end
function game.join(world, player) world.state.coins[player.id] = 0 end
function game.leave(world, player) world.state.coins[player.id] = nil end
local function give(world, player, coins)
  world.state.coins[player.id] = world.state.coins[player.id] + coins
  world.score(player, world.state.coins[player.id])
end
function game.inputs.work(world, player, args)
  if args.hours > 8 then return world.reject("tired", "Nobody works longer than 8 hours.") end
  give(world, player, args.hours * 10)
end
function game.inputs.spend(world, player, args)
  if args.amount > world.state.coins[player.id] then return world.reject("poor", "You have not enough.") end
  give(world, player, -args.amount)
end
function game.tick(world, dt)
  if world.tick % 60 == 0 then
    for _, player in ipairs(world.players) do
      give(world, player, 1)
      world.emit(player, "paid", { coins = 1 })
    end
  end
end
function game.observe(world, player) return { coins = world.state.coins[player.id] } end
return game
"""


def changed(*changes: tuple[str, str]) -> GameCode:
    """The game, with these pieces of its code replaced by others."""
    main = MAIN
    for old, new in changes:
        assert main.count(old) == 1, old
        main = main.replace(old, new)
    return GameCode.from_files("mill", {"game.toml": MANIFEST.encode(), "main.lua": main.encode()})


def folder_of(code: GameCode, folder: Path) -> Path:
    """Write a game into a folder; returns it."""
    folder.mkdir(parents=True)
    for name, content in code.files.items():
        (folder / name).write_bytes(content)
    return folder


async def recorded(data: Path, *, code: GameCode | None = None, world: str = WORLD, seconds: int = 20) -> None:
    """A game of two: p_1 works at tick 101, 201, …, p_2 spends at 151, 351, …, with a checkpoint every 5 seconds."""
    recording = Recording(data, code or changed(), seed=4, settings={}, world=world)
    one, other = recording.join(), recording.join()
    for tick in range(50, seconds * 60, 50):
        recording.run(tick - recording.world.tick)
        if tick % 100 == 0:
            recording.input(one, "work", {"hours": tick // 100 % 10 + 1}, observed_tick=tick, note="to work")
        elif tick % 200 == 150:
            recording.input(other, "spend", {"amount": tick // 75}, observed_tick=tick - 10)
        if tick % 300 == 250:
            recording.checkpoint()
    recording.run(seconds * 60 - recording.world.tick)
    await recording.close()
