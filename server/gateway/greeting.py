"""Hello and welcome: somebody new, or a session that goes on where a connection was lost.

A session that is resumed asks the lobby what it has, then each player's shard to let this gateway speak for it. A new
session of an agent with a token asks what its other sessions have. Until all have answered, nothing more is read from
the connection and its pushes wait: the welcome comes first. A connection that the session still has, here or at another
gateway, is closed with 4001, since a player is driven from one place at a time.

Invariant: of the living connections of a gateway, at most one belongs to a session; of those of the server, the one
stays that the lobby has heard of last. A player that a shard was asked to attach is either driven by the session's
living connection, or the shard is told that nobody drives it.

Not here: what a token looks like (``resume``), and how long a player without a connection is kept (the shard knows).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from websockets.datastructures import Headers

from server import messages
from server.gateway import refusals, resume
from server.gateway.admission import Agents
from server.gateway.backends import SUPERVISOR, Backends, Waiting
from server.gateway.connection import close_reason
from server.gateway.fanout import Fanout, spread
from server.gateway.holding import Held
from server.gateway.identity import Door, Unauthorized
from server.gateway.limits import GatewayLimits
from server.gateway.session import Returning, Session, detached
from server.identifiers import new_session
from server.sessions import LEFT
from worldline import protocol

_log = logging.getLogger("worldline.gateway")

FEATURES: Final = ["watch"]  # optional parts of the protocol that this server has
_UNNUMBERED: Final = 0  # the table of open questions gives the number


class Greeting:
    """Greets for one gateway. ``reply`` sends a welcome; ``let_go`` is told of a connection that was taken over.

    ``door`` knows who is let in.
    """

    def __init__(
        self,
        config: messages.ConfigureGateway,
        limits: GatewayLimits,
        version: str,
        door: Door,
        backends: Backends,
        fanout: Fanout,
        held: Held,
        agents: Agents,
        reply: Callable[[Waiting, protocol.Reply], None],
        let_go: Callable[[Session], None],
    ) -> None:
        self._config = config
        self._limits = limits
        self._version = version
        self._backends = backends
        self._fanout = fanout
        self._held = held
        self._agents = agents
        self._reply = reply
        self._let_go = let_go
        self.door = door
        self._sessions: dict[str, Session] = {}

    def hello(self, waiting: Waiting, hello: protocol.Hello) -> None:
        """Greet a client; one that shows a good token once its players are here."""
        session = waiting.session
        headers = session.connection.request.headers if session.connection.request is not None else Headers()
        try:
            person = self.door.identify(hello, headers.get("Authorization"), time.time())
        except Unauthorized as error:
            session.dismissed = True
            peer, about = session.connection.peer, session.connection.about
            _log.info("no entrance for %s: %s", peer, error, extra=about)
            raise refusals.unauthorized(str(error), hello.id) from None
        older = None if person.session is None else self._sessions.get(person.session)
        if older is None and not self._agents.may_connect(person.agent):
            raise refusals.too_many_connections(self._limits.max_connections_per_agent, hello.id)
        session.agent = session.connection.agent = person.agent
        session.name = person.name
        session.role, session.guest = person.role, person.guest
        session.id = person.session or new_session()
        self._sessions[session.id] = session
        peer, about = session.connection.peer, session.connection.about
        _log.debug("%s is %s (%s)", peer, session.agent, session.name, extra=about)
        if person.session is None and person.guest:  # nobody that anybody knows
            self._reply(waiting, self._welcome(session, None))
            return
        if older is not None:
            self._take_over(older)
        session.returning = Returning(resumed=person.session is not None)
        session.connection.hold_reading()
        question = messages.AskSession(request=_UNNUMBERED, session=session.id, agent=person.agent)
        self._backends.ask(SUPERVISOR, question, waiting)

    def revoke(self) -> None:
        """Look for tokens that were revoked, and end the sessions of their agents; others may have got another role."""
        if not self.door.changed():
            return
        for session in list(self._sessions.values()):
            if session.guest or session.agent is None:
                continue
            role = self.door.role_now(session.agent)
            if role is not None:
                session.role = role
                continue
            about = session.connection.about
            _log.info("the token of %s (%s) was revoked: its session ends", session.agent, session.name, extra=about)
            session.dismissed = True
            text = "the token of this agent was revoked"
            session.connection.close_soon(protocol.CLOSE_PROTOCOL, close_reason(text))

    def moved(self, session_id: str) -> None:
        """The session goes on through another gateway; unless it asked before this one did, and is then told so."""
        older = self._sessions.get(session_id)
        if older is not None and (older.returning is None or older.returning.found):
            self._take_over(older)

    def gone(self, session: Session) -> None:
        """The session's connection has ended."""
        if session.id is not None and self._sessions.get(session.id) is session:
            del self._sessions[session.id]

    def living(self, session: Session) -> Session | None:
        """The session as it lives now: itself, or the newer connection that went on with it; None if there is none."""
        return session if not session.gone else self._sessions.get(session.id or "")

    def _take_over(self, older: Session) -> None:
        self._let_go(older)
        text = "a newer connection of this session has taken over"
        older.connection.close_soon(protocol.CLOSE_TAKEN_OVER, close_reason(text))

    # --- going on ------------------------------------------------------------------------------------

    def found(self, waiting: Waiting, found: messages.SessionFound) -> None:
        """The lobby has told what the session has: ask for each player."""
        session = waiting.session
        returning = session.returning
        if session.gone or returning is None:
            return
        returning.found = True
        returning.lost += found.lost
        for player in found.players:
            returning.awaited[player.world, player.player] = player
            if player.private:
                session.note_private(player.world)
        for player in found.players:
            attach = messages.AttachPlayer(
                request=_UNNUMBERED, world=player.world, player=player.player, session=session.id or ""
            )
            asking = Waiting(session, waiting.request, waiting.ignored, waiting.hint)
            asking.world, asking.player = player.world, player.player
            if not self._backends.ask(player.shard, attach, asking):
                self._held.put(attach, asking)
        self._welcome_if_complete(waiting)

    def attached(self, waiting: Waiting, shard: int, attached: messages.PlayerAttached) -> None:
        """A player is driven from here again, or another session has it."""
        player = attached.player
        session = self.living(waiting.session)
        if session is None:
            if player.yours:
                self._backends.tell(shard, detached(waiting.session, player.world, player.player))
            return
        if player.yours:
            session.take_seat(player.world, player.game, player.player, shard, cursor=attached.since)
            self._fanout.add(player.world, player.player, session)
        if session is waiting.session and session.returning is not None:
            session.returning.awaited.pop((player.world, player.player), None)
            session.returning.players.append(player)
            self._welcome_if_complete(waiting)

    def absent(self, waiting: Waiting, reason: str, tick: int) -> None:
        """A player has gone meanwhile."""
        returning = waiting.session.returning
        assert waiting.world is not None
        assert waiting.player is not None
        if waiting.session.gone or returning is None:
            return
        awaited = returning.awaited.pop((waiting.world, waiting.player), None)
        yours = awaited is None or awaited.yours
        known = any((lost.world, lost.player) == (waiting.world, waiting.player) for lost in returning.lost)
        if reason != LEFT and yours and not known:
            lost = protocol.LostPlayer(world=waiting.world, player=waiting.player, reason=reason, tick=tick)
            returning.lost.append(lost)
        self._welcome_if_complete(waiting)

    def world_gone(self, waiting: Waiting, reason: str) -> None:
        """The world of a player that was asked for does not come back."""
        returning = waiting.session.returning
        assert waiting.world is not None
        assert waiting.player is not None
        last = None if returning is None else returning.awaited.get((waiting.world, waiting.player))
        self.absent(waiting, reason, 0 if last is None else last.tick)

    def _welcome_if_complete(self, waiting: Waiting) -> None:
        session = waiting.session
        returning = session.returning
        if returning is None or returning.awaited:
            return
        session.returning = None
        self._reply(waiting, self._welcome(session, returning))
        for push in returning.pushes:
            spread([session], push)
        session.connection.go_on_reading()

    def _welcome(self, session: Session, returning: Returning | None) -> protocol.Welcome:
        assert session.agent is not None
        assert session.id is not None
        now_s = time.time()
        identity = resume.Identity(
            session=session.id,
            agent=session.agent,
            name=session.name,
            guest=session.guest,
            expires_s=int(now_s) + resume.TOKEN_LIFE_S,
        )
        return protocol.Welcome(
            session=session.id,
            resume=resume.sign(identity, self._config.secret),
            resumed=returning is not None and returning.resumed,
            agent=session.agent,
            name=session.name,
            role=session.role,
            durability=self._config.durability,
            server=self._version,
            server_time_ms=int(now_s * 1000),
            features=FEATURES,
            limits=self._limits.announced(),
            players=[] if returning is None else returning.players,
            lost=[] if returning is None else returning.lost,
        )
