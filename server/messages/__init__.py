"""What supervisor, gateways and shards tell each other. Whoever reads this folder and
``worldline/protocol/`` knows the system.

Four vocabularies, one per direction of talk:

==================  ======================  ==========================================================
`GatewayToShard`    ``to_shard.py``         what players do (joined to a world by the lobby's placement)
`ShardToGateway`    ``to_gateway.py``       answers to that, and pushes; sent only when durable
`ToSupervisor`      ``to_supervisor.py``    questions of gateways to the lobby, reports of shards
`FromSupervisor`    ``from_supervisor.py``  configuration, placement, orders
==================  ======================  ==========================================================

Every message is a MessagePack frame on a unix socket (``server/link.py``). ``request`` is a number that the
asking process chose; the answer carries it back. A link that breaks loses its open questions: whoever
asked answers its own clients for them.

Not here: anything a client sees. Answers embed the structs of ``worldline.protocol`` as they will go out.
"""

from __future__ import annotations

from server.messages.base import Message
from server.messages.from_supervisor import (
    NO_SHARD,
    AskStatistics,
    AskView,
    CloseWorld,
    ConfigureGateway,
    ConfigureShard,
    Drain,
    FromSupervisor,
    GameCounts,
    OpenWorld,
    Placed,
    Refused,
    ReloadGame,
    RestoreWorld,
    ServedGame,
    SessionFound,
    SessionPlayer,
    ShardDown,
    ShardUp,
    Tls,
    WorldFound,
    WorldGone,
    WorldMade,
    WorldMoved,
    WorldsFound,
)
from server.messages.to_gateway import Answer, AnyAnswer, CodeBroken, PlayerAbsent, PlayerAttached, Push, ShardToGateway
from server.messages.to_shard import (
    AttachPlayer,
    GatewayToShard,
    JoinWorld,
    LeaveWorld,
    ObservePlayer,
    PlayerDetached,
    PlayerDriven,
    PlayerInput,
    PlayWorld,
    StepWorld,
    Wait,
)
from server.messages.to_supervisor import (
    AskCreate,
    AskGameCounts,
    AskPlace,
    AskSession,
    AskWorld,
    AskWorlds,
    GatewayReady,
    GatewayStatistics,
    JoinRefused,
    PlayerJoined,
    PlayerLeft,
    PlayerStanding,
    RestoredPlayer,
    ShardReady,
    ShardStatistics,
    ToSupervisor,
    ViewReply,
    WorldChanged,
    WorldNotOpened,
    WorldNotRestored,
    WorldOpened,
    WorldPulse,
    WorldReleased,
    WorldReloaded,
    WorldRestored,
    WorldStatistics,
)

__all__ = [
    "NO_SHARD",
    "Answer",
    "AnyAnswer",
    "AskCreate",
    "AskGameCounts",
    "AskPlace",
    "AskSession",
    "AskStatistics",
    "AskView",
    "AskWorld",
    "AskWorlds",
    "AttachPlayer",
    "CloseWorld",
    "CodeBroken",
    "ConfigureGateway",
    "ConfigureShard",
    "Drain",
    "FromSupervisor",
    "GameCounts",
    "GatewayReady",
    "GatewayStatistics",
    "GatewayToShard",
    "JoinRefused",
    "JoinWorld",
    "LeaveWorld",
    "Message",
    "ObservePlayer",
    "OpenWorld",
    "Placed",
    "PlayWorld",
    "PlayerAbsent",
    "PlayerAttached",
    "PlayerDetached",
    "PlayerDriven",
    "PlayerInput",
    "PlayerJoined",
    "PlayerLeft",
    "PlayerStanding",
    "Push",
    "Refused",
    "ReloadGame",
    "RestoreWorld",
    "RestoredPlayer",
    "ServedGame",
    "SessionFound",
    "SessionPlayer",
    "ShardDown",
    "ShardReady",
    "ShardStatistics",
    "ShardToGateway",
    "ShardUp",
    "StepWorld",
    "Tls",
    "ToSupervisor",
    "ViewReply",
    "Wait",
    "WorldChanged",
    "WorldFound",
    "WorldGone",
    "WorldMade",
    "WorldMoved",
    "WorldNotOpened",
    "WorldNotRestored",
    "WorldOpened",
    "WorldPulse",
    "WorldReleased",
    "WorldReloaded",
    "WorldRestored",
    "WorldStatistics",
    "WorldsFound",
]
