"""The workshop of ``serve --dev``: watches the folders of the games, and says when one has been saved and can be used.

A folder is looked at a few times a second; when its files have changed and then stood still for one more look they are
read. A file that was caught half saved is only a broken save: its next change is another. What cannot be used changes
nothing. What can is tried first in a process of its own (``server/trial.py``): a module that never ends its loading
must not stop the server.

Not here: what running worlds make of the new code (shards), and of what they began with (`games.code.KEPT`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from eventlog.store import Store
from games.code import KEPT, MANIFEST, SKILL, GameCode
from games.errors import GameError
from server import messages
from server.trial import LOADING_CPU_S, Problem

LOOK_EVERY_S: Final = 0.2
TRIAL_WITHIN_S: Final = 30.0  # by the clock; it is stopped sooner by the processor time that it may use

Look = tuple[tuple[str, int, int, int], ...]
"""Of each file of a game: name, time of its last change, size, inode."""

_log: Final = logging.getLogger("worldline.workshop")


def look_at(folder: Path) -> Look:
    """The files of a game's folder as they are now; none if it is not there."""
    found = []
    with contextlib.suppress(OSError):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name.endswith(".lua") or entry.name in (MANIFEST, SKILL):
                with contextlib.suppress(OSError):  # it has just gone
                    status = entry.stat()
                    found.append((entry.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


class Workshop:
    """The games of a server while somebody works on them. ``games``: each as it was saved last and can be used."""

    def __init__(
        self,
        games: Mapping[str, GameCode],
        store: Store,
        *,
        saved: Callable[[GameCode], None],
        broken: Callable[[messages.CodeBroken], None],
    ) -> None:
        """``saved`` hears of a version whose code is in the data folder by then, ``broken`` of one of no use."""
        self.games = dict(games)
        self._store = store
        self._saved = saved
        self._broken = broken
        self._used = {name: look_at(Path(code.origin)) for name, code in games.items()}

    async def watch(self) -> None:
        """Look, until cancelled."""
        before = dict(self._used)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for name, code in list(self.games.items()):
                now = look_at(Path(code.origin))
                stood_still, before[name] = now == before[name], now
                if stood_still and now != self._used[name]:
                    self._used[name] = now
                    await self._try(name, Path(code.origin))

    async def _try(self, name: str, folder: Path) -> None:
        try:
            code = GameCode.load(folder)
            problem = await try_out(code)
        except GameError as error:
            problem = Problem(path=error.path, line=error.line, reason=error.reason)
        if problem is not None:
            where = problem.path if problem.line is None else f"{problem.path}:{problem.line}"
            _log.error("%s: %s; worlds go on with the code they have", where, problem.reason)
            self._broken(messages.CodeBroken(game=name, message=problem.reason, file=problem.path, line=problem.line))
            return
        try:
            self._store.put_code(code.digest, code.files)
        except OSError as error:
            _log.error("%s is saved, but there is no room for it in the data folder: %s", name, error)
            return
        before, self.games[name] = self.games[name], code
        _log.info("%s is saved%s", name, what_changed(before, code))
        self._saved(code)


def what_changed(before: GameCode, after: GameCode) -> str:
    """What is said of a save beside that it happened. Pure."""
    later = [name for name in KEPT if getattr(before.manifest, name) != getattr(after.manifest, name)]
    parts = [f"; for new worlds only: {', '.join(later)}"] if later else []
    if not after.changes_rules_of(before):
        parts.append("; running worlds go on with the code they have: nothing changes for them")
    return "".join(parts)


def served(code: GameCode) -> messages.ServedGame:
    """A game as other processes are told of it."""
    return messages.ServedGame(name=code.name, digest=code.digest, skill=code.skill, origin=code.origin)


async def try_out(code: GameCode) -> Problem | None:
    """Load a game in a process of its own; return what is wrong with it, if anything is."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.trial", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        given = msgspec.msgpack.encode((code.name, code.files, code.origin))
        said, _ = await asyncio.wait_for(process.communicate(given), TRIAL_WITHIN_S)
    except TimeoutError:
        said = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        reason = f"it cannot be loaded: that takes more than {LOADING_CPU_S} s of processor time, or all memory"
        return Problem(path=code.origin, line=None, reason=reason)
    return msgspec.msgpack.decode(said, type=Problem | None)
