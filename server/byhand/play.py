"""A person plays: lines of words in, what comes of them out. What ``worldline play`` does behind the command line.

`Table` is one seat and what a line does there; it knows no terminal. While the person thinks, events are told as they
come: `Table.watch` waits for them. Not here: reading lines (``terminal.py``, or standard input).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import worldline
from server.byhand import sketch, telling, words
from worldline import protocol

HELP: Final = """\
  an input, as `move to=home`      do it; Tab completes
  (nothing)                        look
  map                              a map of what you know
  inputs                           what you can do
  note why                         says why, with your next input: for the log, and for spectators
  leave                            give the seat back and end
"""
LOOK_AGAIN_S: Final = 2.0  # so old is what the line at the bottom of the terminal says at most


class Table:
    """One seat. ``say`` prints lines; `over` is set when there is nothing left to play."""

    def __init__(self, player: worldline.Player, rules: protocol.RulesReply, say: Callable[[str], None]) -> None:
        self.player = player
        self.inputs: dict[str, Any] = rules.inputs
        self.say = say
        self.over = asyncio.Event()
        self.seen: protocol.Observation | None = None
        self._note: str | None = None
        self._turns = rules.clock in ("lockstep", "turn")
        self._told = 1
        """The n of the first event that has not been told."""

    async def welcome(self, rules: protocol.RulesReply) -> None:
        """Say where one is, what one can do, and what is to be seen."""
        player = self.player
        self.say(
            f"{rules.title}: you are {player.player} in world {player.world}, seat {player.seat}. `help` says more."
        )
        for usage, meaning in words.explain(self.inputs):
            self.say(f"  {usage}  {meaning}")
        await self.look()

    async def line(self, line: str) -> None:
        """Do what a line says. Raises `worldline.Disconnected`; everything else that goes wrong is said."""
        try:
            spoken = words.split(line)
            if not spoken:
                await self.look()
            elif spoken == ["map"]:
                await self._map()
            elif spoken in (["help"], ["?"]):
                self.say(HELP.rstrip("\n"))
            elif spoken == ["inputs"]:
                for usage, meaning in words.explain(self.inputs):
                    self.say(f"  {usage}  {meaning}")
            elif spoken in (["leave"], ["quit"], ["exit"]):
                await self.leave()
            elif spoken[0] == "note" and "note" not in self.inputs:
                self._note = " ".join(spoken[1:]) or None
            else:
                await self._input(words.read(spoken, self.inputs))
        except words.WordsError as error:
            self.say(str(error))
        except worldline.Disconnected:
            raise
        except worldline.WorldlineError as error:
            self.say(f"refused, {error}")
            self._check_over()

    async def look(self) -> None:
        """Say what is to be seen now."""
        self._saw(await self.player.observe())

    async def leave(self) -> None:
        """Give the seat back. Nothing happens if it is gone."""
        if self.player.closed is None:
            await self.player.leave()
            self.say(f"you have left world {self.player.world}")
        self.over.set()

    async def watch(self) -> None:
        """Tell what happens by itself, until it is over. Raises `worldline.Disconnected`."""
        while not self.over.is_set():
            try:
                until: protocol.Until = "event"
                if self._turns and not (self.seen is not None and self.seen.your_turn):
                    until = "turn"
                seen = await self.player.observe(until=until, wait_s=LOOK_AGAIN_S)
            except worldline.Disconnected:
                raise
            except worldline.WorldlineError:
                self._check_over()
                if not self.over.is_set():
                    await asyncio.sleep(1)  # it is recovering, or stands still
                continue
            if seen.woke == "turn" or seen.ended is not None:
                self._saw(seen)
            else:
                self._events(seen)
                self.seen = seen

    # --- inside --------------------------------------------------------------------------------------

    async def _input(self, said: words.Said) -> None:
        note, self._note = self._note, None
        outcome = await self.player.input(said.name, said.args, observe=True, note=note)
        self.say(telling.outcome(outcome))
        if outcome.observation is not None:
            self._saw(outcome.observation)

    async def _map(self) -> None:
        seen = await self.player.observe()
        self._events(seen)
        for line in sketch.sketch(seen.data) or ["nothing that you know of has a place"]:
            self.say(line)

    def _saw(self, seen: protocol.Observation) -> None:
        self.seen = seen
        for line in telling.observation(seen):
            self.say(line)
        self._events(seen)
        if seen.ended is not None:
            self.over.set()

    def _events(self, seen: protocol.Observation) -> None:
        for line in telling.events([event for event in seen.events if event.n >= self._told], seen.missed):
            self.say(line)
        self._told = max(self._told, seen.cursor)

    def _check_over(self) -> None:
        if self.player.closed is not None:
            self.say(f"it is over: {self.player.closed}")
            self.over.set()
