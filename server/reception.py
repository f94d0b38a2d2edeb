"""The reception: carries gateways' questions and shards' reports to the lobby, and its decisions back.

The lobby decides, the reception talks: it asks a shard to open a world and lets the agents who are to play there wait
until the shard says that the world is durably open. Every question gets exactly one answer.

Not here: the rules of placement (``server/lobby.py``), who hears of what (``server/switchboard.py``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from server import messages, refusals
from server.identifiers import new_seed
from server.listed import LobbyGame, Wanted
from server.lobby import Lobby, OpenNew, Place, Refusal
from worldline import protocol

PAGE_LIMIT: Final = 100  # worlds on one page

Question = (
    messages.AskPlace
    | messages.AskCreate
    | messages.AskWorlds
    | messages.AskWorld
    | messages.AskGameCounts
    | messages.AskSession
)
Report = (
    messages.WorldOpened
    | messages.WorldNotOpened
    | messages.PlayerJoined
    | messages.PlayerTaken
    | messages.JoinRefused
    | messages.PlayerLeft
    | messages.WorldChanged
    | messages.WorldReloaded
    | messages.WorldPulse
)

Reply = Callable[[messages.FromSupervisor], None]
"""Sends one answer to the gateway that asked."""


class Crews(Protocol):
    """Lets sample bots play in worlds that were made with some."""

    def refusal(self, question: messages.AskCreate, max_players: int) -> protocol.Error | None:
        """Why there are no bots for this."""

    def start(self, world: str, game: str, count: int, *, private: bool) -> None:
        """Let them play: the world is open."""


_log = logging.getLogger("worldline.lobby")


class Reception:
    """Speaks for the lobby. ``order(shard, message)`` sends to a shard; ``clock`` is monotonic, in seconds; ``crews``
    are the bots that this server can let play."""

    def __init__(
        self,
        lobby: Lobby,
        order: Callable[[int, messages.FromSupervisor], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        crews: Crews | None = None,
    ) -> None:
        self._lobby = lobby
        self._order = order
        self._clock = clock
        self._crews = crews
        self._waiting: dict[str, list[tuple[Reply, int, Place]]] = {}  # by world that is opening or recovering
        self._created: dict[str, tuple[Reply, messages.AskCreate]] = {}  # by world that is opening: who makes it
        self.draining = False
        """Set when the server stops: from then on nobody is placed."""

    def ask(self, question: Question, reply: Reply) -> None:
        """Answer a gateway's question by ``reply``, now or once the world that it is about is open."""
        self._lobby.expire(self._clock())
        match question:
            case messages.AskPlace():
                self._place(question, reply)
            case messages.AskCreate():
                self._create(question, reply)
            case messages.AskWorlds():
                page = self._lobby.page(
                    limit=min(question.limit, PAGE_LIMIT),
                    game=question.game,
                    status=question.status,
                    agent=question.agent,
                    after=question.after,
                    world=question.world,
                )
                reply(messages.WorldsFound(request=question.request, worlds=page.worlds, next=page.next))
            case messages.AskWorld():
                reply(self._find(question))
            case messages.AskGameCounts():
                players, worlds = self._lobby.counts()
                reply(messages.GameCounts(request=question.request, players=players, worlds=worlds))
            case messages.AskSession():
                players_of = self._lobby.session_players(question.session, question.agent)
                lost = self._lobby.session_lost(question.session)
                reply(messages.SessionFound(request=question.request, players=players_of, lost=lost))

    def tell(self, report: Report) -> None:
        """Take in what a shard reports."""
        match report:
            case messages.WorldOpened():
                self._opened(report.world)
            case messages.WorldNotOpened():
                self._lobby.not_opened(report.world)
                self._refuse_waiting(report.world, report.reason, later=report.later)
            case messages.PlayerJoined():
                self._lobby.player_joined(
                    report.world, report.player, report.agent, report.session, report.name, report.seat
                )
            case messages.PlayerTaken():
                self._lobby.player_taken(report.world, report.player, report.session)
            case messages.JoinRefused():
                self._lobby.join_refused(report.world, report.agent)
            case messages.PlayerLeft():
                self._lobby.player_left(report.world, report.player, report.reason, report.tick)
            case messages.WorldChanged():
                self._lobby.changed(report.world, report.status, report.tick, report.reason)
            case messages.WorldReloaded():
                self._lobby.reloaded(report.world, report.digest)
            case messages.WorldPulse():
                self._lobby.pulse(report)

    def broke_off(self, world: str, game: LobbyGame) -> None:
        """An earlier server left this world unfinished; it is to be restored."""
        self._lobby.broke_off(world, game)

    def assign(self, world: str) -> int:
        """Choose the shard that restores a recovering world."""
        return self._lobby.assign(world)

    def restored(self, report: messages.WorldRestored, shard: int) -> None:
        """A recovering world goes on; who waits for a place in it gets it."""
        self._lobby.restored(report, shard)
        for reply, request, place in self._waiting.pop(report.world, []):
            reply(_placed(request, Place(world=place.world, game=place.game, shard=shard)))

    def not_restored(self, world: str, status: protocol.WorldStatus, reason: str) -> None:
        """A recovering world has ended."""
        self._lobby.not_restored(world, status, reason)
        if world in self._waiting:
            self._refuse_waiting(world, reason)

    def shard_up(self, shard: int) -> None:
        """A shard takes worlds from now on."""
        self._lobby.shard_up(shard)

    def lose_shard(self, shard: int) -> list[str]:
        """A shard is gone. Return its worlds that players knew of: they are recovering."""
        lost = self._lobby.lose_shard(shard)
        for world in lost.opening:
            self._refuse_waiting(world, "its shard has died")
        return lost.recovering

    # --- inside --------------------------------------------------------------------------------------

    def _place(self, question: messages.AskPlace, reply: Reply) -> None:
        if self.draining:
            reply(messages.Refused(request=question.request, error=refusals.draining()))
            return
        decision = self._lobby.place(
            question.agent,
            game=question.game,
            world=question.world,
            invited=question.invited,
            wanted=Wanted(seats=question.seats, seat=question.seat, player=question.player),
            now_s=self._clock(),
        )
        match decision:
            case Refusal():
                reply(messages.Refused(request=question.request, error=decision))
            case OpenNew():
                self._order(
                    decision.shard,
                    messages.OpenWorld(
                        world=decision.world,
                        game=decision.game,
                        digest=decision.digest,
                        seed=new_seed(),
                        owner=decision.owner,
                    ),
                )
                place = Place(world=decision.world, game=decision.game, shard=decision.shard)
                self._waiting[decision.world] = [(reply, question.request, place)]
            case Place(opening=True):
                self._waiting.setdefault(decision.world, []).append((reply, question.request, decision))
            case Place():
                reply(_placed(question.request, decision))

    def _create(self, question: messages.AskCreate, reply: Reply) -> None:
        if self.draining:
            reply(messages.Refused(request=question.request, error=refusals.draining()))
            return
        refusal = self._no_bots(question) if question.bots else None
        if refusal is not None:
            reply(messages.Refused(request=question.request, error=refusal))
            return
        decision = self._lobby.create(
            question.agent, question.game, clock=question.clock, ranked=question.ranked, private=question.private
        )
        if isinstance(decision, Refusal):
            reply(messages.Refused(request=question.request, error=decision))
            return
        self._created[decision.world] = reply, question
        self._order(
            decision.shard,
            messages.OpenWorld(
                world=decision.world,
                game=decision.game,
                digest=decision.digest,
                seed=new_seed() if question.seed is None else question.seed,
                settings=question.settings,
                clock=question.clock,
                owner=decision.owner,
                ranked=question.ranked,
                private=question.private,
            ),
        )

    def _no_bots(self, question: messages.AskCreate) -> protocol.Error | None:
        game = self._lobby.game(question.game)
        return None if game is None or self._crews is None else self._crews.refusal(question, game.max_players)

    def _opened(self, world: str) -> None:
        self._lobby.opened(world, now_s=self._clock())
        if world in self._created:
            reply, question = self._created.pop(world)
            reply(messages.WorldMade(request=question.request, world=world))
            if question.bots and self._crews is not None:
                self._crews.start(world, question.game, question.bots, private=question.private)
        for reply, request, place in self._waiting.pop(world, []):
            reply(_placed(request, place))

    def _refuse_waiting(self, world: str, reason: str, *, later: bool = False) -> None:
        if world in self._created:
            reply, question = self._created.pop(world)
            reply(messages.Refused(request=question.request, error=refusals.not_opened(question.game, reason, world)))
        waiting = self._waiting.pop(world, [])
        about = {"world": world}
        _log.error("world %s could not be opened for %d agents: %s", world, len(waiting), reason, extra=about)
        for reply, request, place in waiting:
            error = refusals.not_now(place.game, reason) if later else refusals.not_opened(place.game, reason, world)
            reply(messages.Refused(request=request, error=error))

    def _find(self, question: messages.AskWorld) -> messages.WorldFound:
        found = self._lobby.find(question.world)
        if found is None:
            nearest = self._lobby.nearest_worlds(question.world)
            return messages.WorldFound(request=question.request, nearest=nearest)
        world, reason = found
        shard = self._lobby.shard_of(question.world)
        return messages.WorldFound(request=question.request, world=world, shard=shard, reason=reason)


def _placed(request: int, place: Place) -> messages.Placed:
    return messages.Placed(
        request=request, world=place.world, game=place.game, shard=place.shard, private=place.private
    )
