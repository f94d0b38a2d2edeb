"""The gateways of a server: started, configured, replaced. All accept from one listening socket: whoever is least busy
takes the next connection, and one that dies is replaced on it.

Not here: a single process (``server/children.py``), and when to start it again (``server/slots.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from server import messages
from server.children import Child, spawn
from server.config import ServeConfig
from server.premises import Premises
from server.replayers import replayers
from server.slots import Slots
from server.startup import default_guests, served_hosts
from server.workshop import served

STOP_S: Final = 4.0  # it closes every connection within 2 s, stalled readers included


class Gateways:
    """``ready_shards`` are told to each that starts; ``bots_token`` is what the server's own bots show."""

    def __init__(
        self,
        config: ServeConfig,
        premises: Premises,
        *,
        bots_token: str,
        ready_shards: Callable[[], list[Child]],
        on_message: Callable[[Child, messages.ToSupervisor], None],
        on_lost: Callable[[Child], None],
        on_given_up: Callable[[Slots], None],
    ) -> None:
        self._config = config
        self._premises = premises
        self._bots_token = bots_token
        self._ready_shards = ready_shards
        self._on_message = on_message
        self._on_lost = on_lost
        self.slots = Slots("gateway", config.gateways, self._start, on_given_up)

    def tell(self, message: messages.FromSupervisor) -> None:
        """Send to all of them."""
        self.slots.send(message)

    def session_asked(self, asker: Child, session: str) -> None:
        """A session goes on through ``asker``: another that still has a connection of it lets that go."""
        self.slots.send(messages.SessionMoved(session=session), but=asker)

    async def stop(self) -> None:
        """Stop them all."""
        await self.slots.stop(STOP_S)

    # --- inside --------------------------------------------------------------------------------------

    async def _start(self, number: int) -> Child:
        listener = self._premises.listener
        child = await spawn("gateway", number, self._on_message, self._on_lost, pass_fds=(listener.fileno(),))
        child.send(
            messages.ConfigureGateway(
                gateway=number,
                listen_fd=listener.fileno(),
                games=[served(code) for code in self._premises.games.values()],
                durability=self._config.durability,
                limits=self._config.limits,
                guests=self._config.guests or default_guests(listener, self._config.allow_hosts),
                data=str(self._config.data.resolve()),
                secret=self._premises.secret,
                bots_token=self._bots_token,
                hosts=served_hosts(listener, self._config.allow_hosts),
                tls=self._tls_files(),
                log_format=self._config.log,
                log_level=self._config.log_level,
                replayers=replayers(),
            )
        )
        for shard in self._ready_shards():
            child.send(self._premises.shard_up(shard.number))
        return child

    def _tls_files(self) -> messages.Tls | None:
        certificate, key = self._config.tls_cert, self._config.tls_key
        if certificate is None or key is None:
            return None
        return messages.Tls(certificate=str(certificate.resolve()), key=str(key.resolve()))
