"""Runs a game's ``bot.py`` for many connections in one process: what ``worldline bot`` is made of.

A bot is ``async def play(player: worldline.Player) -> None``; it plays until it returns or raises, and never sees
another bot's connection. One that raises is reported in one line and the others go on. Python of a game folder runs
only in a process that a person (or demo, bench) started for it, never in one of the server's.

Not here: how a bot thinks, and any option's spelling.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import math
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import uvloop

import games
import worldline
from games.code import BOT
from server.audit import Acknowledged, to_line

Play = Callable[[worldline.Player], Awaitable[None]]

LEAVE_TIMEOUT_S: Final = 1.0  # a bot that is stopped gives its seat back, if the server answers this fast
LONGEST_THINK_S: Final = 3600.0


class BotError(Exception):
    """The bots cannot be run: ``what`` says why, ``remedy`` what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} → {remedy}")
        self.what = what
        self.remedy = remedy


class BotRun(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: ``count`` bots named ``prefix``-1, -2 … ``seconds`` None: until they end or are stopped."""

    game: str
    count: int
    think_s: tuple[float, float]
    url: str | None = None
    token: str | None = None
    world: str | None = None
    """Play in this world; None: in any of the game."""
    join_code: str | None = None
    seconds: float | None = None
    prefix: str = "bot"
    game_folders: tuple[Path, ...] = ()
    record: Path | None = None
    """Where every outcome that a bot is told is appended, as a line of JSON."""


def parse_think(text: str) -> tuple[float, float]:
    """Read a thinking time, ``2-5`` or ``3``, as (least, most) seconds. Raises ValueError that says what is valid."""
    low, dash, high = text.partition("-")
    try:
        least = float(low)
        most = float(high) if dash else least
    except ValueError:
        raise ValueError(f"{text!r} is no time in seconds: write 2-5, or 3, or 0") from None
    if not (math.isfinite(least) and math.isfinite(most) and 0 <= least <= most <= LONGEST_THINK_S):
        raise ValueError(f"{text!r} is no range of seconds: write the smaller one first, like 2-5")
    return least, most


def load_bot(game: str, folders: Sequence[Path] = ()) -> Play:
    """The ``play`` of a game's ``bot.py``. Raises `BotError` if there is no such game, or it has no (working) bot."""
    path = find_bot(game, folders)
    if path is None:
        raise BotError(
            f"there is no bot for a game {game!r}", "check the name, or name the game's folder with --games DIR"
        )
    spec = importlib.util.spec_from_file_location(f"bot_of_{game}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BotError(f"{path} cannot be loaded: {type(error).__name__}: {error}", "mend it") from error
    play = getattr(module, "play", None)
    if not asyncio.iscoroutinefunction(play):
        raise BotError(f"{path} has no `async def play(player)`", "write one: it is what runs for each bot")
    return play


def find_bot(game: str, folders: Sequence[Path] = ()) -> Path | None:
    """Where the game's ``bot.py`` is: in a packaged game, else in ``folders`` (each a game, or a folder of games)."""
    packaged = [Path(place) / game for place in games.__path__]
    named = [folder for folder in folders if folder.resolve().name == game]
    for folder in [*packaged, *named, *(folder / game for folder in folders)]:
        if (folder / "game.toml").is_file() and (folder / BOT).is_file():
            return folder / BOT
    return None


async def run_bots(run: BotRun, report: Callable[[str], None]) -> int:
    """Run all bots until they have ended, ``seconds`` are over, or this task is cancelled. Returns how many failed.

    ``report`` gets one line about each bot that fails. Raises `BotError` if there is nothing to run.
    """
    play = load_bot(run.game, run.game_folders)
    if run.record is not None:
        play = _recording(play, run.record)
    bots = [
        asyncio.create_task(_run_one(run, f"{run.prefix}-{number}", play, report)) for number in range(1, run.count + 1)
    ]
    try:
        await asyncio.wait(bots, timeout=run.seconds)
    finally:
        for bot in bots:
            bot.cancel()
        ended = await asyncio.gather(*bots, return_exceptions=True)
    return sum(failed is True for failed in ended)


def _recording(play: Play, path: Path) -> Play:
    """``play``, but with players whose outcomes are written down. Raises `BotError` if they cannot be."""
    try:
        record = path.open("ab", buffering=0)
    except OSError as error:
        raise BotError(f"cannot write {path}: {error.strerror}", "use another --record") from error

    async def recorded(player: worldline.Player) -> None:
        # It does all that a player does; only its type does not say so.
        await play(cast(worldline.Player, RecordedPlayer(player, record)))

    return recorded


class RecordedPlayer:
    """A `worldline.Player` whose outcomes are written down as soon as they are there. Everything else is its own."""

    def __init__(self, player: worldline.Player, record: FileIO) -> None:
        self._player = player
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._player, name)

    async def input(self, name: str, args: Mapping[str, Any] | None = None, /, **more: Any) -> worldline.Outcome:
        """`worldline.Player.input`, written down."""
        outcome = await self._player.input(name, args, **more)
        told = Acknowledged(outcome.world, outcome.player, outcome.seq, outcome.tick, outcome.status)
        self._record.write(to_line(told))
        return outcome


def run_until_signal(run: BotRun, report: Callable[[str], None]) -> int:
    """`run_bots` on an event loop of its own, ended cleanly by SIGINT or SIGTERM. Returns how many bots failed."""

    async def main() -> int:
        task = asyncio.ensure_future(run_bots(run, report))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def _run_one(run: BotRun, name: str, play: Play, report: Callable[[str], None]) -> bool:
    """Play one bot to its end; whether it failed."""
    try:
        async with worldline.connect(run.url, name=name, token=run.token, think_s=run.think_s) as client:
            if run.world is None:
                player = await client.join(run.game)
            else:
                player = await client.join(world=run.world, join_code=run.join_code)
            try:
                await play(player)
            finally:
                if player.closed is None:
                    with contextlib.suppress(worldline.WorldlineError, TimeoutError):
                        await asyncio.wait_for(player.leave(), LEAVE_TIMEOUT_S)
    except worldline.WorldlineError as error:
        report(f"{name}: {error}")
        return True
    except Exception as error:  # a bot is other people's code: whatever it raises ends this bot alone
        said = " ".join(str(error).split())
        report(f"{name}: {type(error).__name__}: {said}{_place(error)}")
        return True
    return False


def _place(error: BaseException) -> str:
    """Where in the bot it was raised, for the author: ``(bot.py:12)``."""
    traceback, place = error.__traceback__, ""
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.name == "bot.py":
            place = f" (bot.py:{traceback.tb_lineno})"
        traceback = traceback.tb_next
    return place
