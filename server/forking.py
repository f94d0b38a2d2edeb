"""Forks on a running server: named by the lobby, made by a replayer, and gone on with by a shard as any world that is
restored.

Invariant: every question is answered once; a fork that was asked for with a key is made once, also over restarts.

Not here: what a fork is (``replays/fork.py``), and who may fork what (the replayer judges).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from server import messages, refusals
from server.forkkeys import KEYS_KEPT, ByKey
from server.listed import LobbyGame
from server.lobby import Lobby
from worldline import protocol

_log = logging.getLogger("worldline.supervisor")

Reply = Callable[[messages.FromSupervisor], None]


Noted = Callable[[OSError | None], None]
"""Called when a key is noted, or with why not."""


class Forks:
    """The forks that are being made. ``send(world, message)`` reaches the replayer of a world and returns its number,
    ``restore(world)`` has a shard go on with one, ``note(agent, key, world, noted)`` keeps a key where the next server
    finds it."""

    def __init__(
        self,
        lobby: Lobby,
        send: Callable[[str, messages.FromSupervisor], int],
        restore: Callable[[str], None],
        note: Callable[[str, str, str, Noted], None],
    ) -> None:
        self._lobby = lobby
        self._send = send
        self._restore = restore
        self._note = note
        self._numbers = 0
        self._making: dict[int, tuple[str, int]] = {}
        """By the number under which a replayer was asked: the fork, and that replayer."""
        self._begun: dict[str, str] = {}
        """Whose each fork is that nobody can play in yet."""
        self._waiting: dict[str, list[tuple[Reply, int]]] = {}
        """By fork who waits for it."""
        self._by_key: ByKey = OrderedDict()

    def take_over(self, by_key: ByKey) -> None:
        """These forks were made for their keys before this server began."""
        self._by_key = by_key

    def ask(self, question: messages.AskFork, reply: Reply) -> None:
        """Make a fork, or answer with the one that was made before with the same key."""
        key = (question.agent, question.key or "")
        known = self._by_key.get(key) if question.key is not None else None
        if known in self._waiting:
            self._waiting[known].append((reply, question.request))
            return
        if known is not None:
            reply(messages.WorldMade(request=question.request, world=known))
            return
        named = self._lobby.name_fork(question.agent, self._begun)
        if isinstance(named, protocol.Error):
            reply(messages.Refused(request=question.request, error=named))
            return
        self._begun[named] = question.agent
        self._waiting[named] = [(reply, question.request)]
        if question.key is None:
            self._make(named, question)
            return
        self._by_key[key] = named
        if len(self._by_key) > KEYS_KEPT:
            self._by_key.popitem(last=False)
        # First the note: of a fork that is there without one, a later server would not know for which key it was made.
        self._note(*key, named, lambda problem: self._noted(named, question, problem))

    def _noted(self, fork: str, question: messages.AskFork, problem: OSError | None) -> None:
        if problem is None:
            self._make(fork, question)
        else:
            self._refuse(fork, refusals.not_opened("the fork", f"its key cannot be noted: {problem}", fork))

    def _make(self, fork: str, question: messages.AskFork) -> None:
        self._numbers += 1
        found = self._lobby.find(question.world)
        order = messages.MakeFork(
            request=self._numbers,
            fork=fork,
            agent=question.agent,
            role=question.role,
            world=question.world,
            tick=question.tick,
            shown_tick=0 if found is None else found[0].tick,
            private=question.private,
        )
        self._making[order.request] = fork, self._send(question.world, order)

    def made(self, made: messages.ForkMade) -> None:
        """The replayer has answered."""
        if made.request not in self._making:
            return
        fork, _ = self._making.pop(made.request)
        if made.error is not None:
            self._refuse(fork, made.error)
            return
        self._lobby.broke_off(fork, LobbyGame(name=made.game, max_players=0, clock="manual", digest=made.digest))
        self._restore(fork)

    def replayer_lost(self, replayer: int) -> None:
        """A replayer has died: what it was making may be there or not; nobody gets it."""
        for request, (fork, maker) in list(self._making.items()):
            if maker == replayer:
                del self._making[request]
                self._refuse(fork, refusals.fork_interrupted())

    def restored(self, world: str) -> None:
        """A shard goes on with a world."""
        self._begun.pop(world, None)
        for reply, request in self._waiting.pop(world, []):
            reply(messages.WorldMade(request=request, world=world))

    def not_restored(self, world: str, reason: str) -> None:
        """A world cannot be gone on with."""
        if world in self._waiting:
            self._refuse(world, refusals.not_opened("the fork", reason, world))

    def _refuse(self, fork: str, error: protocol.Error) -> None:
        """There will be no such fork: who asks again with its key gets another."""
        self._begun.pop(fork, None)
        for key in [key for key, known in self._by_key.items() if known == fork]:
            del self._by_key[key]
        for reply, request in self._waiting.pop(fork, []):
            reply(messages.Refused(request=request, error=error))
