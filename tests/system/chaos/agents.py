"""Agents that play through whatever happens to their server, and remember everything they were told.

They use the client as any agent would: it reconnects, resumes and sends again by itself. What an agent is told is
checked on the spot where one agent alone can see that it is wrong: a sum that does not add up, an event that comes
twice or not at all, a tick that is lower than the one before, a player that is lost.

Not here: whether what was told is in the logs (``account.py``).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeVar

import msgspec

import worldline

THINK_S: Final = (0.02, 0.5)
GIVE_UP_AFTER_S: Final = 600.0
"""Longer than any machine takes to start a server: to give up is a finding, not an accident of timing."""
FIRST_CONNECT_TRIES: Final = 400
TRY_AGAIN_S: Final = 0.25
TOO_MUCH: Final = 101  # the test game rejects to count further than 100 at once
LEAVES: Final = 0.01  # the chance that an agent gives its seat back and takes another, instead of an input
REJECTED: Final = 0.1
SAYS: Final = 0.2
LOOKS: Final = 0.5

Answer = TypeVar("Answer")


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome that an agent was told."""

    agent: str
    world: str
    player: str
    seq: int
    name: str
    tick: int
    status: Literal["applied", "rejected", "pending"]
    duplicate: bool


class Memory(msgspec.Struct):
    """What all agents of a run were told, and what of it cannot be right."""

    acknowledged: list[Acknowledged] = []
    joined: list[tuple[str, str, str]] = []
    """(agent, world, player)"""
    observations: int = 0
    events: int = 0
    refusals: dict[str, int] = {}
    """How often an agent was told to try later, by code."""
    wrong: list[str] = []


class Agent:
    """One agent. `play` runs until ``stop`` is set and the agent has been answered once more after that."""

    def __init__(self, number: int, url: str, game: str, seed: int, memory: Memory, stop: asyncio.Event) -> None:
        self.name = f"agent-{number}"
        self.playing = asyncio.Event()
        """Set when the first input was acknowledged."""
        self._url = url
        self._game = game
        self._random = random.Random(f"{seed} {number}")
        self._memory = memory
        self._stop = stop
        self._me: worldline.Player
        self._total = 0
        self._tick = 0
        self._heard: int | None = None

    async def play(self) -> None:
        """Connect and play. Whatever goes wrong is told in the memory; nothing is raised."""
        tries = 0
        connected = False
        while not connected:
            try:
                async with worldline.connect(self._url, name=self.name, give_up_after_s=GIVE_UP_AFTER_S) as client:
                    connected = True
                    await self._live(client)
            except worldline.Disconnected as error:
                tries += 1
                if connected or tries == FIRST_CONNECT_TRIES:
                    return self._complain(f"gave up: {error}")
                await asyncio.sleep(TRY_AGAIN_S)  # the server is just being started again
            except worldline.WorldlineError as error:
                return self._complain(f"was refused: {error}")
        return None

    async def _live(self, client: worldline.Client) -> None:
        await self._join(client)
        last_words = False
        while not last_words:
            last_words = self._stop.is_set()
            await asyncio.sleep(0 if last_words else self._random.uniform(*THINK_S))
            draw = self._random.random()
            if draw < LEAVES and not last_words:
                await self._again(self._me.leave)
                await self._join(client)
            else:
                await self._act(draw)
                self.playing.set()

    async def _join(self, client: worldline.Client) -> None:
        self._me = await self._again(lambda: client.join(self._game))
        self._memory.joined.append((client.agent, self._me.world, self._me.player))
        self._total, self._tick, self._heard = 0, self._me.tick, None

    async def _act(self, draw: float) -> None:
        """One input, and perhaps a look with it."""
        name, args = self._choose(draw)
        observe = self._random.random() < LOOKS
        me = self._me
        outcome = await self._again(lambda: me.input(name, args, observe=observe))
        self._memory.acknowledged.append(
            Acknowledged(
                agent=self.name,
                world=me.world,
                player=me.player,
                seq=outcome.seq,
                name=name,
                tick=outcome.tick or 0,
                status=outcome.status,
                duplicate=outcome.duplicate,
            )
        )
        if name == "count":
            self._check_total(args["by"], outcome)
        if not outcome.duplicate:
            self._check_tick(outcome.tick or 0, "an outcome")
        if outcome.observation is not None:
            self._check_observation(outcome.observation)

    def _choose(self, draw: float) -> tuple[str, dict[str, Any]]:
        rng = self._random
        if self._game == "echo":
            if draw < SAYS:
                return "say", {"text": f"{self.name} {rng.random()}"}
            return "count", {"by": TOO_MUCH if draw < SAYS + REJECTED else rng.randint(1, 100)}
        if draw < 0.5:
            return "move", {"x": rng.randint(-100, 450), "z": rng.randint(-110, 110)}
        return rng.choice(["collect", "deposit", "buy_speed"]), {}

    async def _again(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until the answer is not to try later: nothing happened then, says the protocol."""
        while True:
            try:
                return await ask()
            except worldline.TryLater as refusal:
                self._memory.refusals[refusal.code] = self._memory.refusals.get(refusal.code, 0) + 1
                await asyncio.sleep((refusal.retry_after_ms or 1000) / 1000)

    # --- what one agent alone can see ----------------------------------------------------------------

    def _check_total(self, by: int, outcome: worldline.Outcome) -> None:
        if outcome.ok != (by < TOO_MUCH):
            self._complain(f"seq {outcome.seq} counts {by} and was {outcome.status}")
        if outcome.ok:
            self._total += by
            if outcome.result != {"total": self._total}:
                self._complain(f"seq {outcome.seq} at tick {outcome.tick}: {outcome.result}, not {self._total}")

    def _check_tick(self, tick: int, what: str) -> None:
        if tick < self._tick:
            self._complain(f"{what} of tick {tick} came after tick {self._tick} was seen")
        self._tick = max(self._tick, tick)

    def _check_observation(self, seen: worldline.Observation) -> None:
        self._memory.observations += 1
        self._memory.events += len(seen.events)
        self._check_tick(seen.tick, "an observation")
        if seen.missed:
            self._complain(f"{seen.missed} events were missed by tick {seen.tick}")
        for event in seen.events:
            if self._heard is not None and event.n != self._heard + 1:
                self._complain(f"event {event.n} came after event {self._heard}")
            self._heard = event.n
        if self._game == "echo" and seen.data is not None and seen.data["total"] != self._total:
            self._complain(f"the world shows {seen.data['total']} at tick {seen.tick}, not {self._total}")

    def _complain(self, what: str) -> None:
        me = getattr(self, "_me", None)
        place = "" if me is None else f" ({me.player} in {me.world})"
        self._memory.wrong.append(f"{self.name}{place}: {what}")
