"""``worldline serve``: run a server until it is told to stop.

The first line on standard output says where it listens; logs go to standard error. SIGINT or SIGTERM stops it (exit
code 0); a second one ends everything at once (exit code 1).

Not here: what a server does (``server/supervisor.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import click
import uvloop

from server import version
from server.commands.output import CommandError, data_option, print_line
from server.commands.sizes import size_bytes
from server.config import (
    DEFAULT_PORT,
    MAX_GATEWAYS,
    MAX_SHARDS,
    CheckPriority,
    Durability,
    FairPlay,
    Guests,
    LogFormat,
    LogLevel,
    ServeConfig,
    default_shards,
)
from server.logs import LEVELS, configure_logging
from server.retention import Retention
from server.supervisor import StartError, Supervisor


@click.command(context_settings={"auto_envvar_prefix": "WORLDLINE"})
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0 picks a free one."
)
@data_option
@click.option(
    "--games",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="A game, or a folder of games, beside the packaged ones. May be repeated.",
)
@click.option(
    "--shards",
    type=click.IntRange(1, MAX_SHARDS),
    default=default_shards,
    show_default="one per core",
    help="How many tick workers.",
)
@click.option(
    "--gateways",
    type=click.IntRange(1, MAX_GATEWAYS),
    default=1,
    show_default=True,
    help="How many processes serve connections, all at one port.",
)
@click.option(
    "--durability",
    type=click.Choice(["durable", "written"]),
    default="durable",
    show_default=True,
    help="When an input counts as acknowledged: on disk, or handed to the operating system.",
)
@click.option(
    "--guests",
    type=click.Choice(["none", "spectator", "agent", "developer"]),
    show_default="developer where only this machine can connect, else spectator",
    help="What one may be without a token.",
)
@click.option(
    "--fair-play",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="Keep from others what could help a player while a world runs; auto: except where only this machine connects.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A further name under which it may be asked for, when a proxy stands in front. May be repeated.",
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Speak TLS with this certificate (PEM)."
)
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="The key of the certificate.")
@click.option(
    "--limits", type=click.Choice(["on", "off"]), default="on", show_default=True, help="Rate limits for agents."
)
@click.option(
    "--max-worlds",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="How many worlds may run at one time.",
)
@click.option(
    "--bots",
    type=click.IntRange(0, 64),
    default=0,
    show_default=True,
    help="How many sample bots agents may have play in worlds of theirs, in all. Developers may without it.",
)
@click.option(
    "--tick-timeout-ms",
    type=click.IntRange(min=100),
    default=2000,
    show_default=True,
    help="A world that uses more processor time than this in one call is stuck: its shard is killed.",
)
@click.option(
    "--dev",
    is_flag=True,
    help="For who writes games: running worlds go on with a game's code whenever a file of it is saved.",
)
@click.option(
    "--check-every-s",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How often to look for worlds to be computed again, on spare processor time, and compared; 0: never.",
)
@click.option(
    "--check-priority",
    type=click.Choice(["idle", "normal"]),
    default="idle",
    show_default=True,
    help="Do so only when nobody else wants the processor, or like everything else.",
)
@click.option(
    "--archive-after-s",
    type=click.FloatRange(min=0),
    default=Retention().archive_after_s,
    show_default=True,
    help="A world is archived (compressed) so long after it has ended.",
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    show_default="for good",
    metavar="N",
    help="How long ended worlds are kept; then they are removed with their logs.",
)
@click.option(
    "--keep-worlds",
    type=click.IntRange(min=0),
    show_default="all",
    metavar="N",
    help="How many ended worlds are kept: the oldest are removed.",
)
@click.option(
    "--keep-bytes",
    type=size_bytes,
    show_default="all",
    metavar="SIZE",
    help="How much of the disk ended worlds may take, as 10GiB: the oldest are removed.",
)
@click.option(
    "--log", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The format of the logs."
)
@click.option("--log-level", type=click.Choice(list(LEVELS)), default="info", show_default=True)
def command(
    host: str,
    port: int,
    data: Path,
    games: tuple[Path, ...],
    shards: int,
    gateways: int,
    durability: Durability,
    guests: Guests | None,
    fair_play: FairPlay,
    allow_host: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    limits: str,
    max_worlds: int,
    bots: int,
    tick_timeout_ms: int,
    dev: bool,
    check_every_s: float,
    check_priority: CheckPriority,
    archive_after_s: float,
    keep_days: float | None,
    keep_worlds: int | None,
    keep_bytes: int | None,
    log: LogFormat,
    log_level: LogLevel,
) -> int:
    """Run a server.

    Every option may also be given as an environment variable: --max-worlds as WORLDLINE_MAX_WORLDS.
    """
    config = ServeConfig(
        host=host,
        port=port,
        data=data,
        games=games,
        shards=shards,
        gateways=gateways,
        durability=durability,
        guests=guests,
        fair_play=fair_play,
        allow_hosts=allow_host,
        tls_cert=tls_cert,
        tls_key=tls_key,
        limits=limits == "on",
        max_worlds=max_worlds,
        bots=bots,
        tick_timeout_ms=tick_timeout_ms,
        dev=dev,
        check_every_s=check_every_s,
        check_priority=check_priority,
        retention=Retention(
            archive_after_s=archive_after_s, keep_days=keep_days, keep_worlds=keep_worlds, keep_bytes=keep_bytes
        ),
        log=log,
        log_level=log_level,
    )
    configure_logging(log, log_level, "supervisor")
    return _run(config)


def _run(config: ServeConfig) -> int:
    """Run a server in this process. Raises `CommandError` if it cannot start or cannot go on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(serve(config))
        except StartError as error:
            raise CommandError(error.message, error.remedy) from error


async def serve(config: ServeConfig) -> int:
    """Run a server until SIGINT, SIGTERM or the loss of its last shard; return the exit code.

    Raises StartError if it cannot start or cannot go on.
    """
    supervisor = Supervisor(config)
    stop_asked = asyncio.Event()

    def on_signal() -> None:
        if stop_asked.is_set():
            supervisor.kill()
        stop_asked.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    asked = asyncio.create_task(stop_asked.wait())
    starting = asyncio.create_task(supervisor.start())
    await asyncio.wait([asked, starting], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return _exit_code(supervisor)
    try:
        await starting
        print_line(f"worldline {version()} · {supervisor.url} · data {_shown(config.data)}")
        failed = asyncio.create_task(supervisor.failed())
        await asyncio.wait([asked, failed], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await supervisor.stop()
    if failed.done() and not failed.cancelled():
        raise failed.result()
    return _exit_code(supervisor)


def _exit_code(supervisor: Supervisor) -> int:
    if not supervisor.stopped_cleanly:
        raise StartError(
            "the server was stopped before its worlds were saved",
            "the next server on the same --data goes on with them",
        )
    return 0


def _shown(data: Path) -> str:
    """The data folder as a person writes it: relative ones begin with ./"""
    return str(data) if data.is_absolute() or str(data).startswith(".") else f"./{data}"
