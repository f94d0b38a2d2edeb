"""Runs a demo: a server, a process of sample bots, and the display, until the time is over or Ctrl-C.

Whatever ends it, everything is stopped in order - bots, then server - and no process stays behind. The data are kept.

Not here: what is shown (``model.py``, ``view.py``, ``plain.py``) and where log lines come from (``feed.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from server import version
from server.config import DEFAULT_PORT, ServeConfig
from server.demo.display import Display, PlainDisplay, StandardErrorCatcher, TerminalDisplay
from server.demo.feed import WORLDS_FOLLOWED, Feed
from server.demo.keys import Keys
from server.demo.killing import Killer
from server.demo.model import Line, Picture, Scene, WorldRow, world_rows
from server.demo.next_steps import next_steps, shown_folder
from server.logs import configure_logging
from server.process import python_environment
from server.supervisor import ServerStatistics, Supervisor

READINGS_EVERY_S: Final = 1.0
BOTS_STOP_S: Final = 2.0
SCENE_EVERY_S: Final = 15.0  # with several worlds, the map shows them in turn, each for so long
LINES_KEPT: Final = 200
THINK: Final = "2-5"
_STANDARD_ERROR: Final = 2


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to show. ``seconds`` None: until Ctrl-C. ``program`` is how the person calls this command."""

    seconds: float | None
    agents: int
    game: str
    port: int
    data: Path
    shards: int
    game_folders: tuple[Path, ...]
    kill_after_s: float | None = None
    """Kill a tick worker after this time."""
    program: str


def run_demo(options: DemoOptions) -> None:
    """Run the demo until its time is over, or SIGINT or SIGTERM.

    Raises `StartError` if the server cannot start or cannot go on.
    """
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(options, terminal=terminal))


async def _run(options: DemoOptions, *, terminal: bool) -> None:
    demo = _Demo(options, terminal=terminal)
    try:
        await demo.run()
    finally:
        demo.give_back()
    for line in demo.last_words():
        print(line)


