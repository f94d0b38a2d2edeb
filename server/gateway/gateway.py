"""The gateway: its connections, from the handshake to the end, and what is done about each frame.

One reader per connection; it waits for a shard only while its session is being resumed. Invariant: every request of a
connected client gets exactly one reply - the answer, a refusal, or an error when the process that had the question is
lost.

Not here: what the other processes are asked and tell (``news``), how replies leave (``answers``), what a frame means
(``decoding``), what a request needs (``requests``), how bytes wait (``connection``).
"""

from __future__ import annotations

import asyncio
import logging
import os
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

from server import messages, page, version
from server.gateway import http, refusals, requests, sweeper
from server.gateway.admission import Agents
from server.gateway.answers import Answers, internal
from server.gateway.backends import Backends, Waiting
from server.gateway.catalogue import Catalogue
from server.gateway.connection import GatewayConnection, name_connection
from server.gateway.decoding import decode
from server.gateway.documents import add_documents
from server.gateway.drain import come_back_ms, drain
from server.gateway.entrance import Entrance
from server.gateway.fanout import Fanout
from server.gateway.greeting import Greeting
from server.gateway.holding import Held
from server.gateway.identity import Door
from server.gateway.limits import GatewayLimits
from server.gateway.logpages import LogPages
from server.gateway.metrics import MetricsDesk
from server.gateway.news import News
from server.gateway.paths import Paths
from server.gateway.refusals import Refused
from server.gateway.screens import Screens
from server.gateway.session import Session, detached
from server.gateway.subscriptions import Subscriptions
from server.gateway.watching import Watches
from server.link import Link
from server.process import cpu_seconds, resident_bytes
from server.tls import server_context
from server.tokens import TokenBook
from worldline import protocol

# A reader that finds its queue full of frames handles so many before others get their turn.
FRAMES_PER_TURN: Final = 16

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
        self._disconnects: Counter[str] = Counter()
        self._metrics = MetricsDesk(control)
        self._version = f"worldline/{version()}"
        self._held = Held()
        self._agents = Agents(limits)
        door = Door(TokenBook(Path(config.data)), config.guests, config.secret, config.bots_token)
        self._entrance = Entrance(config, limits, self._version, self._paths(), door)
        self._answers = Answers(limits, self._entrance)
        self._greeting = Greeting(
            config,
            limits,
            self._version,
            door,
            self._backends,
            self._fanout,
            self._held,
            self._agents,
            self._answers.reply,
            self._vanished,
        )
        self._watches = Watches(self._backends.tell, control.send)
        self._subscriptions = Subscriptions(self._backends)
        self._screens = Screens(
            self._backends,
            self._held,
            self._answers,
            self._watches,
            replayers=config.replayers,
            report=control.send,
        )
        self._news = News(
            config,
            catalogue,
            self._backends,
            self._fanout,
            self._held,
            self._greeting,
            self._answers,
            self._watches,
            self._subscriptions,
            self._screens,
            self.sessions,
        )
        self.stopped: asyncio.Future[None] = self._loop.create_future()

    async def start(self, listening: socket.socket) -> None:
        """Accept connections on ``listening`` and say so to the supervisor."""
        limits = self._limits

        class Connection(GatewayConnection):
            """A connection with this gateway's limits."""

        Connection.limits, Connection.entrance = limits, self._entrance
        _library_log.addFilter(name_connection)
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
        paths.add("/metrics", self._metrics.body, needs="developer")
        paths.add("/readyz", lambda _: self._entrance.health(ready=self._backends.ready))
        for path, body in page.bodies().items():
            paths.add(path, body)
        add_documents(paths, self._catalogue, self._config.guests)
        LogPages(lambda world, question: self._screens.inquire(world, question)).add_to(paths)
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
            _log.debug("%s has gone", connection.peer, extra=connection.about)
        finally:
            self._disconnects[connection.ending] += 1
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
        self._watches.gone(session)
        if session.agent is not None and session.arrived:
            self._agents.depart(session.agent, self._loop.time())
        for seat in session.seats():
            self._backends.tell(seat.shard, detached(session, seat.world, seat.player))
            self._subscriptions.end(seat)
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
            self._answers.refuse(session, refused.error)
        except Exception:
            self._answers.refuse(session, internal(number, session.connection))

    async def _admit(self, session: Session, request: protocol.Request) -> None:
        """Limits and order of talk. Raises `Refused`."""
        limits = self._limits
        if isinstance(request, protocol.Hello):
            if session.agent is not None:
                raise refusals.second_hello(request.id)
            return
        wait = None
        if isinstance(request, protocol.Ping):
            wait = await session.admission.ping()
        elif session.is_limited(request):
            wait = await session.admission.request()
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
            if isinstance(request, protocol.Watch):
                self._screens.watch(waiting, request)
                return
            if isinstance(request, protocol.Control):
                self._screens.control(waiting, request)
                return
            if isinstance(request, protocol.Log | protocol.State):
                self._screens.read(waiting, request)
                return
            now_ms = time.time_ns() // 1_000_000
            step = requests.plan(request, session, self._catalogue, self._config.secret, now_ms)
            if isinstance(step, requests.Ask):
                self._news.ask(waiting, step)
            else:
                self._answers.reply(waiting, step)
        except BaseException:
            session.open_ids.discard(request.id)
            raise

    # --- the other processes -------------------------------------------------------------------------

    def on_supervisor_message(self, message: messages.FromSupervisor) -> None:
        """Something came over the control link."""
        match message:
            case messages.AskStatistics():
                self._control.send(self._statistics(message.request))
            case messages.MetricsMade():
                self._metrics.made(message)
            case messages.Drain():
                if self._draining is None:
                    self._draining = self._loop.create_task(self._drain())
            case _:
                self._news.on_supervisor_message(message)

    def _on_shard_message(self, shard: int, message: messages.ShardToGateway) -> None:
        self._news.on_shard_message(shard, message)

    def _on_shard_lost(self, shard: int) -> None:
        self._news.on_shard_lost(shard)

    def _statistics(self, request: int) -> messages.GatewayStatistics:
        return messages.GatewayStatistics(
            request=request,
            gateway=self._config.gateway,
            pid=os.getpid(),
            cpu_s=cpu_seconds(),
            rss_bytes=resident_bytes(),
            connections=len(self.sessions),
            requests=self._requests,
            refusals=dict(self._answers.refusals),
            roles=dict(Counter(session.role for session in self.sessions if session.agent is not None)),
            disconnects=dict(self._disconnects),
            outbox_bytes=sum(session.connection.waiting_bytes for session in self.sessions),
        )

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
