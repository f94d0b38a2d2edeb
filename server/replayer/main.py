"""A replayer's process: takes its configuration from the supervisor and runs until it is told to end.

Its priority is low: whatever it re-executes, the ticks of worlds come first. Not here: what it does (worker).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from typing import Any, Final

from server import messages
from server.link import Link, attach
from server.logs import configure_logging
from server.replayer.worker import Replayer

NICE: Final = 10  # shards and gateways run at 0

_log = logging.getLogger("worldline.replayer")


async def main(control_fd: int) -> None:
    """Run a replayer until it is told to drain, or until its supervisor is gone."""
    loop = asyncio.get_running_loop()
    configured: asyncio.Future[messages.ConfigureReplayer] = loop.create_future()
    stopped: asyncio.Future[None] = loop.create_future()
    replayer: Replayer | None = None

    def on_message(_: Link[Any], message: messages.FromSupervisor) -> None:
        if isinstance(message, messages.ConfigureReplayer):
            configured.set_result(message)
        elif isinstance(message, messages.MakeFork) and replayer is not None:
            replayer.fork(message, control.send)
        elif isinstance(message, messages.Drain) and not stopped.done():
            stopped.set_result(None)

    def on_lost(_: Link[Any]) -> None:
        if not stopped.done():
            _log.error("the supervisor is gone: this replayer ends")
            os._exit(1)

    os.nice(NICE)
    control: Link[Any] = await attach(socket.socket(fileno=control_fd), messages.FromSupervisor, on_message, on_lost)
    config = await configured
    configure_logging(config.log_format, config.log_level, f"replayer-{config.replayer:02}")
    replayer = Replayer(config)
    await replayer.start()
    control.send(messages.ReplayerReady())
    gc.collect()
    gc.freeze()
    await stopped
    replayer.close()
    control.close()
