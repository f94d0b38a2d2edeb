"""The supervisor: parent of all processes of a server. It starts them, watches them, and holds the lobby.

A server is one gateway and ``config.shards`` shards. A shard that dies is replaced under a new number, so that nothing
ever appends to the journal it left; its worlds are brought back (``server/recovery.py``). A gateway that dies is
replaced and takes over the same listening socket. Whatever happens, no child outlives the supervisor.

Order of a start: TLS files → games → port → data folder → shards → unfinished worlds → gateway; of a stop: gateway →
shards → data folder. Either the start succeeds or everything it did is undone.

Not here: who plays where (``server/lobby.py``), a single process (``server/children.py``), when to start it again
(``server/slots.py``), what becomes of ended worlds (``server/housekeeping.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from eventlog.errors import EventLogError
from eventlog.store import Store
from games.code import GameCode
from server import messages, refusals
from server.blame import Death
from server.callpage import WATCH_EVERY_S, CallReader, CallWatch, Stuck, cpu_seconds_of
from server.checks import Checks
from server.children import Child, spawn
from server.config import ServeConfig
from server.forking import Forks
from server.gateway.joincode import join_code
from server.housebots import HouseBots
from server.housekeeping import Housekeeper
from server.identifiers import WorldNames
from server.leaderboards import Leaderboards
from server.lobby import ENDED, Lobby, LobbyGame
from server.metrics import Metrics, ServerStatistics
from server.process import cpu_seconds, out_of_memory_kills, resident_bytes
from server.reception import QUESTIONS, REPORTS, Reception
from server.recovery import Recovery
from server.replayers import Replayers, replayers
from server.slots import Slot
from server.startup import (
    StartError,
    check_tls,
    check_tokens,
    default_guests,
    keeps_fair_play,
    listen,
    load_games,
    make_socket_folder,
    open_secret,
    open_store,
    remove_socket_folder,
    served_hosts,
)
from server.workshop import Workshop, served
from worldline import protocol

__all__ = ["ServerStatistics", "StartError", "Supervisor"]

GATEWAYS: Final = 1
EVERY_ADDRESS: Final = ("", "0.0.0.0", "::")
GATEWAY_STOP_S: Final = 4.0  # it closes every connection within 2 s, stalled readers included
SHARD_STOP_S: Final = 20.0  # it makes every world's last record durable: killing it here would cost a clean data folder
ANSWER_WITHIN_S: Final = 5.0  # a child that has not answered a question by then is stuck or gone

_log = logging.getLogger("worldline.supervisor")

Answer = TypeVar("Answer", messages.ViewReply, messages.ShardStatistics, messages.GatewayStatistics)


class Supervisor:
    """One running server: ``async with Supervisor(config) as supervisor: …``, or `start` and `stop`.

    Start it from a thread that lives as long as the server: the children die with it.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.port = config.port
        self.stopped_cleanly = True
        """False once `stop` had to kill a shard or saw it fail: its worlds are not saved then."""
        self._listener: socket.socket | None = None
        self._store: Store | None = None
        self._secret = b""
        self._sockets: Path | None = None
        self._lobby = Lobby({}, max_worlds=0, name_world=WorldNames().next)  # until the games are known
        self._bots = HouseBots(
            config.games,
            for_agents=config.bots,
            address=self._own_address,
            join_code=lambda world: join_code(world, self._secret),
        )
        self._reception = Reception(self._lobby, self._order, crews=self._bots)
        self._recovery = self._make_recovery()
        self._metrics = Metrics()
        self._checks = Checks(config, self._metrics, self._to_gateways, self._world_checked)
        self._housekeeper = Housekeeper(config.data, config.retention, self._checks)
        self._shards: list[Slot] = []
        self._gateways: list[Slot] = []
        self._replayers: Replayers | None = None
        self._forks: Forks | None = None
        self._games: dict[str, GameCode] = {}
        self._watching_games: asyncio.Task[None] | None = None
        self._next_shard = 0
        self._leaderboards = Leaderboards(config.data)
        self._watching: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._lost_worlds: dict[int, list[str]] = {}  # by dead shard, until its journal is redone
        self._asked: dict[int, tuple[Child, asyncio.Future[messages.ToSupervisor]]] = {}
        self._next_request = 0
        self._failed: asyncio.Future[StartError] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Supervisor:
        """Start the server. Raises StartError."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        await self.stop()

    @property
    def url(self) -> str:
        """Where agents connect: ``ws://host:port/ws``, or ``wss://`` with TLS."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        scheme = "ws" if self.config.tls_cert is None else "wss"
        return f"{scheme}://{host}:{self.port}/ws"

    @property
    def page_url(self) -> str:
        """Where a browser shows what there is."""
        return self.url.replace("ws", "http", 1).removesuffix("ws")

    @property
    def shard_pids(self) -> list[int]:
        """The process ids of the shards that are ready."""
        return [child.pid for child in self._ready(self._shards)]

    # --- start and stop ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything and return when agents can play. Raises StartError, with nothing left behind."""
        self._failed = asyncio.get_running_loop().create_future()
        try:
            check_tls(self.config.tls_cert, self.config.tls_key)
            games = load_games(self.config.games)
            self._listener = listen(self.config.host, self.config.port)
            self.port = self._listener.getsockname()[1]
            self._store = open_store(self.config.data)
            self._secret = open_secret(self.config.data)
            check_tokens(self.config.data)
            self._keep_code(self._store, games)
            self._games = games
            self._sockets = make_socket_folder()
            self._replayers = Replayers(
                self.config,
                self._sockets,
                fair_play=self._keeps_fair_play,
                tell=self._to_gateways,
                made=self._fork_made,
                died=self._replayer_died,
            )
            self._open_lobby(games, self._store)
            self._forks = Forks(self._lobby, self._replayers.send, self._go_on_with)
            await self._start_shards()
            await self._restore_worlds(self._store, games)
            await self._start_gateways()
            self._checks.begin()
            if self.config.dev:
                self._open_workshop(games, self._store)
        except BaseException:
            await self.stop()
            raise
        _log.info("serving %s at %s with %d shards", ", ".join(games), self.url, len(self.shard_pids))

    async def stop(self) -> None:
        """Stop everything: agents are told to come back later, worlds are saved, logs flushed. Safe to repeat."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="stop the server")
        # Whoever waits here may be cancelled; the stop itself goes on.
        await asyncio.shield(self._stopping)

    def kill(self) -> None:
        """End all children now. What was acknowledged is durable, but the data folder is not cleanly stopped."""
        for slot in (*self._gateways, *self._shards):
            slot.kill()
        self._checks.kill()
        if self._replayers is not None:
            self._replayers.kill()

    async def failed(self) -> StartError:
        """Wait until the server cannot go on, because no shard or no gateway can run, and return why."""
        assert self._failed is not None, "start the supervisor first"
        return await asyncio.shield(self._failed)

    def _keep_code(self, store: Store, games: dict[str, GameCode]) -> None:
        """Put the code of every game into the data folder: logs name it by digest, and shards run it from there."""
        try:
            for code in games.values():
                store.put_code(code.digest, code.files)
        except OSError as error:
            raise StartError(
                f"cannot write to {self.config.data}: {error.strerror}", "make room, or use another --data"
            ) from error

    def _open_lobby(self, games: dict[str, GameCode], store: Store) -> None:
        self._lobby = Lobby(
            {name: lobby_game(code) for name, code in games.items()},
            max_worlds=self.config.max_worlds,
            name_world=WorldNames(store.world_ids()).next,
        )
        self._reception = Reception(self._lobby, self._order, crews=self._bots)
        self._recovery = self._make_recovery()

    def _own_address(self) -> str | None:
        """Where the server's own bots connect; None if they cannot."""
        if self.config.tls_cert is not None:
            return None
        host = self.config.host if self.config.host not in EVERY_ADDRESS else "127.0.0.1"
        return f"ws://{f'[{host}]' if ':' in host else host}:{self.port}/ws"

    def _open_workshop(self, games: dict[str, GameCode], store: Store) -> None:
        """Watch the games' folders from now on."""
        workshop = Workshop(games, store, saved=self._game_saved, broken=self._to_gateways)
        self._watching_games = asyncio.create_task(workshop.watch(), name="watch the games")
        self._watching_games.add_done_callback(_raise)

    def _game_saved(self, code: GameCode) -> None:
        """The game is this from now on: for its next worlds, for agents who ask, for the worlds that run."""
        self._games[code.name] = code
        self._lobby.saved(lobby_game(code))
        reload = messages.ReloadGame(game=served(code))
        self._to_gateways(reload)  # first: whoever hears that the rules have changed may ask for them
        for child in self._ready(self._shards):
            child.send(reload)

    def _world_checked(self, answer: messages.WorldChecked) -> None:
        if answer.status in ("verified", "diverged"):
            self._lobby.checked(answer.world, answer.tick, same=answer.status == "verified")

    def _make_recovery(self) -> Recovery:
        return Recovery(self.config.data, self._reception, self._order, self._to_gateways)

    async def _start_shards(self) -> None:
        for number in range(self.config.shards):
            self._shards.append(Slot(f"shard slot {number}", self._start_shard, self._given_up))
        await asyncio.wait([slot.settled for slot in self._shards])
        if not self.shard_pids:
            raise self._cannot_run("shard", self._shards)

    async def _restore_worlds(self, store: Store, games: dict[str, GameCode]) -> None:
        """Have the shards go on with the worlds that an earlier server left unfinished, before anybody can join."""
        broken_off = []
        infos = store.worlds()
        self._housekeeper.begin(infos)
        for info in infos:
            if info.status not in ("open", "damaged"):
                continue
            if info.game not in games:
                remedy = f"start with --games and the folder of {info.game or 'its game'} to go on with it"
                _log.warning(
                    "world %s (%s) stays as it is: its game is not here → %s",
                    info.world, info.status, remedy, extra={"world": info.world},
                )  # fmt: skip
                continue
            game = LobbyGame(name=info.game, max_players=0, clock=info.clock, digest=info.digest)
            self._lobby.broke_off(info.world, game)
            if info.status == "open":
                broken_off.append(info.world)
            else:
                _log.error(
                    "the log of world %s is damaged: %s → see `worldline log verify`",
                    info.world, info.reason, extra={"world": info.world},
                )  # fmt: skip
                self._reception.not_restored(info.world, "damaged", info.reason or "its log is damaged")
        self._recovery.begin(broken_off)
        self._recovery.house()
        await self._recovery.settled()

    async def _start_gateways(self) -> None:
        for number in range(GATEWAYS):
            start_gateway = functools.partial(self._start_gateway, number)
            self._gateways.append(Slot(f"gateway slot {number}", start_gateway, self._given_up))
        await asyncio.wait([slot.settled for slot in self._gateways])
        if not self._ready(self._gateways):
            raise self._cannot_run("gateway", self._gateways)

    async def _stop(self) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.cancel()
        self._reception.draining = self._recovery.ending = True
        if self._watching_games is not None:
            self._watching_games.cancel()
            await asyncio.wait([self._watching_games])
        await self._bots.stop()
        await asyncio.gather(*(slot.stop(GATEWAY_STOP_S) for slot in self._gateways))
        await self._checks.stop()
        if self._replayers is not None:
            await self._replayers.stop()
        self.stopped_cleanly = all(await asyncio.gather(*(slot.stop(SHARD_STOP_S) for slot in self._shards)))
        await asyncio.gather(*self._watching)  # a journal that is being redone is redone to its end
        await self._housekeeper.stop()
        self._leaderboards.stop()
        if self._listener is not None:
            self._listener.close()
        if self._sockets is not None:
            remove_socket_folder(self._sockets)
        if self._store is not None:
            self._store.close()

    # --- children ------------------------------------------------------------------------------------

    async def _start_shard(self) -> Child:
        number = self._next_shard
        self._next_shard += 1
        assert self._sockets is not None
        page_path = self._sockets / f"shard-{number:02}.page"
        calls = CallReader(page_path)
        child = await spawn("shard", number, self._on_message, self._shard_lost)
        child.calls = calls
        self._watching.add(task := asyncio.create_task(self._mind_shard(child, calls), name=f"mind {child.name}"))
        task.add_done_callback(self._watching.discard)
        child.send(
            messages.ConfigureShard(
                shard=number,
                data=str(self.config.data.resolve()),
                socket_path=self._socket_path(number),
                call_page_path=str(page_path),
                durability=self.config.durability,
                limits=self.config.limits,
                log_format=self.config.log,
                log_level=self.config.log_level,
                keep_worlds=self.config.keep_worlds,
                dev=self.config.dev,
                eager=self.config.eager,
                fair_play=self._keeps_fair_play,
            )
        )
        return child

    async def _start_gateway(self, number: int) -> Child:
        assert self._listener is not None
        listen_fd = self._listener.fileno()
        child = await spawn("gateway", number, self._on_message, self._gateway_lost, pass_fds=(listen_fd,))
        child.send(
            messages.ConfigureGateway(
                gateway=number,
                listen_fd=listen_fd,
                games=[served(code) for code in self._games.values()],
                durability=self.config.durability,
                limits=self.config.limits,
                guests=self.config.guests or default_guests(self._listener, self.config.allow_hosts),
                data=str(self.config.data.resolve()),
                secret=self._secret,
                bots_token=self._bots.token,
                hosts=served_hosts(self._listener, self.config.allow_hosts),
                tls=self._tls_files(),
                log_format=self.config.log,
                log_level=self.config.log_level,
                replayers=replayers(),
            )
        )
        for shard in self._ready(self._shards):
            child.send(messages.ShardUp(shard=shard.number, socket_path=self._socket_path(shard.number)))
        return child

    def _tls_files(self) -> messages.Tls | None:
        certificate, key = self.config.tls_cert, self.config.tls_key
        if certificate is None or key is None:
            return None
        return messages.Tls(certificate=str(certificate.resolve()), key=str(key.resolve()))

    @property
    def _keeps_fair_play(self) -> bool:
        assert self._listener is not None
        return keeps_fair_play(self.config.fair_play, self._listener, self.config.allow_hosts)

    def _socket_path(self, shard: int) -> str:
        assert self._sockets is not None
        return str(self._sockets / f"shard-{shard:02}.sock")

    def _ready(self, slots: Sequence[Slot]) -> list[Child]:
        return [slot.ready_child for slot in slots if slot.ready_child is not None]

    def _to_gateways(self, message: messages.FromSupervisor) -> None:
        for slot in self._gateways:
            if slot.child is not None:
                slot.child.send(message)

    def _order(self, shard: int, message: messages.FromSupervisor) -> None:
        """Send to a shard by number. If it is lost, `_shard_lost` has told or will tell what that means."""
        for child in self._ready(self._shards):
            if child.number == shard:
                child.send(message)

    def _shard_ready(self, child: Child) -> None:
        child.mark_ready()
        if self.config.dev:  # its worlds may come back with code from before
            for code in self._games.values():
                child.send(messages.ReloadGame(game=served(code)))
        self._reception.shard_up(child.number)
        self._to_gateways(messages.ShardUp(shard=child.number, socket_path=self._socket_path(child.number)))
        self._house()

    async def _mind_shard(self, child: Child, calls: CallReader) -> None:
        """Kill the shard if a world does not come back from a call; when it is dead, bring its worlds back."""
        watch = CallWatch(self.config.tick_timeout_ms / 1000)
        memory_kills = out_of_memory_kills()
        stuck: Stuck | None = None
        while not child.gone.done():
            call = calls.read()
            with contextlib.suppress(OSError):  # it has just died: `gone` comes next
                stuck = watch.judge(call, 0.0 if call is None else cpu_seconds_of(child.pid), time.monotonic())
            if stuck is not None:
                about = {} if call is None else {"world": call.world}
                _log.error("%s is killed: %s", child.name, stuck.why, extra=about)
                child.kill()
                await child.gone
            else:
                await asyncio.wait([child.gone], timeout=WATCH_EVERY_S)
        if self._stopping is not None:
            return
        short_of_memory = memory_kills is None or memory_kills != out_of_memory_kills()
        death = _death(child, stuck, short_of_memory=short_of_memory)
        self._metrics.shard_died(death.kind)
        call = calls.read()
        if call is not None:
            self._recovery.blame.died(call, death)
        worlds = self._lost_worlds.pop(child.number, [])
        if await self._recovery.redo(child.number, worlds):
            self._housekeeper.journal_redone(child.number, worlds)
        self._house()

    def _house(self) -> None:
        """Give worlds without a shard to the shards, once every shard that is to come is there."""
        given_up = sum(slot.given_up for slot in self._shards)
        ready = len(self._ready(self._shards))
        if ready and ready + given_up >= self.config.shards and self._stopping is None:
            self._recovery.house()

    def _shard_lost(self, child: Child) -> None:
        worlds = self._reception.lose_shard(child.number)
        self._forget_questions(child)
        self._recovery.shard_lost(child.number)
        if self._stopping is not None:
            return
        self._lost_worlds[child.number] = worlds
        if worlds:
            about = {"world": worlds[0]} if len(worlds) == 1 else {}
            text = "%s took %d worlds with it; they are brought back: %s"
            _log.error(text, child.name, len(worlds), " ".join(worlds), extra=about)
        self._to_gateways(messages.ShardDown(shard=child.number, worlds=worlds))

    def _fork_made(self, made: messages.ForkMade) -> None:
        if self._forks is not None:
            self._forks.made(made)

    def _replayer_died(self) -> None:
        if self._forks is not None:
            self._forks.replayer_lost()

    def _go_on_with(self, world: str) -> None:
        """Have a shard go on with a world that has come into the data folder."""
        self._recovery.begin([world])
        self._house()

    def _gateway_lost(self, child: Child) -> None:
        self._forget_questions(child)
        self._lobby.lose_gateway(child.number)

    def _given_up(self, slot: Slot) -> None:
        """A slot stays empty. The server goes on as long as there is one of each kind."""
        for kind, slots in (("shard", self._shards), ("gateway", self._gateways)):
            lost = slot in slots and all(other.given_up for other in slots)
            if lost and self._failed is not None and not self._failed.done():
                self._failed.set_result(self._cannot_run(kind, slots))
        self._house()

    def _cannot_run(self, kind: str, slots: Sequence[Slot]) -> StartError:
        endings = sorted({slot.last_ending for slot in slots})
        return StartError(
            f"no {kind} can run: each dies right after its start ({', '.join(endings)})",
            "see the log above; with --log-level debug it says more",
        )

    # --- messages ------------------------------------------------------------------------------------

    def _on_message(self, child: Child, message: messages.ToSupervisor) -> None:
        if isinstance(message, messages.AskSession):
            # A shard reports a seat before its client can know of it. So that report is here, or has come with this
            # question in the same turn of the loop: in the next turn it has been taken in.
            asyncio.get_running_loop().call_soon(self._reception.ask, message, child.send)
        elif isinstance(message, QUESTIONS):
            self._reception.ask(message, child.send)
        elif isinstance(message, REPORTS):
            self._reception.tell(message)
            if isinstance(message, messages.WorldChanged) and message.status in ENDED:
                self._bots.world_ended(message.world)
            if isinstance(message, messages.WorldOpened):
                self._housekeeper.held(message.world, child.number)
        elif isinstance(message, messages.WorldRestored):
            self._recovery.restored(message, child.number)
            if self._forks is not None:
                self._forks.restored(message.world)
            self._housekeeper.held(message.world, child.number)
        elif isinstance(message, messages.WorldNotRestored):
            self._bots.world_ended(message.world)
            self._recovery.not_restored(message)
            if self._forks is not None:
                self._forks.not_restored(message.world, message.reason)
            self._housekeeper.at_rest(message.world)
        elif isinstance(message, messages.WorldReleased):
            self._housekeeper.at_rest(message.world)
        elif isinstance(message, messages.ShardReady):
            self._shard_ready(child)
        elif isinstance(message, messages.GatewayReady):
            child.mark_ready()
        elif isinstance(message, messages.AskFork):
            if self._forks is not None and self._stopping is None:
                self._forks.ask(message, child.send)
            else:
                child.send(messages.Refused(request=message.request, error=refusals.draining()))
        elif isinstance(message, messages.AskReplayer):
            if self._replayers is not None and self._stopping is None:
                self._replayers.want(message.replayer, message.gone)
        elif isinstance(message, messages.WorldSpectators):
            self._lobby.watched(message.world, child.number, message.viewers)
        elif isinstance(message, messages.AskMetrics):
            self._answer(self._answer_metrics(child, message.request))
        elif isinstance(message, messages.AskLeaderboard):
            self._answer(self._answer_leaderboard(child, message))
        elif not isinstance(message, messages.ReplayerReady | messages.ForkMade | messages.WorldChecked):  # to others
            _, answered = self._asked.pop(message.request, (None, None))
            if answered is not None and not answered.done():
                answered.set_result(message)

    async def _ask(
        self, child: Child, question: messages.AskStatistics | messages.AskView, kind: type[Answer]
    ) -> Answer:
        """Ask a child and return its answer. Raises TimeoutError if it does not answer, ConnectionError if it dies."""
        answered: asyncio.Future[messages.ToSupervisor] = asyncio.get_running_loop().create_future()
        self._asked[question.request] = child, answered
        try:
            child.send(question)
            answer = await asyncio.wait_for(answered, ANSWER_WITHIN_S)
        finally:
            self._asked.pop(question.request, None)
        assert isinstance(answer, kind)
        return answer

    def _forget_questions(self, child: Child) -> None:
        for asked, answered in list(self._asked.values()):
            if asked is child and not answered.done():
                answered.set_exception(ConnectionError(f"{child.name} is lost"))

    def _request(self) -> int:
        self._next_request += 1
        return self._next_request

    # --- what the demo and the bench ask ---------------------------------------------------------------

    def worlds(self) -> list[protocol.WorldSummary]:
        """Return every world that the lobby lists, newest first, ended ones included."""
        return self._lobby.summaries()

    async def view(self, world: str) -> messages.ViewReply:
        """Return what the game's ``view`` shows of a running world now.

        Raises LookupError if no such world runs, or if its shard did not answer.
        """
        shard = self._lobby.shard_of(world)
        for child in self._ready(self._shards):
            if child.number == shard:
                try:
                    question = messages.AskView(request=self._request(), world=world)
                    return await self._ask(child, question, messages.ViewReply)
                except (TimeoutError, ConnectionError) as error:
                    raise LookupError(f"world {world} does not answer: {error}") from error
        raise LookupError(f"no world {world} is running")

    async def statistics(self) -> ServerStatistics:
        """Ask every process how it is doing. One that does not answer in time is left out."""

        async def ask(child: Child, kind: type[Answer]) -> list[Answer]:
            try:
                return [await self._ask(child, messages.AskStatistics(request=self._request()), kind)]
            except TimeoutError:
                _log.warning("no statistics of %s: no answer in time", child.name)
            except ConnectionError:
                pass  # it has died, which is told elsewhere
            return []

        shards = asyncio.gather(*(ask(child, messages.ShardStatistics) for child in self._ready(self._shards)))
        gateways = asyncio.gather(*(ask(child, messages.GatewayStatistics) for child in self._ready(self._gateways)))
        return ServerStatistics(
            shards=[answer for answers in await shards for answer in answers],
            gateways=[answer for answers in await gateways for answer in answers],
            supervisor_pid=os.getpid(),
            supervisor_cpu_s=cpu_seconds(),
            supervisor_rss_bytes=resident_bytes(),
            replayers=[] if self._replayers is None else self._replayers.used(),
        )

    def _answer(self, answering: Coroutine[Any, Any, None]) -> None:
        """Answer a question that cannot be answered at once."""
        self._answering.add(task := asyncio.create_task(answering))
        task.add_done_callback(self._answering.discard)

    async def _answer_leaderboard(self, gateway: Child, question: messages.AskLeaderboard) -> None:
        try:
            gateway.send(await self._leaderboards.page(question))
        except EventLogError as error:
            _log.error("no leaderboard of %s: %s", question.game, error)
            gateway.send(messages.Refused(request=question.request, error=refusals.no_leaderboard(question.game)))

    async def _answer_metrics(self, gateway: Child, request: int) -> None:
        answers = await self.statistics()
        children = (*self._ready(self._shards), *self._ready(self._gateways))
        self._metrics.take(answers, [child.pid for child in children])
        gateway.send(messages.MetricsMade(request=request, text=self._metrics.page(answers, self.worlds())))


def _death(child: Child, stuck: Stuck | None, *, short_of_memory: bool) -> Death:
    """How a shard died. ``stuck``: why it was killed here; ``short_of_memory``: the kernel has killed for that."""
    if stuck is not None:
        return Death("stuck" if stuck.busy else "unclear", stuck.why)
    why = f"its shard ended with {child.ending}"
    if child.exit_code != -signal.SIGKILL:
        return Death("crashed", why)
    return Death("unclear" if short_of_memory else "killed", why)


def lobby_game(code: GameCode) -> LobbyGame:
    """What the lobby knows of a game."""
    manifest = code.manifest
    return LobbyGame(
        name=code.name,
        max_players=manifest.max_players,
        clock=manifest.clock,
        digest=code.digest,
        seats_per_agent=manifest.seats_per_agent,
    )


def _raise(task: asyncio.Task[None]) -> None:
    """A mistake in there must not stay unheard."""
    if not task.cancelled():
        task.result()