class _Demo:
    """One demo."""

    def __init__(self, options: DemoOptions, *, terminal: bool) -> None:
        self._options = options
        self._terminal = terminal
        self._title = ""
        self._started_s = time.monotonic()
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._lines_ever = 0
        self._errors: deque[str] = deque(maxlen=LINES_KEPT)
        self._feed = Feed(options.data)
        self._earlier: ServerStatistics | None = None
        self._later: ServerStatistics | None = None
        self._scene: Scene | None = None
        self._killer: Killer | None = None
        self._worlds: list[str] = []
        self._stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        # Before anything is started: children write to the standard error that they inherit.
        self._catcher = StandardErrorCatcher(self._on_error_line) if terminal else None
        configure_logging("text", "warning", "supervisor")
        self._supervisor = Supervisor(
            ServeConfig(
                port=options.port,
                data=options.data,
                games=options.game_folders,
                shards=options.shards,
                keep_worlds=False,
                log_level="warning",
            )
        )

    async def run(self) -> None:
        """Start everything, show it, stop it."""
        stop: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        starting = asyncio.ensure_future(self._supervisor.start())
        try:
            await asyncio.wait([stop, starting], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._title = (
                    f"worldline {version()} · {self._supervisor.page_url} · data {shown_folder(self._options.data)}"
                )
                print(self._title, flush=True)
                await self._play(stop)
        finally:
            stop.cancel()
            starting.cancel()
            await asyncio.gather(stop, starting, return_exceptions=True)
            await self._supervisor.stop()

    def give_back(self) -> None:
        """Give standard error back, with what it was not given meanwhile; call it when everything has stopped."""
        if self._catcher is not None:
            self._catcher.close()
            for text in self._errors:
                print(text, file=sys.stderr)

    def last_words(self) -> list[str]:
        """What to print at the end: where the logs are, and what to do next. Nothing if nothing was started."""
        if not self._title:
            return []
        options = self._options
        world = self._worlds[0] if self._worlds else None
        # A port that the system picked is free again: the next server takes the usual one.
        port = options.port or DEFAULT_PORT
        steps = next_steps(options.program, data=options.data, port=port, game=options.game, world=world)
        logs = "log of 1 world is" if len(self._worlds) == 1 else f"logs of {len(self._worlds)} worlds are"
        return [f"stopped; the {logs} kept in {shown_folder(options.data)}", *steps]

    async def _play(self, stop: asyncio.Future[Any]) -> None:
        failed: asyncio.Future[Any] = asyncio.ensure_future(self._supervisor.failed())
        reading = asyncio.create_task(self._read())
        folder = Path(tempfile.mkdtemp(prefix="worldline-"))
        told = folder / "told.jsonl"
        told.touch()
        killer = self._killer = Killer(self._supervisor, self._options.data, told)
        bots = self._start_bots(told)
        keys: Keys | None = None
        display: Display = TerminalDisplay() if self._terminal else PlainDisplay()
        try:
            keys = Keys.listen(self._on_key) if self._terminal else None
            while not self._over():
                await self._look()
                self._kill_if_due()
                display.show(self._picture(keys=keys is not None))
                await asyncio.wait([stop, failed], timeout=display.every_s, return_when=asyncio.FIRST_COMPLETED)
                if failed.done():
                    raise failed.result()
            display.show(self._picture(keys=keys is not None))
        finally:
            if keys is not None:
                keys.close()
            display.close()
            await killer.close()
            self._feed.close()
            reading.cancel()
            failed.cancel()
            await asyncio.gather(reading, failed, return_exceptions=True)
            await self._stop_bots(bots)
            shutil.rmtree(folder, ignore_errors=True)

    def _on_signal(self) -> None:
        """The first one stops everything in order, the second one at once."""
        if self._stop.is_set():
            self._supervisor.kill()
        self._stop.set()

    def _over(self) -> bool:
        seconds = self._options.seconds
        if self._stop.is_set() or seconds is None:
            return self._stop.is_set()
        # A kill that was ordered is carried out, and its account shown.
        kill_shown = self._options.kill_after_s is None or (self._killer is not None and self._killer.told)
        return kill_shown and time.monotonic() - self._started_s >= seconds

    def _on_key(self, key: str) -> None:
        if key in "kK" and self._killer is not None:
            self._killer.start()

    def _kill_if_due(self) -> None:
        after_s = self._options.kill_after_s
        due = after_s is not None and time.monotonic() - self._started_s >= after_s
        if due and self._killer is not None and self._killer.kill is None:
            self._killer.start()  # nothing happens while no world ticks: then the next time

    # --- what is shown ---------------------------------------------------------------------------------

    def _rows(self) -> list[WorldRow]:
        return world_rows(self._supervisor.worlds(), self._earlier, self._later)

    async def _look(self) -> None:
        """Take what the logs told, and ask for the view of the world whose turn it is."""
        rows = self._rows()
        self._worlds += [row.world for row in rows if row.world not in self._worlds]
        self._feed.follow(self._worlds)
        for line in self._feed.take():
            self._add(line)
        if not rows or not self._terminal:
            return
        turn = int((time.monotonic() - self._started_s) / SCENE_EVERY_S)
        row = rows[turn % min(len(rows), WORLDS_FOLLOWED)]
        with contextlib.suppress(LookupError):  # it has just ended: the next picture shows another
            reply = await self._supervisor.view(row.world)
            self._scene = Scene(world=row.world, tick=reply.tick, view=reply.view, players=row.players)

    def _picture(self, *, keys: bool) -> Picture:
        return Picture(
            title=self._title,
            up_s=time.monotonic() - self._started_s,
            worlds=self._rows(),
            scene=self._scene,
            lines=[line for line in self._lines if self._scene is None or line.world in ("", self._scene.world)],
            lines_ever=self._lines_ever,
            kill=None if self._killer is None else self._killer.kill,
            keys=keys,
        )

    async def _read(self) -> None:
        """Once a second: how is the server doing?"""
        while True:
            self._earlier, self._later = self._later, await self._supervisor.statistics()
            await asyncio.sleep(READINGS_EVERY_S)

    def _on_error_line(self, text: str) -> None:
        self._errors.append(text)
        self._add(Line(text=text, kind="server", notable=True))

    def _add(self, line: Line) -> None:
        self._lines.append(line)
        self._lines_ever += 1

    # --- bots ------------------------------------------------------------------------------------------

    def _start_bots(self, told: Path) -> subprocess.Popen[bytes]:
        options = self._options
        words = ["bot", options.game, "--count", str(options.agents), "--think", THINK, "--url", self._supervisor.url]
        words += ["--record", str(told)]
        folders = [word for folder in options.game_folders for word in ("--games", str(folder.resolve()))]
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "server.commands", *words, *folders, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,
            env=python_environment(),
        )

    async def _stop_bots(self, bots: subprocess.Popen[bytes]) -> None:
        bots.terminate()
        try:
            await asyncio.to_thread(bots.wait, BOTS_STOP_S)
        except subprocess.TimeoutExpired:
            bots.kill()
            await asyncio.to_thread(bots.wait)
