"""What the other processes tell a gateway, and what it asks of them: answers, pushes, worlds that move and end.

Answers are written from the links' callbacks. Invariant: every question that was put for a client is answered once - by
whom it was put to, by whoever has its world after that, or with why there is no answer.

Not here: what a request needs (``requests``), and the sessions that come and go (``gateway``, ``greeting``).
"""

from __future__ import annotations

import logging
from collections.abc import Set
from pathlib import Path
from typing import Final

from eventlog.store import Store
from server import messages
from server.gateway import refusals, requests
from server.gateway.answers import Answers
from server.gateway.backends import Backends, Waiting
from server.gateway.catalogue import Catalogue, read_game
from server.gateway.fanout import Fanout, spread
from server.gateway.greeting import Greeting
from server.gateway.holding import Held, away, back, repeatable
from server.gateway.screens import REPLAYER, Screens, is_replayer
from server.gateway.session import Session, detached
from server.gateway.subscriptions import Subscriptions, settle
from server.gateway.watching import Watches
from worldline import protocol

_PLACE_LOST: Final = ("world_closed", "world_faulted", "world_full", "unknown_world")
"""What a shard may answer to a join when the lobby's news of the world is older than the shard's."""

SupervisorAnswer = (
    messages.Placed
    | messages.Refused
    | messages.WorldsFound
    | messages.WorldFound
    | messages.WorldMade
    | messages.GameCounts
    | messages.LeaderboardFound
    | messages.SessionFound
)

_log = logging.getLogger("worldline.gateway")


