"""The gateway process: ``python -m server.gateway CONTROL_FD PARENT_PID``, started by the supervisor."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from pathlib import Path
from typing import Any

from eventlog.store import Store
from server import messages
from server.gateway.catalogue import Catalogue, read_game
from server.gateway.entrance import affordable_connections
from server.gateway.gateway import Gateway
from server.gateway.limits import GatewayLimits
from server.link import Link, attach
from server.logs import configure_logging
from server.process import run_child

_log = logging.getLogger("worldline.gateway")


async def main(control_fd: int) -> None:
    """Serve until the supervisor says `Drain`."""
    loop = asyncio.get_running_loop()
    configured: asyncio.Future[messages.ConfigureGateway] = loop.create_future()
    gateway: Gateway | None = None
    early: list[messages.FromSupervisor] = []

    def on_message(_: Link[Any], message: messages.FromSupervisor) -> None:
        if isinstance(message, messages.ConfigureGateway):
            configured.set_result(message)
        elif gateway is None:
            early.append(message)
        else:
            gateway.on_supervisor_message(message)

    def on_lost(_: Link[Any]) -> None:
        if gateway is None or not gateway.stopped.done():
            # Without its supervisor a gateway can do nothing; the kernel ends it anyway, this is sooner.
            _log.error("the supervisor is gone")
            os._exit(1)

    control: Link[Any] = await attach(socket.socket(fileno=control_fd), messages.FromSupervisor, on_message, on_lost)
    config = await configured
    configure_logging(config.log_format, config.log_level, f"gateway-{config.gateway:02}")
    store = Store.read_only(Path(config.data))
    games = {game.name: read_game(store, game) for game in config.games}
    most = affordable_connections(GatewayLimits().max_connections)
    limits = GatewayLimits(rate_limited=config.limits, max_connections=most)
    ready = Gateway(config, control, Catalogue(games), limits)
    await ready.start(socket.socket(fileno=config.listen_fd))
    gateway = ready
    for message in early:
        gateway.on_supervisor_message(message)
    # What exists now stays: keep the collector from walking it again and again.
    gc.freeze()
    await gateway.stopped
    control.close()


if __name__ == "__main__":
    run_child(main)
