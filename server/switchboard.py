"""The switchboard: the parts of a running server, made and joined, and who of them hears of what.

Whatever a child says, and that it is there or gone, comes here and is passed on to those whom it concerns. What they
decide goes out again to shards and gateways.

Order of a start: shards → unfinished worlds → gateways; of a stop: gateways → shards.

Not here: what each part does; and the life of the whole (``server/supervisor.py``).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterable
from typing import Any

from eventlog.errors import EventLogError
from eventlog.summary import WorldInfo
from games.code import GameCode
from server import forkkeys, messages, refusals
from server.asking import Asking
from server.blame import Death
from server.bygone import bygones, read_listings
from server.callpage import Call
from server.checks import Checks
from server.children import Child
from server.config import ServeConfig
from server.directory import ENDED_KEPT
from server.forking import Forks, Noted
from server.gateway.joincode import join_code
from server.gateways import Gateways
from server.housebots import HouseBots
from server.housekeeping import Housekeeper
from server.identifiers import WorldNames
from server.leaderboards import Leaderboards
from server.listed import ENDED, LobbyGame
from server.lobby import Lobby
from server.metrics import Metrics, ServerStatistics
from server.premises import Premises
from server.process import cpu_seconds, resident_bytes
from server.reception import Question, Reception, Report
from server.recovery import Recovery
from server.replayers import Replayers
from server.shards import Shards
from server.slots import Slots
from server.startup import StartError
from server.tasks import never_unheard
from server.workshop import Workshop, served

_log = logging.getLogger("worldline.supervisor")


class Switchboard:
    """One running server on its ``premises``."""

    def __init__(self, config: ServeConfig, premises: Premises) -> None:
        self._config = config
        self._premises = premises
        self._stopping = False
        self.failed: asyncio.Future[StartError] = asyncio.get_running_loop().create_future()
        """Done when the server cannot go on, because no shard or no gateway can run."""
        self._make_processes()
        self._make_directory()
        self._metrics = Metrics()
        self._checks = Checks(config, self._metrics, self._gateways.tell, self._world_checked)
        self._housekeeper = Housekeeper(config.data, config.retention, self._checks, self.lobby)
        self._leaderboards = Leaderboards(config.data)
        self._asking = Asking()
        self._answering: set[asyncio.Task[None]] = set()
        self._watching_games: asyncio.Task[None] | None = None

    def _make_processes(self) -> None:
        config, premises = self._config, self._premises
        self._bots = HouseBots(
            config.games,
            for_agents=config.bots,
            address=premises.bots_address,
            join_code=lambda world: join_code(world, premises.secret),
        )
        self.shards = Shards(
            config,
            premises,
            on_message=self._on_message,
            on_lost=self._shard_lost,
            on_dead=self._shard_dead,
            on_given_up=self._given_up,
        )
        self._gateways = Gateways(
            config,
            premises,
            bots_token=self._bots.token,
            ready_shards=lambda: self.shards.slots.ready,
            on_message=self._on_message,
            on_lost=self._gateway_lost,
            on_given_up=self._given_up,
        )

    def _make_directory(self) -> None:
        """The lobby, and those that bring worlds into it."""
        config, premises = self._config, self._premises
        self.lobby = Lobby(
            {name: lobby_game(code) for name, code in premises.games.items()},
            max_worlds=config.max_worlds,
            name_world=WorldNames(premises.store.world_ids()).next,
        )
        self._reception = Reception(self.lobby, self.shards.order, crews=self._bots)
        self._recovery = Recovery(config.data, self._reception, self.shards.order, self._gateways.tell)
        self._replayers = Replayers(
            config,
            premises.sockets,
            fair_play=premises.fair_play,
            tell=self._gateways.tell,
            made=lambda made: self._forks.made(made),
            died=lambda replayer: self._forks.replayer_lost(replayer),
        )
        self._forks = Forks(self.lobby, self._replayers.send, self._go_on_with, self._note_key)

    # --- start and stop ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all processes and return when agents can play. Raises StartError; `stop` is due even then."""
        await self.shards.slots.fill()
        infos = self._premises.store.worlds()
        self._housekeeper.begin(infos)
        sound = {info.world for info in infos if info.status != "damaged"}
        self._forks.take_over(forkkeys.take_over(self._config.data, sound))
        self._recovery.take_over(infos, self._premises.games)
        entries = bygones(infos, ENDED_KEPT)
        self.lobby.ended_before(entries)
        self._begin_checks(infos)
        self._recovery.house()
        for listing in await asyncio.to_thread(read_listings, self._config.data, entries):
            self.lobby.read_again(listing)
        await self._worlds_settled()
        await self._gateways.slots.fill()
        if self._config.dev:
            self._watch_games()

    def _begin_checks(self, infos: Iterable[WorldInfo]) -> None:
        """Check worlds from now on; what earlier servers have found is listed with them."""
        by_status: dict[str, list[str]] = {}
        for info in infos:
            by_status.setdefault(info.status, []).append(info.world)
        ended = by_status.get("closed", []) + by_status.get("faulted", [])
        for note in self._checks.begin(ended, by_status.get("open", [])):
            if note.status in ("verified", "diverged"):
                self.lobby.checked(note.world, note.tick, same=note.status == "verified")

    async def _worlds_settled(self) -> None:
        """Return when no world is recovering any more. Raises StartError if there is no shard left to restore one."""
        settled = asyncio.create_task(self._recovery.settled())
        waiting: list[asyncio.Future[Any]] = [settled, self.failed]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not settled.done():
                raise self.failed.result()
        finally:
            settled.cancel()

    async def stop(self) -> bool:
        """Stop all processes: agents are told to come back later, worlds are saved, logs flushed.

        Return whether every shard ended by itself: else its worlds are not saved.
        """
        self._stopping = True
        if not self.failed.done():
            self.failed.cancel()
        self._reception.draining = self._recovery.ending = True
        if self._watching_games is not None:
            self._watching_games.cancel()
            await asyncio.wait([self._watching_games])
        await self._bots.stop()
        await self._gateways.stop()
        await self._checks.stop()
        await self._replayers.stop()
        ended = await self.shards.stop()
        await self._housekeeper.stop()
        self._leaderboards.stop()
        return ended

    def kill(self) -> None:
        """End all processes now."""
        self._gateways.slots.kill()
        self.shards.slots.kill()
        self._checks.kill()
        self._replayers.kill()

    # --- children come and go ------------------------------------------------------------------------

    def _shard_ready(self, child: Child) -> None:
        child.mark_ready()
        if self._config.dev:  # its worlds may come back with code from before
            for code in self._premises.games.values():
                child.send(messages.ReloadGame(game=served(code)))
        self._reception.shard_up(child.number)
        self._gateways.tell(self._premises.shard_up(child.number))
        self._house()

    def _shard_lost(self, child: Child) -> None:
        self._asking.lost(child)
        worlds = self._recovery.shard_lost(child.number)
        if self._stopping:
            return
        if worlds:
            about = {"world": worlds[0]} if len(worlds) == 1 else {}
            text = "%s took %d worlds with it; they are brought back: %s"
            _log.error(text, child.name, len(worlds), " ".join(worlds), extra=about)
        self._gateways.tell(messages.ShardDown(shard=child.number, worlds=worlds))

    async def _shard_dead(self, child: Child, call: Call | None, death: Death) -> None:
        if self._stopping:
            return
        self._metrics.shard_died(death.kind)
        if call is not None:
            self._recovery.blame.died(call, death)
        worlds = await self._recovery.redo(child.number)
        if worlds is not None:
            self._housekeeper.journal_redone(child.number, worlds)
        self._house()

    def _gateway_lost(self, child: Child) -> None:
        self._asking.lost(child)
        self.lobby.lose_gateway(child.number)

    def _given_up(self, slots: Slots) -> None:
        """A slot stays empty. The server goes on as long as there is one of each kind."""
        if slots.all_given_up and not self.failed.done():
            self.failed.set_result(slots.cannot_run())
        self._house()

    def _house(self) -> None:
        """Give worlds without a shard to the shards, once every shard that is to come is there."""
        slots = self.shards.slots
        if slots.ready and slots.all_settled and not self._stopping:
            self._recovery.house()

    def _world_checked(self, answer: messages.WorldChecked) -> None:
        if answer.status in ("verified", "diverged"):
            self.lobby.checked(answer.world, answer.tick, same=answer.status == "verified")

    def _go_on_with(self, world: str) -> None:
        """Have a shard go on with a world that has come into the data folder."""
        self._recovery.begin([world])
        self._house()

    # --- what children say ---------------------------------------------------------------------------

    def _on_message(self, child: Child, message: messages.ToSupervisor) -> None:
        if isinstance(message, messages.AskSession):
            # A shard reports a seat before its client can know of it. So that report is here, or has come with this
            # question in the same turn of the loop: in the next turn it has been taken in.
            asyncio.get_running_loop().call_soon(self._find_session, child, message)
        elif isinstance(message, Question):
            self._reception.ask(message, child.send)
        elif isinstance(message, Report):
            self._reception.tell(message)
        match message:
            case messages.ShardReady():
                self._shard_ready(child)
            case messages.GatewayReady():
                child.mark_ready()
            case messages.WorldOpened():
                self._housekeeper.held(message.world, child.number)
            case messages.WorldChanged(status=status) if status in ENDED:
                self._bots.world_ended(message.world)
            case messages.WorldRestored():
                self._recovery.restored(message, child.number)
                self._forks.restored(message.world)
                self._housekeeper.held(message.world, child.number)
            case messages.WorldNotRestored():
                self._bots.world_ended(message.world)
                self._recovery.not_restored(message)
                self._forks.not_restored(message.world, message.reason)
                self._housekeeper.at_rest(message.world)
            case messages.WorldReleased():
                self._housekeeper.at_rest(message.world)
            case messages.WorldSpectators():
                self.lobby.watched(message.world, child.number, message.viewers)
            case messages.AskFork():
                self._ask_fork(child, message)
            case messages.AskReplayer() if not self._stopping:
                self._replayers.want(message.replayer, message.gone)
            case messages.AskMetrics():
                self._answer(self._answer_metrics(child, message.request))
            case messages.AskLeaderboard():
                self._answer(self._answer_leaderboard(child, message))
            case messages.ViewReply() | messages.ShardStatistics() | messages.GatewayStatistics():
                self._asking.answered(message)

    def _find_session(self, gateway: Child, question: messages.AskSession) -> None:
        self._gateways.session_asked(gateway, question.session)
        self._reception.ask(question, gateway.send)

    def _ask_fork(self, gateway: Child, question: messages.AskFork) -> None:
        if self._stopping:
            gateway.send(messages.Refused(request=question.request, error=refusals.draining()))
        else:
            self._forks.ask(question, gateway.send)

    def _note_key(self, agent: str, key: str, fork: str, noted: Noted) -> None:
        """Keep a key for the next server; on another thread, as a disk may be slow."""

        async def note() -> None:
            problem: OSError | None = None
            try:
                await asyncio.to_thread(forkkeys.note, self._config.data, agent, key, fork)
            except OSError as error:
                problem = error
            noted(problem)

        self._answer(note())

    def _answer(self, answering: Coroutine[Any, Any, None]) -> None:
        """Answer a question that cannot be answered at once."""
        self._answering.add(task := asyncio.create_task(answering))
        task.add_done_callback(self._answering.discard)

    async def _answer_leaderboard(self, gateway: Child, question: messages.AskLeaderboard) -> None:
        try:
            gateway.send(await self._leaderboards.page(question))
        except (EventLogError, OSError) as error:
            _log.error("no leaderboard of %s: %s", question.game, error)
            gateway.send(messages.Refused(request=question.request, error=refusals.no_leaderboard(question.game)))

    async def _answer_metrics(self, gateway: Child, request: int) -> None:
        answers = await self.statistics()
        children = (*self.shards.slots.ready, *self._gateways.slots.ready)
        self._metrics.take(answers, [child.pid for child in children])
        page = self._metrics.page(answers, self.lobby.summaries())
        gateway.send(messages.MetricsMade(request=request, text=page))

    # --- what children are asked ---------------------------------------------------------------------

    async def view(self, world: str) -> messages.ViewReply:
        """As `Supervisor.view`."""
        shard = self.shards.find(self.lobby.shard_of(world))
        if shard is None:
            raise LookupError(f"no world {world} is running")
        try:
            return await self._asking.view(shard, world)
        except (TimeoutError, ConnectionError) as error:
            raise LookupError(f"world {world} does not answer: {error}") from error

    async def statistics(self) -> ServerStatistics:
        """As `Supervisor.statistics`."""
        shards, gateways = await asyncio.gather(
            self._asking.statistics(self.shards.slots.ready, messages.ShardStatistics),
            self._asking.statistics(self._gateways.slots.ready, messages.GatewayStatistics),
        )
        return ServerStatistics(
            shards=shards,
            gateways=gateways,
            supervisor_pid=os.getpid(),
            supervisor_cpu_s=cpu_seconds(),
            supervisor_rss_bytes=resident_bytes(),
            replayers=self._replayers.used(),
        )

    # --- games that are being worked on --------------------------------------------------------------

    def _watch_games(self) -> None:
        """Watch the games' folders from now on."""
        workshop = Workshop(
            self._premises.games, self._premises.store, saved=self._game_saved, broken=self._gateways.tell
        )
        self._watching_games = asyncio.create_task(workshop.watch(), name="watch the games")
        self._watching_games.add_done_callback(never_unheard)

    def _game_saved(self, code: GameCode) -> None:
        """The game is this from now on: for its next worlds, for agents who ask, for the worlds that run."""
        self._premises.games[code.name] = code
        self.lobby.saved(lobby_game(code))
        reload = messages.ReloadGame(game=served(code))
        self._gateways.tell(reload)  # first: whoever hears that the rules have changed may ask for them
        for child in self.shards.slots.ready:
            child.send(reload)


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