class News:
    """Asks for one gateway and hears for it. ``sessions`` are its connected clients."""

    def __init__(
        self,
        config: messages.ConfigureGateway,
        catalogue: Catalogue,
        backends: Backends,
        fanout: Fanout,
        held: Held,
        greeting: Greeting,
        answers: Answers,
        watches: Watches,
        subscriptions: Subscriptions,
        screens: Screens,
        sessions: Set[Session],
    ) -> None:
        self._config = config
        self._catalogue = catalogue
        self._backends = backends
        self._fanout = fanout
        self._held = held
        self._greeting = greeting
        self._answers = answers
        self._watches = watches
        self._subscriptions = subscriptions
        self._screens = screens
        self._sessions = sessions

    def ask(self, waiting: Waiting, step: requests.Ask) -> None:
        """Put a question; if its process is gone or far behind, that is the answer."""
        waiting.world, waiting.game = step.world or waiting.world, step.game or waiting.game
        if self._backends.congested(step.target):
            self._answers.reply(
                waiting, refusals.overloaded("the shard of this world is far behind", waiting.request.id)
            )
        elif not self._backends.ask(step.target, step.question, waiting):
            self._held.put(step.question, waiting)

    def _answer_gone(self, waiting: Waiting, gone: messages.WorldGone) -> None:
        """The world that this request is about does not come back."""
        if waiting.viewer is not None:
            self._screens.world_gone(waiting)
            return
        if isinstance(waiting.request, protocol.Hello):
            self._greeting.world_gone(waiting, gone.reason)
            return
        game = waiting.game or self._catalogue.example
        if _any_world_will_do(waiting.request):
            self._answers.reply(waiting, refusals.place_lost(game, waiting.request.id))
        else:
            error = refusals.world_ended(gone.world, gone.status, gone.reason, game, waiting.request.id)
            error.message += "; if the request was an input, the world's log says whether it was applied"
            self._answers.reply(waiting, error)

    # --- the supervisor ------------------------------------------------------------------------------

    def on_supervisor_message(self, message: messages.FromSupervisor) -> None:
        """The supervisor has answered, or tells of shards, worlds and games."""
        if isinstance(message, SupervisorAnswer):
            waiting = self._backends.take(message.request)
            if waiting is not None:
                self._on_supervisor_answer(waiting, message)
            return
        match message:
            case messages.ReplayerUp():
                self._backends.shard_up(REPLAYER - message.replayer, message.socket_path)
            case messages.ReplayerDown():
                self._backends.shard_down(REPLAYER - message.replayer, also_expected=message.given_up)
            case messages.ShardUp():
                self._backends.shard_up(message.shard, message.socket_path)
            case messages.ShardDown():
                self._backends.shard_down(message.shard)
                for world in message.worlds:
                    spread(self._present(world), away(world))
            case messages.WorldMoved():
                self._world_moved(message.world, message.shard)
            case messages.WorldGone():
                for _, waiting in self._held.take(message.world):
                    self._answer_gone(waiting, message)
                self._world_closed(protocol.Closed(world=message.world, reason=message.reason, status=message.status))
            case messages.SessionMoved():
                self._greeting.moved(message.session)
            case messages.ReloadGame():
                self._catalogue.put(read_game(Store.read_only(Path(self._config.data)), message.game))
            case messages.CodeBroken():
                self._code_broken(message)
            case messages.WorldDiverged():
                self._world_diverged(message)
            case _:
                _log.error("the supervisor sent %s, which is not for gateways", type(message).__name__)

    def _on_supervisor_answer(self, waiting: Waiting, answer: SupervisorAnswer) -> None:
        match answer:
            case messages.Placed():
                self._on_placed(waiting, answer)
            case messages.WorldFound():
                self._on_world_found(waiting, answer)
            case messages.SessionFound():
                self._greeting.found(waiting, answer)
            case messages.WorldMade():
                made = requests.created(waiting.request, answer.world, self._config.secret)
                if made.join_code is not None:
                    waiting.session.note_private(made.world)
                self._answers.reply(waiting, made)
            case messages.Refused():
                self._answers.reply(waiting, answer.error)
            case messages.WorldsFound():
                self._answers.reply(waiting, protocol.WorldsReply(worlds=answer.worlds, next=answer.next))
            case messages.GameCounts():
                self._answers.reply(waiting, protocol.GamesReply(games=self._catalogue.summaries(answer)))
            case messages.LeaderboardFound():
                self._answers.reply(waiting, protocol.LeaderboardReply(entries=answer.entries, next=answer.next))

    def _on_placed(self, waiting: Waiting, placed: messages.Placed) -> None:
        # Also for a client that has gone meanwhile: its place is reserved, and joining is how a reservation ends.
        assert isinstance(waiting.request, protocol.Join)
        if placed.private:
            waiting.session.note_private(placed.world)
        self.ask(waiting, requests.join_world(waiting.request, waiting.session, placed))

    def _on_world_found(self, waiting: Waiting, found: messages.WorldFound) -> None:
        request = waiting.request
        if waiting.viewer is not None:
            self._screens.world_found(waiting, found)
        elif requests.is_owners(request) and found.shard is not None:
            self.ask(waiting, requests.owners_request(request, waiting.session, found.shard))
        else:
            self._answers.reply(waiting, requests.world_found(found, waiting.world or "", waiting.session, request.id))

    # --- shards --------------------------------------------------------------------------------------

    def on_shard_message(self, shard: int, message: messages.ShardToGateway) -> None:
        """A shard has answered, or pushes something."""
        if isinstance(message, messages.Push):
            self._push(message)
            return
        if isinstance(message, messages.Framed):
            self._watches.framed(message)
            return
        if isinstance(message, messages.StreamEnded):
            self._screens.stream_ended(message)
            return
        if isinstance(message, messages.CodeBroken):
            self._code_broken(message)
            return
        if isinstance(message, messages.Answer) and self._backends.settle(message.request, message.message):
            return
        waiting = self._backends.take(message.request)
        if waiting is None:
            _log.error("shard %d answered question %d, which nobody asked", shard, message.request)
            return
        match message:
            case messages.PlayerAttached():
                self._greeting.attached(waiting, shard, message)
            case messages.PlayerAbsent():
                self._greeting.absent(waiting, message.reason, message.tick)
            case messages.Answer() if waiting.pushed is not None:
                settle(waiting.pushed, message.message)
            case messages.Watched() | messages.WatchDelayed():
                self._screens.answered(shard, waiting, message)
            case messages.Answer(message=protocol.Error() as error) if waiting.viewer is not None:
                self._screens.answered(shard, waiting, error)
            case messages.Answer():
                self._on_answer(shard, waiting, message.message)

    def _on_answer(self, shard: int, waiting: Waiting, answer: messages.AnyAnswer) -> None:
        session = waiting.session
        match answer:
            case protocol.Joined():
                if not self._take_seats(shard, session, answer):
                    return
            case protocol.Outcome():
                session.saw(answer.observation)
            case protocol.Subscribed():
                self._subscriptions.begin(waiting, answer)
            case protocol.Acted():
                for observation in answer.observations or ():
                    session.saw(observation)
            case protocol.Observation():
                session.saw(answer)
            case protocol.Left():
                driver = self._greeting.living(session)
                if driver is not None:
                    driver.drop_seat(answer.world, answer.player)
                    self._fanout.remove(answer.world, answer.player)
            case protocol.Error(code="not_joined") if isinstance(waiting.question, messages.LeaveWorld):
                # Asked again after a shard's death: the first time it worked.
                answer = protocol.Left(world=waiting.question.world, player=waiting.question.player)
            case protocol.Error() if answer.code in _PLACE_LOST and _any_world_will_do(waiting.request):
                assert waiting.game is not None
                answer = refusals.place_lost(waiting.game, waiting.request.id)
        self._answers.reply(waiting, answer)

    def _take_seats(self, shard: int, session: Session, joined: protocol.Joined) -> bool:
        """The session drives those who have joined. False if it has gone meanwhile: then nobody does."""
        driver = self._greeting.living(session)
        seated = [(player.player, player.observation) for player in joined.players or ()]
        for player, observation in seated or [(joined.player, joined.observation)]:
            if driver is None:
                self._backends.tell(shard, detached(session, joined.world, player))
                continue
            driver.take_seat(joined.world, joined.game, player, shard)
            self._fanout.add(joined.world, player, driver)
            session.saw(observation)
        return driver is not None

    def on_shard_lost(self, shard: int) -> None:
        """What this shard was asked is asked again when its worlds are back; and who watched them watches on."""
        self._screens.source_lost(shard)
        for waiting in self._backends.take_all(shard):
            assert waiting.question is not None
            if waiting.pushed is not None:
                settle(waiting.pushed, None)
            elif is_replayer(shard):
                self._screens.question_lost(waiting)
            elif repeatable(waiting.question):
                self._held.put(waiting.question, waiting)
            else:
                self._answers.reply(waiting, refusals.fate_unknown(waiting.world or "", waiting.request.id))

    def _world_moved(self, world: str, shard: int) -> None:
        """The world is back: its players are driven from here as before, and what waits for it is asked again."""
        sessions = self._fanout.sessions_in(world)
        for session in sessions:
            for seat in session.seats_in(world):
                seat.shard = shard
                driven = messages.PlayerDriven(
                    world=world,
                    player=seat.player,
                    session=session.id or "",
                    events_since=seat.next_event if seat.events else None,
                )
                self._backends.tell(shard, driven)
        for question, waiting in self._held.take(world):
            if isinstance(question, messages.ObservePlayer) and question.wait is not None:
                question.wait, question.woke = None, "now"  # its world has been away: that is news enough
            if not self._backends.ask(shard, question, waiting):  # it has died again already
                self._held.put(question, waiting)
        spread(self._present(world), back(world))
        self._screens.world_moved(world)

    def _push(self, push: messages.Push) -> None:
        message = push.message
        if isinstance(message, protocol.Closed) and message.player is None:
            self._world_closed(message)
            return
        if push.player is None:
            spread(self._present(push.world), message)
            return
        session = self._fanout.driver(push.world, push.player)
        if session is None:
            return
        if isinstance(message, protocol.Event | protocol.Observation | protocol.Notice):
            self._subscriptions.push(session, message)
            return
        if isinstance(message, protocol.Closed):
            session.drop_seat(push.world, push.player)
            self._fanout.remove(push.world, push.player)
        spread([session], message)

    def _code_broken(self, broken: messages.CodeBroken) -> None:
        """Tell the developers who are connected."""
        notice = protocol.Notice(
            code="code_broken",
            message=f"{broken.game}: {broken.message}",
            world=broken.world,
            file=broken.file,
            line=broken.line,
        )
        spread(self._developers(), notice)

    def _world_diverged(self, diverged: messages.WorldDiverged) -> None:
        notice = protocol.Notice(code="world_diverged", message=diverged.message, world=diverged.world)
        spread(self._developers(), notice)

    def _developers(self) -> list[Session]:
        return [session for session in self._sessions if session.role == "developer"]

    def _world_closed(self, closed: protocol.Closed) -> None:
        """Tell everyone who plays there, and free their seats. Told once, however many sources say so."""
        sessions = self._fanout.remove_world(closed.world)
        for session in sessions:
            session.end_world(closed.world, closed.reason, closed.status or "closed")
        watching = self._watches.sessions_in(closed.world)
        self._screens.world_ended(closed.world)
        spread(dict.fromkeys((*sessions, *watching)), closed)

    def _present(self, world: str) -> list[Session]:
        """Who plays in a world or watches it, each once."""
        return list(dict.fromkeys((*self._fanout.sessions_in(world), *self._watches.sessions_in(world))))


def _any_world_will_do(request: protocol.Request) -> bool:
    """Whether this is a join by game: the same request can get another world."""
    return isinstance(request, protocol.Join) and request.game is not None
