"""The bots that a server runs for worlds that were made with some: sample bots, each crew in a process of its own.

A crew is exactly ``worldline bot GAME --count N --world W``, at the server's own address. It plays until its world has
ended, and never outlives the server. Its bots are guests of the role agent, whatever guests may be else: they show a
token that only this server's gateways know.

Not here: how a bot plays.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from server import messages, refusals
from server.botrunner import find_bot
from server.process import BOTS_TOKEN_VARIABLE, python_environment
from worldline import protocol

LIMIT: Final = 64
"""Bots at one time, whoever asks: each thinks on the machine that runs the worlds."""
THINK: Final = "1-3"
ENDS_WITHIN_S: Final = 5.0  # bots leave their seats first
_LINE_LIMIT_BYTES: Final = 4096
"""What is logged of a line that a bot writes."""
_LAST_WORDS_S: Final = 1.0

_log = logging.getLogger("worldline.bots")


class _Crew:
    """A process of bots that play in one world."""

    def __init__(self, world: str, size: int) -> None:
        self.world = world
        self.size = size
        self.process: asyncio.subprocess.Process | None = None
        self.over = asyncio.Event()


class HouseBots:
    """The crews of one server.

    ``for_agents``: how many bots agents may have in all; developers may have `LIMIT`. ``address`` gives the server's
    URL, None if bots cannot connect there; ``join_code`` gives that of a private world.
    """

    def __init__(
        self,
        game_folders: Sequence[Path],
        *,
        for_agents: int,
        address: Callable[[], str | None],
        join_code: Callable[[str], str],
    ) -> None:
        self._game_folders = tuple(game_folders)
        self._for_agents = for_agents
        self._address = address
        self._join_code = join_code
        self.token = secrets.token_urlsafe(24)
        """What these bots show; good while this server runs."""
        self._crews: dict[str, _Crew] = {}  # by world
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def count(self) -> int:
        """How many bots play now."""
        return sum(crew.size for crew in self._crews.values())

    def refusal(self, question: messages.AskCreate, max_players: int) -> protocol.Error | None:
        """Why there are no bots for this; None if there are."""
        limit = LIMIT if question.by_developer else self._for_agents
        if not limit:
            return refusals.no_bots_for_you()
        if self._address() is None:
            return refusals.no_bots_with_tls()
        if question.bots > max_players:
            return refusals.bots_beyond_seats(question.game, question.bots, max_players)
        if find_bot(question.game, self._game_folders) is None:
            return refusals.no_bot(question.game)
        if self.count + question.bots > limit:
            return refusals.too_many_bots(self.count, limit)
        return None

    def start(self, world: str, game: str, count: int, *, private: bool) -> None:
        """Let ``count`` bots play in ``world``. What goes wrong with them is in the log, and hurts nobody else."""
        address = self._address()
        if address is not None and not self._stopping:
            self._crews[world] = _Crew(world, count)
            self._do(self._run(world, game, address, self._join_code(world) if private else None))

    def world_ended(self, world: str) -> None:
        """Bots notice by themselves that their world has ended; those that do not are ended."""
        if world in self._crews:
            self._do(self._see_off(self._crews[world]))

    async def stop(self) -> None:
        """End all crews. Safe to repeat."""
        self._stopping = True
        await asyncio.gather(*(self._end(crew) for crew in list(self._crews.values())))
        await asyncio.gather(*self._tasks)

    # --- inside --------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, world: str, game: str, url: str, join_code: str | None) -> None:
        crew, about = self._crews[world], {"world": world}
        words = ["bot", game, "--count", str(crew.size), "--think", THINK, "--url", url, "--world", world]
        if join_code is not None:
            words += ["--join-code", join_code]
        for folder in self._game_folders:
            words += ["--games", str(folder)]
        try:
            crew.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "server.commands", *words, "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT_BYTES,
                env=python_environment() | {BOTS_TOKEN_VARIABLE: self.token, "PYTHONUNBUFFERED": "1"},
            )
            assert crew.process.stdout is not None
            assert crew.process.stderr is not None
            reading = [
                asyncio.create_task(_pass_on(crew.process.stdout, logging.INFO, about)),
                asyncio.create_task(_pass_on(crew.process.stderr, logging.WARNING, about)),
            ]
            code = await crew.process.wait()
            _, unfinished = await asyncio.wait(reading, timeout=_LAST_WORDS_S)
            for reader in unfinished:  # a process that a bot has started holds what it writes to
                reader.cancel()
            if code and not self._stopping:
                _log.warning("the bots of world %s of %s ended with %d", world, game, code, extra=about)
        except OSError as error:
            _log.error("no bots for world %s of %s: %s", world, game, error, extra=about)
        finally:
            self._crews.pop(world, None)
            crew.over.set()

    async def _end(self, crew: _Crew) -> None:
        for signal_name in ("terminate", "kill"):
            if crew.process is not None and crew.process.returncode is None:
                getattr(crew.process, signal_name)()
            try:
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await crew.over.wait()
                return
            except TimeoutError:
                _log.warning(
                    "the bots of world %s do not end: they are killed", crew.world, extra={"world": crew.world}
                )

    async def _see_off(self, crew: _Crew) -> None:
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await crew.over.wait()
        except TimeoutError:
            await self._end(crew)


async def _pass_on(written: asyncio.StreamReader, level: int, about: dict[str, str]) -> None:
    """Log each line that bots write, until they have ended; of one that is too long, what fits into a line of ours."""
    whole = True
    while True:
        try:
            line = await written.readuntil()
            cut = False
        except asyncio.IncompleteReadError as ended:
            line, cut = ended.partial, False
        except asyncio.LimitOverrunError:
            line, cut = await written.read(_LINE_LIMIT_BYTES), True
        if not line:
            return
        text = line[:_LINE_LIMIT_BYTES].decode(errors="replace").rstrip()
        if text and whole:
            _log.log(level, "%s%s", text, "…" if cut else "", extra=about)
        whole = not cut
