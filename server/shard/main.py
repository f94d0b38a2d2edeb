"""A shard's process: takes its configuration from the supervisor, runs the shard, and says how it ended.

Not here: what a shard does (worker).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from typing import Any, Final

from eventlog.disk import NO_ROOM
from eventlog.errors import DiskFull
from eventlog.limits import RETRY_ROOM_S
from server import messages
from server.link import Link, attach
from server.logs import configure_logging
from server.shard.worker import Shard

# Beside one Python-busy thread a 0.16 ms tick takes 5.35 ms with the usual switch interval of 5 ms, 0.80 ms with this.
SWITCH_INTERVAL_S: Final = 0.0005

_log = logging.getLogger("worldline.shard")


def _die_of_mistake(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception that nobody expected: the worlds here may be half-way through a tick, so none of them goes on."""
    _log.critical("this shard made a mistake and ends: %s", context["message"], exc_info=context.get("exception"))
    logging.shutdown()
    os._exit(1)


async def _with_room(config: messages.ConfigureShard, supervisor: Link[Any]) -> Shard:
    """The shard, once the disk has room for its journal: others that ran before go on waiting for room, too."""
    while True:
        try:
            return Shard(config, supervisor)
        except (DiskFull, OSError) as error:
            if isinstance(error, OSError) and error.errno not in NO_ROOM:
                raise
            _log.error("this shard cannot begin: %s; it waits for room", error)
            await asyncio.sleep(RETRY_ROOM_S)


async def main(control_fd: int) -> None:
    """Run a shard until it is told to drain, or until its supervisor is gone."""
    shard: Shard | None = None
    configured: asyncio.Future[messages.ConfigureShard] = asyncio.get_running_loop().create_future()

    def on_message(_: Link[Any], message: messages.FromSupervisor) -> None:
        if isinstance(message, messages.ConfigureShard):
            configured.set_result(message)
        elif shard is not None:
            shard.on_supervisor_message(message)

    def on_lost(_: Link[Any]) -> None:
        if shard is not None and shard.stopped.done():
            return
        _log.error("the supervisor is gone: this shard ends")
        os._exit(1)

    asyncio.get_running_loop().set_exception_handler(_die_of_mistake)
    supervisor = await attach(socket.socket(fileno=control_fd), messages.FromSupervisor, on_message, on_lost)
    config = await configured
    configure_logging(config.log_format, config.log_level, f"shard-{config.shard:02}")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    shard = await _with_room(config, supervisor)
    await shard.start()
    # What exists by now lives as long as the process: collections need not look at it again.
    gc.collect()
    gc.freeze()
    await shard.stopped
    if shard.failed is not None:
        logging.shutdown()
        os._exit(1)  # at once: nothing that waits for the disk may leave
