"""The shards of a server: started, configured, watched, replaced.

A shard that dies is replaced under a new number, so that nothing ever appends to the journal it left.

Not here: a single process (``server/children.py``), when to start it again (``server/slots.py``), and what becomes of
the worlds of one that died (``server/recovery.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from server import messages
from server.blame import Death
from server.callpage import Call, CallReader
from server.children import Child, spawn
from server.config import ServeConfig
from server.minding import mind
from server.premises import Premises
from server.slots import Slots

STOP_S: Final = 20.0  # it makes every world's last record durable: killing it here would cost a clean data folder


class Shards:
    """``on_message`` gets what they say, then ``on_lost`` is called once: all that a shard ever said is known. After
    that ``on_dead`` gets the call during which it died, and how: its process has ended."""

    def __init__(
        self,
        config: ServeConfig,
        premises: Premises,
        *,
        on_message: Callable[[Child, messages.ToSupervisor], None],
        on_lost: Callable[[Child], None],
        on_dead: Callable[[Child, Call | None, Death], Awaitable[None]],
        on_given_up: Callable[[Slots], None],
    ) -> None:
        self._config = config
        self._premises = premises
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_dead = on_dead
        self.slots = Slots("shard", config.shards, self._start, on_given_up)
        self._started = 0
        self._minding: set[asyncio.Task[None]] = set()

    def find(self, number: int | None) -> Child | None:
        """The shard of this number, if it is ready for work."""
        return next((child for child in self.slots.ready if child.number == number), None)

    def order(self, number: int, message: messages.FromSupervisor) -> None:
        """Send to a shard by number. If it is lost, ``on_lost`` has told or will tell what that means."""
        child = self.find(number)
        if child is not None:
            child.send(message)

    async def stop(self) -> bool:
        """Stop them all; return whether each ended by itself. What ``on_dead`` does is done to its end."""
        ended = await self.slots.stop(STOP_S)
        await asyncio.gather(*self._minding)
        return ended

    # --- inside --------------------------------------------------------------------------------------

    async def _start(self, _: int) -> Child:
        number = self._started
        self._started += 1
        page_path = self._premises.sockets / f"shard-{number:02}.page"
        calls = CallReader(page_path)
        child = await spawn("shard", number, self._on_message, self._on_lost)
        child.calls = calls
        self._minding.add(task := asyncio.create_task(self._mind(child, calls), name=f"mind {child.name}"))
        task.add_done_callback(self._minding.discard)
        child.send(
            messages.ConfigureShard(
                shard=number,
                data=str(self._config.data.resolve()),
                socket_path=self._premises.shard_socket(number),
                call_page_path=str(page_path),
                durability=self._config.durability,
                limits=self._config.limits,
                log_format=self._config.log,
                log_level=self._config.log_level,
                keep_worlds=self._config.keep_worlds,
                dev=self._config.dev,
                eager=self._config.eager,
                fair_play=self._premises.fair_play,
            )
        )
        return child

    async def _mind(self, child: Child, calls: CallReader) -> None:
        call, death = await mind(child, calls, self._config.tick_timeout_ms / 1000)
        await self._on_dead(child, call, death)
