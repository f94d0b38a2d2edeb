"""The gateway: connections on one side, supervisor and shards on the other.

One reader per connection; it waits for a shard only while its session is being resumed. Answers are written from the
links' callbacks. Invariant: every request of a connected client gets exactly one reply - the answer, a refusal, or an
error when the process that had the question is lost.

Not here: what a frame means (``decoding``), what a request needs (``requests``), how bytes wait (``connection``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from eventlog.store import Store
from server import messages, version
from server.gateway import http, refusals, requests, sweeper
from server.gateway.admission import Agents
from server.gateway.backends import Backends, Waiting
from server.gateway.catalogue import Catalogue, read_game
from server.gateway.connection import GatewayConnection, close_reason
from server.gateway.decoding import decode
from server.gateway.drain import come_back_ms, drain
from server.gateway.entrance import Entrance
from server.gateway.fanout import Fanout, spread
from server.gateway.greeting import Greeting
from server.gateway.holding import Held, away, back, repeatable
from server.gateway.limits import GatewayLimits
from server.gateway.paths import Paths
from server.gateway.refusals import Refused
from server.gateway.replies import encode, fitting, without_waiting
from server.gateway.session import Session
from server.link import Link
from server.process import cpu_seconds, resident_bytes
from server.tls import server_context
from worldline import protocol

# A reader that finds its queue full of frames handles so many before others get their turn.
FRAMES_PER_TURN: Final = 16

_PLACE_LOST: Final = ("world_closed", "world_faulted", "world_full", "unknown_world")
"""What a shard may answer to a join when the lobby's news of the world is older than the shard's."""

_log = logging.getLogger("worldline.gateway")
# The library narrates every connection at level info.
_library_log = logging.getLogger("websockets.server")


class Gateway:
    """One gateway process. ``sessions`` are its connected clients; ``stopped`` is done when it has drained."""

    def __init__(
        self, config: messages.ConfigureGateway, control: Link[Any], catalogue: Catalogue, limits: GatewayLimits
    ) -> None:
        self._config = config
        self._control = control
        self._catalogue = catalogue
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._backends = Backends(control, self._on_shard_message, self._on_shard_lost)
        self._fanout = Fanout()
        self.sessions: set[Session] = set()
        self._server: Server | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._requests = 0
        self._refusals: Counter[str] = Counter()
        self._version = f"worldline/{version()}"
        self._held = Held()
        self._agents = Agents(limits)
        self._greeting = Greeting(
            config,
            limits,
            self._version,
            self._backends,
            self._fanout,
            self._held,
            self._agents,
            self._reply,
            self._vanished,
        )
        self._entrance = Entrance(config, limits, self._version, self._paths(), self._greeting.door)
        self.stopped: asyncio.Future[None] = self._loop.create_future()

    async def start(self, listening: socket.socket) -> None:
        """Accept connections on ``listening`` and say so to the supervisor."""
        limits = self._limits

        class Connection(GatewayConnection):
            """A connection with this gateway's limits."""

        Connection.limits, Connection.entrance = limits, self._entrance
        tls = self._config.tls
        self._server = await serve(
            self._serve,
            sock=listening,
            backlog=4096,
            ssl=None if tls is None else server_context(Path(tls.certificate), Path(tls.key)),
            ssl_handshake_timeout=None if tls is None else limits.hello_timeout_s,
            select_subprotocol=http.choose_subprotocol,
            compression=None,
            process_request=self._request,
            server_header=None,
            ping_interval=None,
            open_timeout=limits.answer_timeout_s,
            close_timeout=limits.close_timeout_s,
            max_size=limits.max_message_bytes,
            max_queue=limits.max_queue_frames,
            write_limit=(limits.write_buffer_bytes, limits.write_buffer_bytes // 2),
            logger=_library_log,
            create_connection=Connection,
        )
        self._sweeping = self._loop.create_task(self._sweep())
        self._control.send(messages.GatewayReady())

    # --- clients -------------------------------------------------------------------------------------

    def _request(self, connection: ServerConnection, request: Request) -> Response | Awaitable[Response] | None:
        assert isinstance(connection, GatewayConnection)
        return self._entrance.request(connection, request)

    def _paths(self) -> Paths:
        """What plain HTTP answers."""
        paths = Paths()
        paths.add("/healthz", lambda _: self._entrance.health())
        paths.add("/readyz", lambda _: self._entrance.health(ready=self._backends.ready))
        return paths

    async def _serve(self, connection: ServerConnection) -> None:
        """Read one client's frames until its connection ends."""
        assert isinstance(connection, GatewayConnection)
        session = Session(connection, self._limits)
        self.sessions.add(session)
        handled = 0
        try:
            while not (session.dismissed or session.gone):
                data, text_frame = await connection.receive()
                await self._handle(session, data, text_frame)
                handled += 1
                if handled % FRAMES_PER_TURN == 0:
                    await asyncio.sleep(0)
            await connection.wait_closed()
        except ConnectionClosed:
            _log.debug("%s has gone", connection.peer)
        finally:
            self._vanished(session)

    def _vanished(self, session: Session) -> None:
        """The connection is gone, or taken over: its players are undriven from now on, until their session is back.

        Joins under way follow when they arrive.
        """
        if session.gone:
            return
        session.gone = True
        self.sessions.discard(session)
        self._greeting.gone(session)
        if session.agent is not None and session.arrived:
            self._agents.depart(session.agent, self._loop.time())
        for seat in session.seats():
            self._backends.tell(seat.shard, messages.PlayerDetached(world=seat.world, player=seat.player))
            self._fanout.remove(seat.world, seat.player)

    async def _handle(self, session: Session, data: bytes, text_frame: bool) -> None:
        """Handle one frame: exactly one reply comes of it, now or when the answer comes."""
        if session.gone:  # taken over while this frame came in
            return
        self._requests += 1
        number: int | None = None
        try:
            try:
                decoded = decode(
                    data,
                    text_frame=text_frame,
                    encoding=session.connection.encoding,
                    examples=partial(session.examples, self._catalogue.example, self._catalogue.working_inputs),
                )
            except Refused:
                await session.admission.malformed()
                raise
            number = decoded.request.id
            waiting = Waiting(session, decoded.request, decoded.ignored, decoded.hint)
            await self._admit(session, decoded.request)
            self._dispatch(waiting)
            if isinstance(decoded.request, protocol.Hello) and session.agent is not None:
                session.arrived = True
                session.admission.agent = await self._agents.arrive(session.agent, self._loop.time())
        except Refused as refused:
            self._refuse(session, refused.error)
        except Exception:
            self._refuse(session, _internal(number))

    async def _admit(self, session: Session, request: protocol.Request) -> None:
        """Limits and order of talk. Raises `Refused`."""
        limits = self._limits
        if isinstance(request, protocol.Hello):
            if session.agent is not None:
                raise refusals.second_hello(request.id)
            return
        is_ping = isinstance(request, protocol.Ping)
        wait = await (session.admission.ping() if is_ping else session.admission.request())
        if wait is not None:
            raise refusals.rate_limited(wait, request.id)
        if session.agent is None:
            raise refusals.hello_required(request.id)
        if request.id in session.open_ids:
            raise refusals.id_in_use(request.id, session.free_id())
        if len(session.open_ids) >= limits.max_open_requests:
            raise refusals.too_many_open(limits.max_open_requests, request.id)
        if self._draining is not None:
            raise Refused(refusals.draining(request.id, limits.restart_after_ms))

    def _dispatch(self, waiting: Waiting) -> None:
        """Answer, or ask whoever can."""
        session, request = waiting.session, waiting.request
        session.open_ids.add(request.id)
        try:
            if isinstance(request, protocol.Hello):
                self._greeting.hello(waiting, request)
                return
            now_ms = time.time_ns() // 1_000_000
            step = requests.plan(request, session, self._catalogue, self._config.secret, now_ms)
            if isinstance(step, requests.Ask):
                self._ask(waiting, step)
            else:
                self._reply(waiting, step)
        except BaseException:
            session.open_ids.discard(request.id)
            raise

    # --- asking and answering ------------------------------------------------------------------------

    def _ask(self, waiting: Waiting, step: requests.Ask) -> None:
        """Put a question; if its process is gone or far behind, that is the answer."""
        waiting.world, waiting.game = step.world or waiting.world, step.game or waiting.game
        if self._backends.congested(step.target):
            self._reply(waiting, refusals.overloaded("the shard of this world is far behind", waiting.request.id))
        elif not self._backends.ask(step.target, step.question, waiting):
            self._held.put(step.question, waiting)

    def _answer_gone(self, waiting: Waiting, gone: messages.WorldGone) -> None:
        """The world that this request is about does not come back."""
        if isinstance(waiting.request, protocol.Hello):
            self._greeting.world_gone(waiting, gone.reason)
            return
        game = waiting.game or self._catalogue.example
        if _any_world_will_do(waiting.request):
            self._reply(waiting, refusals.place_lost(game, waiting.request.id))
        else:
            error = refusals.world_ended(gone.world, gone.status, gone.reason, game, waiting.request.id)
            error.message += "; if the request was an input, the world's log says whether it was applied"
            self._reply(waiting, error)

    def _reply(self, waiting: Waiting, message: protocol.Reply) -> None:
        """The one reply to a request."""
        waiting.session.open_ids.discard(waiting.request.id)
        message.re = waiting.request.id
        if waiting.ignored is not None:
            message.ignored = waiting.ignored
            message.hint = message.hint or waiting.hint
        if isinstance(message, protocol.Error):
            self._refusals[message.code] += 1
        self._send(waiting.session, message)

    def _refuse(self, session: Session, error: protocol.Error) -> None:
        """A refusal of the gateway itself; too many of them end the connection."""
        self._refusals[error.code] += 1
        self._send(session, error)
        if error.code == "unauthorized":
            self._entrance.visitors.failed(session.connection.address, self._loop.time())
            session.connection.close_soon(protocol.CLOSE_PROTOCOL, close_reason(error.message))
        elif session.flood is not None and session.flood.refused(self._loop.time()):
            wait_ms = round(self._limits.flood_s * 1000)
            text = f"{self._limits.flood_refusals} refusals in {self._limits.flood_s:g} s"
            session.dismissed = True
            session.connection.close_soon(protocol.CLOSE_FLOODING, close_reason(text, wait_ms))

    def _send(self, session: Session, message: protocol.Reply) -> None:
        if session.gone:
            return
        connection = session.connection
        if connection.full:
            message = without_waiting(message)
        try:
            data = fitting(message, connection.encoding, self._limits.max_reply_bytes)
        except (TypeError, ValueError, RecursionError):
            # A game's data may hold what cannot be written; its request still gets its one reply.
            data = encode(_internal(message.re), connection.encoding)
        connection.send_now(data)

    # --- supervisor ----------------------------------------------------------------------------------

    def on_supervisor_message(self, message: messages.FromSupervisor) -> None:
        """Something came over the control link."""
        match message:
            case messages.Placed():
                self._on_placed(message)
            case messages.Refused():
                waiting = self._backends.take(message.request)
                if waiting is not None:
                    self._reply(waiting, message.error)
            case messages.WorldsFound():
                waiting = self._backends.take(message.request)
                if waiting is not None:
                    self._reply(waiting, protocol.WorldsReply(worlds=message.worlds, next=message.next))
            case messages.WorldFound():
                waiting = self._backends.take(message.request)
                if waiting is not None:
                    self._on_world_found(waiting, message)
            case messages.WorldMade():
                waiting = self._backends.take(message.request)
                if waiting is not None:
                    self._reply(waiting, requests.created(waiting.request, message.world, self._config.secret))
            case messages.GameCounts():
                waiting = self._backends.take(message.request)
                if waiting is not None:
                    self._reply(waiting, protocol.GamesReply(games=self._catalogue.summaries(message)))
            case messages.SessionFound():
                waiting = self._backends.take(message.request)
                if waiting is not None:
                    self._greeting.found(waiting, message)
            case messages.ShardUp():
                self._backends.shard_up(message.shard, message.socket_path)
            case messages.ShardDown():
                self._backends.shard_down(message.shard)
                for world in message.worlds:
                    spread(self._fanout.sessions_in(world), away(world))
            case messages.WorldMoved():
                self._world_moved(message.world, message.shard)
            case messages.WorldGone():
                for _, waiting in self._held.take(message.world):
                    self._answer_gone(waiting, message)
                self._world_closed(protocol.Closed(world=message.world, reason=message.reason))
            case messages.ReloadGame():
                self._catalogue.put(read_game(Store.read_only(Path(self._config.data)), message.game))
            case messages.CodeBroken():
                self._code_broken(message)
            case messages.AskStatistics():
                self._control.send(self._statistics(message.request))
            case messages.Drain():
                if self._draining is None:
                    self._draining = self._loop.create_task(self._drain())
            case _:
                _log.error("the supervisor sent %s, which is not for gateways", type(message).__name__)

    def _on_placed(self, placed: messages.Placed) -> None:
        waiting = self._backends.take(placed.request)
        if waiting is None:
            return
        # Also for a client that has gone meanwhile: its place is reserved, and joining is how a reservation ends.
        assert isinstance(waiting.request, protocol.Join)
        self._ask(waiting, requests.join_world(waiting.request, waiting.session, placed))

    def _on_world_found(self, waiting: Waiting, found: messages.WorldFound) -> None:
        request = waiting.request
        if isinstance(request, protocol.Step | protocol.Play) and found.shard is not None:
            self._ask(waiting, requests.owners_request(request, waiting.session, found.shard))
        else:
            self._reply(waiting, requests.world_found(found, waiting.world or "", waiting.session, request.id))

    def _statistics(self, request: int) -> messages.GatewayStatistics:
        return messages.GatewayStatistics(
            request=request,
            gateway=self._config.gateway,
            pid=os.getpid(),
            cpu_s=cpu_seconds(),
            rss_bytes=resident_bytes(),
            connections=len(self.sessions),
            requests=self._requests,
            refusals=dict(self._refusals),
        )

    # --- shards --------------------------------------------------------------------------------------

    def _on_shard_message(self, shard: int, message: messages.ShardToGateway) -> None:
        if isinstance(message, messages.Push):
            self._push(message)
            return
        if isinstance(message, messages.CodeBroken):
            self._code_broken(message)
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
            case messages.Answer():
                self._on_answer(shard, waiting, message.message)

    def _on_answer(self, shard: int, waiting: Waiting, answer: messages.AnyAnswer) -> None:
        session = waiting.session
        match answer:
            case protocol.Joined():
                driver = self._greeting.living(session)
                if driver is None:
                    self._backends.tell(shard, messages.PlayerDetached(world=answer.world, player=answer.player))
                    return
                driver.take_seat(answer.world, answer.game, answer.player, shard)
                self._fanout.add(answer.world, answer.player, driver)
                session.saw(answer.observation)
            case protocol.Outcome():
                session.saw(answer.observation)
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
        self._reply(waiting, answer)

    def _on_shard_lost(self, shard: int) -> None:
        """What this shard was asked is asked again when its worlds are back."""
        for waiting in self._backends.take_all(shard):
            assert waiting.question is not None
            if repeatable(waiting.question):
                self._held.put(waiting.question, waiting)
            else:
                self._reply(waiting, refusals.fate_unknown(waiting.world or "", waiting.request.id))

    def _world_moved(self, world: str, shard: int) -> None:
        """The world is back: its players are driven from here as before, and what waits for it is asked again."""
        sessions = self._fanout.sessions_in(world)
        for session in sessions:
            for seat in session.seats_in(world):
                seat.shard = shard
                self._backends.tell(shard, messages.PlayerDriven(world=world, player=seat.player))
        for question, waiting in self._held.take(world):
            if isinstance(question, messages.ObservePlayer) and question.wait is not None:
                question.wait, question.woke = None, "now"  # its world has been away: that is news enough
            if not self._backends.ask(shard, question, waiting):  # it has died again already
                self._held.put(question, waiting)
        spread(sessions, back(world))

    def _push(self, push: messages.Push) -> None:
        message = push.message
        if isinstance(message, protocol.Closed) and message.player is None:
            self._world_closed(message)
            return
        if push.player is None:
            spread(self._fanout.sessions_in(push.world), message)
            return
        session = self._fanout.driver(push.world, push.player)
        if session is None:
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
        spread([session for session in self.sessions if session.role == "developer"], notice)

    def _world_closed(self, closed: protocol.Closed) -> None:
        """Tell everyone who plays there, and free their seats. Told once, however many sources say so."""
        sessions = self._fanout.remove_world(closed.world)
        for session in sessions:
            session.end_world(closed.world, closed.reason)
        spread(sessions, closed)

    # --- time ----------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._limits.sweep_every_s)
            self._greeting.revoke()
            self._agents.forget(self._loop.time())
            self._entrance.visitors.forget(self._loop.time())
            sweeper.sweep(list(self.sessions), self._loop.time(), self._limits, come_back_ms(self._limits))

    async def _drain(self) -> None:
        assert self._server is not None
        self._entrance.draining = True
        await drain(self.sessions, self._backends, self._limits)
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._server.close(close_connections=False)
        if not self.stopped.done():
            self.stopped.set_result(None)


def _internal(number: int | None) -> protocol.Error:
    """Log what has just been caught, under a reference that the client gets."""
    reference = secrets.token_hex(4)
    _log.exception("internal error, reference %s", reference)
    return refusals.internal(reference, number)


def _any_world_will_do(request: protocol.Request) -> bool:
    """Whether this is a join by game: the same request can get another world."""
    return isinstance(request, protocol.Join) and request.game is not None
