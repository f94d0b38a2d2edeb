"""The supervisor: parent of all processes of a server, from its start to its end.

A server is ``config.gateways`` gateways and ``config.shards`` shards. A shard that dies is replaced and its worlds are
brought back; a gateway that dies is replaced and takes over the same listening socket. Whatever happens, no child
outlives the supervisor.

Order of a start: premises → processes; of a stop: processes → premises. Either the start succeeds or everything it did
is undone.

Not here: what a server has to itself (``server/premises.py``), and its processes and parts (``server/switchboard.py``).
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType

from server import messages
from server.config import ServeConfig
from server.metrics import ServerStatistics
from server.premises import Premises, in_address
from server.startup import StartError
from server.switchboard import Switchboard
from worldline import protocol

__all__ = ["ServerStatistics", "StartError", "Supervisor"]

_log = logging.getLogger("worldline.supervisor")


class Supervisor:
    """One running server: ``async with Supervisor(config) as supervisor: …``, or `start` and `stop`.

    Start it from a thread that lives as long as the server: the children die with it.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.port = config.port
        self.stopped_cleanly = True
        """False once `stop` had to kill a shard or saw it fail: its worlds are not saved then."""
        self._premises: Premises | None = None
        self._switchboard: Switchboard | None = None
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
        scheme = "ws" if self.config.tls_cert is None else "wss"
        return f"{scheme}://{in_address(self.config.host)}:{self.port}/ws"

    @property
    def page_url(self) -> str:
        """Where a browser shows what there is."""
        return self.url.replace("ws", "http", 1).removesuffix("ws")

    @property
    def shard_pids(self) -> list[int]:
        """The process ids of the shards that are ready."""
        return [] if self._switchboard is None else [child.pid for child in self._switchboard.shards.slots.ready]

    # --- start and stop ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything and return when agents can play. Raises StartError, with nothing left behind."""
        try:
            self._premises = Premises.open(self.config)
            self.port = self._premises.port
            self._switchboard = Switchboard(self.config, self._premises)
            await self._switchboard.start()
        except BaseException:
            await self.stop()
            raise
        games = ", ".join(self._premises.games)
        _log.info("serving %s at %s with %d shards", games, self.url, len(self.shard_pids))

    async def stop(self) -> None:
        """Stop everything: agents are told to come back later, worlds are saved, logs flushed. Safe to repeat."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="stop the server")
        # Whoever waits here may be cancelled; the stop itself goes on.
        await asyncio.shield(self._stopping)

    def kill(self) -> None:
        """End all children now. What was acknowledged is durable, but the data folder is not cleanly stopped."""
        if self._switchboard is not None:
            self._switchboard.kill()

    async def failed(self) -> StartError:
        """Wait until the server cannot go on, because no shard or no gateway can run, and return why."""
        return await asyncio.shield(self._running.failed)

    async def _stop(self) -> None:
        if self._switchboard is not None:
            self.stopped_cleanly = await self._switchboard.stop()
        if self._premises is not None:
            self._premises.close()

    # --- what the demo and the bench ask ---------------------------------------------------------------

    def worlds(self) -> list[protocol.WorldSummary]:
        """Return every world that the lobby lists, newest first, ended ones included."""
        return self._running.lobby.summaries()

    async def view(self, world: str) -> messages.ViewReply:
        """Return what the game's ``view`` shows of a running world now.

        Raises LookupError if no such world runs, or if its shard did not answer.
        """
        return await self._running.view(world)

    async def statistics(self) -> ServerStatistics:
        """Ask every process how it is doing. One that does not answer in time is left out."""
        return await self._running.statistics()

    @property
    def _running(self) -> Switchboard:
        assert self._switchboard is not None, "start the supervisor first"
        return self._switchboard
