"""What a server can be told when it starts, with the defaults. There is no configuration file.

Not here: how a person says it (``server/commands/serve.py``: one flag and one environment variable each).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

import msgspec

from server.retention import Retention

DEFAULT_PORT: Final = 8765
MAX_SHARDS: Final = 256
MAX_GATEWAYS: Final = 64

Durability = Literal["durable", "written"]
LogFormat = Literal["text", "json"]
CheckPriority = Literal["idle", "normal"]
FairPlay = Literal["auto", "on", "off"]
Guests = Literal["none", "spectator", "agent", "developer"]
LogLevel = Literal["debug", "info", "warning", "error"]


def default_shards() -> int:
    """One shard per core that this process may use."""
    return min(len(os.sched_getaffinity(0)), MAX_SHARDS)


class ServeConfig(msgspec.Struct, kw_only=True, frozen=True):
    """Everything a `Supervisor` needs to know."""

    host: str = "127.0.0.1"
    """A name or address of this machine to listen at."""
    port: int = DEFAULT_PORT
    """0 picks a free one."""
    data: Path = Path("./worldline-data")
    """The data folder; made if it does not exist, locked while the server runs."""
    games: tuple[Path, ...] = ()
    """Folders of further games: each a game, or a folder of games."""
    shards: int = msgspec.field(default_factory=default_shards)
    """How many tick workers; default: one per core."""
    gateways: int = 1
    """How many processes serve connections, all at one port. One does some 10,000 requests a second."""
    durability: Durability = "durable"
    """``durable``: acknowledged = on disk. ``written``: survives the death of a process, not of the machine."""
    guests: Guests | None = None
    """What one may be without a token; default: developer where only this machine can connect, else spectator."""
    fair_play: FairPlay = "auto"
    """Whether what could help a player is kept from others while a world runs; auto: except where only this machine can
    connect."""
    allow_hosts: tuple[str, ...] = ()
    """Further names in the Host header that are served, for a proxy in front."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    """Files of certificate and key, in PEM; both or none."""
    limits: bool = True
    """Whether agents are rate limited; benches and trainers switch it off."""
    tick_timeout_ms: int = 2000
    """A single call into a world's Lua may use this much processor time; then its shard is killed."""
    max_worlds: int = 256
    """How many worlds may run at one time."""
    bots: int = 0
    """How many sample bots agents may have play in worlds of theirs, in all; developers may have some anyway."""
    check_every_s: float = 10.0
    """How often to look whether worlds have something that can be computed again, to see that they are the same; 0:
    never."""
    check_priority: CheckPriority = "idle"
    """``idle``: worlds are computed again only when nobody else wants the processor; ``normal``: as everything is."""
    retention: Retention = Retention()
    """When ended worlds are archived, and how many are kept."""
    log: LogFormat = "text"
    log_level: LogLevel = "info"
    keep_worlds: bool = True
    """Whether the worlds that are there at a stop wait for the next server on this data folder; else they are closed,
    as after a demo or a bench."""
    dev: bool = False
    """Worlds go on with the code of a game whenever it is saved, and stand still where it raises."""
    eager: bool = False
    """Compute every player's observation in every tick: the control of ``worldline bench --eager``."""
