"""A process of agents: it connects them, lets them play, and tells the bench what they measured.

Started by the bench as ``python -m server.bench.agents FD PARENT_PID`` (see ``server/process.py``); it hears
`messages.ToAgents` and says `messages.FromAgents`.

Not here: what is measured (``measured.py``) and what agents decide (the game's ``bot.py``, or ``policy.py``).
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, cast

import worldline
from server.bench import messages, policy
from server.bench.measured import MeasuredPlayer, Tally, Window, count
from server.botrunner import load_bot
from server.link import Link, attach
from server.process import resident_bytes, run_child

CONNECTS_AT_ONCE: Final = 16
ANSWERS_WAITED_FOR_S: Final = 10.0
CLOSED_LOOP_SAMPLE: Final = (
    16  # in a closed loop, one of so many observations is measured as JSON, lest that take the core
)
PROGRESS_EVERY_S: Final = 0.5

Decide = Callable[[worldline.Player, random.Random], Awaitable[None]]


class Agents:
    """All agents of this process."""

    def __init__(self, configure: messages.Configure, link: Link[messages.ToAgents]) -> None:
        self._configure = configure
        self._link = link
        self._closed_loop = configure.think_s == (0.0, 0.0)
        self._tally = Tally(json_sample=CLOSED_LOOP_SAMPLE if self._closed_loop else 1)
        self._window: Window | None = None
        self._crashed: dict[str, int] = {}
        self._connections = AsyncExitStack()
        self._playing: dict[asyncio.Task[None], MeasuredPlayer] = {}
        self._players: list[MeasuredPlayer] = []
        self._decide: Decide

    async def join(self) -> None:
        """Connect and seat all agents, some at a time. Raises `worldline.WorldlineError` or `BotError`."""
        await self._choose_policy()
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                client = await self._connections.enter_async_context(
                    worldline.connect(self._configure.url, name=f"agent-{number}", think_s=self._configure.think_s)
                )
                player = await client.join(self._configure.game)
            self._players.append(MeasuredPlayer(player, self._tally))
            self._link.send(messages.AgentsJoined(count=len(self._players)))

        numbers = range(self._configure.first, self._configure.first + self._configure.count)
        await asyncio.gather(*(one(number) for number in numbers))

    def begin(self) -> None:
        """Let every agent play, each after a random part of its thinking time."""
        for number, player in enumerate(self._players, self._configure.first):
            rng = random.Random(self._configure.seed * 1_000_000 + number)
            self._playing[asyncio.create_task(self._run(player, rng))] = player

    def open_window(self) -> None:
        """Measure from now on."""
        self._window = self._tally.window = Window()

    def close_window(self) -> None:
        """Measure nothing that is sent from now on."""
        if self._window is not None:
            self._window.close()
        self._tally.window = None

    def progress(self) -> None:
        """Tell how far the agents are."""
        self._link.send(messages.AgentsProgress(decisions=self._tally.decisions))

    async def finish(self) -> None:
        """Stop deciding, take the answers that are on their way, disconnect, and tell everything."""
        self._tally.stopping = True
        for task, player in self._playing.items():
            if not player.busy:
                task.cancel()
        if self._playing:
            await asyncio.wait(self._playing, timeout=ANSWERS_WAITED_FOR_S)
        unanswered = sum(player.busy for player in self._players)
        for task in self._playing:
            task.cancel()
        await self._connections.aclose()
        self._tell(unanswered)

    async def _choose_policy(self) -> None:
        configure = self._configure
        if configure.policy == "bot":
            play = load_bot(configure.game, [Path(folder) for folder in configure.game_folders])
            self._decide = lambda player, _rng: play(player)
            return
        async with worldline.connect(configure.url, name="bench") as client:
            inputs = (await client.rules(configure.game)).inputs
        self._decide = lambda player, rng: policy.play(player, inputs, rng)

    async def _run(self, player: MeasuredPlayer, rng: random.Random) -> None:
        await asyncio.sleep(rng.uniform(0, self._configure.think_s[1]))
        try:
            # A measured player does all that a player does; only its type does not say so.
            await self._decide(cast(worldline.Player, player), rng)
            count(self._crashed, "its policy ended")
        except Exception as error:  # a bot is other people's code: it ends this agent, and the report says so
            count(self._crashed, f"{type(error).__name__}: {error}")

    def _tell(self, unanswered: int) -> None:
        told = self._tally.acknowledged
        for first in range(0, len(told), messages.ACKNOWLEDGEMENTS_PER_MESSAGE):
            part = told[first : first + messages.ACKNOWLEDGEMENTS_PER_MESSAGE]
            self._link.send(messages.Acknowledgements(items=part))
        window = self._window or Window()
        self._link.send(
            messages.AgentsDone(
                pid=os.getpid(),
                cpu_s=window.cpu_s,
                rss_bytes=resident_bytes(),
                outcome_seconds=window.outcome_seconds,
                observation_seconds=window.observation_seconds,
                json_bytes=window.json_bytes,
                applied=window.applied,
                rejected=window.rejected,
                refused=window.refused,
                unanswered=unanswered,
                crashed=self._crashed,
            )
        )


async def main(control_fd: int) -> None:
    """Do what the bench says until it is finished or gone."""
    heard: asyncio.Queue[messages.ToAgents | None] = asyncio.Queue()
    link: Link[messages.ToAgents] = await attach(
        socket.socket(fileno=control_fd),
        messages.ToAgents,
        lambda _link, message: heard.put_nowait(message),
        lambda _link: heard.put_nowait(None),
    )
    agents: Agents | None = None
    reporting: asyncio.Task[None] | None = None
    while (message := await heard.get()) is not None:
        match message:
            case messages.Configure():
                agents = Agents(message, link)
                try:
                    await agents.join()
                except Exception as error:  # told to the bench, which ends the run with this reason
                    link.send(messages.AgentsFailed(reason=str(error)))
                else:
                    reporting = asyncio.create_task(_report(agents))
            case messages.Begin() if agents is not None:
                agents.begin()
            case messages.OpenWindow() if agents is not None:
                agents.open_window()
            case messages.CloseWindow() if agents is not None:
                agents.close_window()
            case messages.Finish() if agents is not None:
                if reporting is not None:
                    reporting.cancel()
                await agents.finish()
    # The bench has closed the link: it has all it wanted, or it is gone.


async def _report(agents: Agents) -> None:
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        agents.progress()


if __name__ == "__main__":
    run_child(main)
