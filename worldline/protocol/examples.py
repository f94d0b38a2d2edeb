"""An example of every message, as it could be said: the published descriptions of the protocol show them.

They are messages of ours, not text: the type checker and a test see to it that they are right. Every message has at
least one here, in any order; several where they show something. Ada plays Tsunami and makes worlds of her own.

Not here: `import worldline` does not load this module.
"""

from __future__ import annotations

from typing import Final

from worldline.protocol import (
    Act,
    Acted,
    ActInput,
    Closed,
    Control,
    Create,
    Created,
    Error,
    Event,
    EventItem,
    Frame,
    Games,
    GamesReply,
    GameSummary,
    Hello,
    Input,
    Join,
    Joined,
    Leaderboard,
    LeaderboardEntry,
    LeaderboardReply,
    Leave,
    Left,
    Limits,
    Log,
    LogReply,
    LostPlayer,
    Mark,
    Notice,
    Observation,
    Observe,
    OfferedAction,
    Outcome,
    Ping,
    Play,
    PlayerSummary,
    Playing,
    Pong,
    Reply,
    Request,
    ResumedPlayer,
    Rules,
    RulesChanged,
    RulesReply,
    Scene,
    Spectate,
    Started,
    State,
    StateReply,
    Static,
    Step,
    Stepped,
    Subscribe,
    Subscribed,
    Watch,
    WatchedEvent,
    WatchedInput,
    WatchedPlayer,
    Watching,
    Welcome,
    Worlds,
    WorldsReply,
    WorldSummary,
)

_WORLD: Final = "w_2n2f54g46w"
_OWN_WORLD: Final = "w_2n2g0v8d11"
_TSUNAMI: Final = "5afe4ca1c1bd255f781a2fba5cf8371f"
_SNAKES: Final = "d9815f3e65c53107094b44be0b3c2123"
_STREAM: Final = "v_8s0k3m5w1q"
_ADA: Final = WatchedPlayer(player="p_3", agent="a_9x1r5kd8wb", name="ada", seat=3, score=8)
_AT_HOME: Final = {"id": 2116, "kind": "player", "name": "ada", "x": 455, "z": -36, "colour": "#e6194b", "label": ""}
_LIMITS: Final = Limits(
    rate_hz=10,
    burst=20,
    agent_rate_hz=20,
    max_open_requests=64,
    max_message_bytes=65536,
    max_reply_bytes=1048576,
    max_note_bytes=16384,
    max_wait_ms=25000,
    silence_s=180,
)
_SEEN: Final = Observation(
    re=5,
    world=_WORLD,
    player="p_3",
    tick=5430,
    game_time_s=90.5,
    status="running",
    cursor=7,
    missed=0,
    events=[EventItem(n=6, tick=5424, kind="hit_by_wave", data={"dropped": "r07", "x": 210.4, "z": 12})],
    score=3,
    total_reward=3,
    data={"at_home": True, "coins": 41, "x": 475, "z": -36},
    text="tick 5430 · you p_3 at (475,-36), at home · carrying nothing",
    actions=[OfferedAction(name="move", args={"to": "r10"}, why="the dearest that is safe")],
    woke="event",
)

REQUESTS: Final[tuple[Request, ...]] = (
    Hello(id=1, name="ada", client="my-bot/1.0"),
    Hello(id=1, resume="lgKsc180aHEwYzJtN3p0.DKKaoZVhyYZs"),
    Games(id=2),
    Rules(id=2, game="tsunami"),
    Worlds(id=2, game="tsunami", status="running", limit=10),
    Create(id=2, game="tsunami", seed=7, clock="manual", private=True),
    Join(id=2, game="tsunami", observe=True),
    Join(id=2, world=_OWN_WORLD, join_code="4F7K2M9Q"),
    Join(id=2, world=_OWN_WORLD, seats=2),
    Join(id=2, world=_WORLD, player="p_3", take=True),
    Input(id=3, world=_WORLD, name="move", args={"to": "home"}, seq=1, note="the wave is near", seen_tick=1830),
    Act(
        id=12,
        world=_OWN_WORLD,
        inputs=[
            ActInput(player="p_1", name="move", args={"to": "home"}, seq=4),
            ActInput(player="p_2", name="collect", args={"relic": "r12"}, seq=4, note="3 away"),
        ],
        step=30,
        at_tick=60,
    ),
    Observe(id=5, world=_WORLD, since=6, until="event", kinds=["hit_by_wave", "arrived"], wait_ms=20000),
    Subscribe(id=13, world=_WORLD, events=True, since=6),
    Leave(id=6, world=_WORLD),
    Step(id=7, world=_OWN_WORLD, ticks=60, at_tick=0),
    Play(id=8, world=_OWN_WORLD),
    Log(id=12, world=_WORLD, from_tick=1800, kinds=["input"], player="p_3"),
    State(id=13, world=_WORLD, tick=1842, path="players.p_3"),
    Watch(id=10, world=_WORLD, hz=5),
    Watch(id=10, world=_WORLD, from_tick=0, speed=8, as_player="p_3"),
    Control(id=11, watch=_STREAM, action="seek", tick=1800),
    Control(id=11, watch=_STREAM, action="view", as_player="p_3"),
    Leaderboard(id=12, game="tsunami", limit=2),
    Ping(id=9),
)

REPLIES: Final[tuple[Reply, ...]] = (
    Welcome(
        re=1,
        session="s_4hq0c2m7zt",
        resume="lgKsc180aHEwYzJtN3p0.DKKaoZVhyYZs",
        resumed=True,
        agent="a_9x1r5kd8wb",
        name="ada",
        role="agent",
        durability="durable",
        server="worldline/0.1.0",
        server_time_ms=1795400060000,
        features=[],
        limits=_LIMITS,
        players=[
            ResumedPlayer(
                world=_WORLD,
                game="tsunami",
                player="p_3",
                seat=3,
                status="running",
                tick=5400,
                next_seq=2,
                cursor=6,
                driven=True,
            )
        ],
        lost=[LostPlayer(world="w_2n2f50c1aa", player="p_1", reason="timeout", tick=900)],
    ),
    GamesReply(
        re=2,
        games=[
            GameSummary(
                game="tsunami",
                title="Tsunami",
                summary="Run out, grab relics, get home before the wave.",
                max_players=8,
                clock="realtime",
                tick_hz=60,
                players=3,
                worlds=1,
                digest=_TSUNAMI,
            )
        ],
    ),
    RulesReply(
        re=2,
        game="snakes",
        title="Snakes",
        clock="lockstep",
        tick_hz=1,
        grace_s=120,
        seats_per_agent=1,
        spectate=Spectate(when="live"),
        markdown="# Snakes\n\nUp to four snakes on a board of 11 × 11. …",
        inputs={
            "move": {
                "description": "Where your head goes this turn.",
                "type": "object",
                "properties": {"direction": {"type": "string", "enum": ["up", "down", "left", "right"]}},
                "required": [],
                "additionalProperties": False,
            }
        },
        events={
            "ate": {
                "description": "You ate: your health is 100 again, and you are one longer.",
                "type": "object",
                "properties": {"length": {"type": "integer"}},
                "required": ["length"],
                "additionalProperties": False,
            }
        },
        observation={
            "type": "object",
            "properties": {"turn": {"type": "integer"}},
            "required": ["turn"],
            "additionalProperties": False,
        },
        settings={"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        digest=_SNAKES,
        deadline_ms=10000,
    ),
    WorldsReply(
        re=2,
        worlds=[
            WorldSummary(
                world=_WORLD,
                game="tsunami",
                status="running",
                tick=5430,
                clock="realtime",
                players=[
                    PlayerSummary(player="p_3", agent="a_9x1r5kd8wb", name="ada", seat=3, score=3, connected=True)
                ],
                seats_free=7,
                digest=_TSUNAMI,
            )
        ],
        next=_WORLD,
    ),
    Created(re=2, world=_OWN_WORLD, join_code="4F7K2M9Q"),
    Joined(
        re=2,
        world=_WORLD,
        game="tsunami",
        player="p_3",
        seat=3,
        next_seq=1,
        cursor=1,
        status="running",
        tick=1830,
        clock="realtime",
        tick_hz=60,
        digest=_TSUNAMI,
    ),
    Outcome(
        re=3,
        world=_WORLD,
        player="p_3",
        seq=1,
        status="applied",
        tick=1837,
        result={"x": 475, "z": -36, "walk_s": 4, "safe": True},
        stale_ticks=7,
    ),
    Outcome(
        re=4,
        world=_WORLD,
        player="p_3",
        seq=2,
        status="rejected",
        tick=1901,
        code="too_far",
        message="no free relic within 5 units",
        hint="move to one first",
    ),
    Acted(
        re=12,
        world=_OWN_WORLD,
        tick=90,
        outcomes=[
            Outcome(world=_OWN_WORLD, player="p_1", seq=4, status="applied", tick=61, result={"walk_s": 4}),
            Outcome(world=_OWN_WORLD, player="p_2", seq=4, status="applied", tick=61, result={"carrying": 1}),
        ],
    ),
    _SEEN,
    Subscribed(re=13, world=_WORLD, player="p_3", events=True, cursor=6),
    Left(re=6, world=_WORLD, player="p_3"),
    Stepped(re=7, world=_OWN_WORLD, tick=60),
    Playing(re=8, world=_OWN_WORLD, tick=60),
    LeaderboardReply(
        re=12,
        entries=[
            LeaderboardEntry(rank=1, agent="a_9x1r5kd8wb", name="ada", score=231, world=_WORLD),
            LeaderboardEntry(rank=2, agent="a_2m7q0c4hzt", name="bob", score=18.5, world=_WORLD),
        ],
        next="2",
    ),
    LogReply(
        re=12,
        records=[
            {
                "record": "tick",
                "tick": 1845,
                "ran": True,
                "time_ms": 1795400030750,
                "entries": [
                    {
                        "kind": "input",
                        "player": "p_3",
                        "seq": 2,
                        "name": "move",
                        "args": {"to": "home"},
                        "note": "the wave is near",
                        "received_ms": 1795400030741,
                        "status": "applied",
                    }
                ],
                "fingerprint": "2fd41c9d8e3b7a60",
            }
        ],
        next=1902,
    ),
    StateReply(re=13, world=_WORLD, tick=1842, state={"seat": 3, "score": 8}, hash="0f6d1c35a2b94e77c0de55aa10b9f3e2"),
    Pong(re=9, server_time_ms=1795400061234),
    Watching(
        re=10,
        watch=_STREAM,
        world=_WORLD,
        game="tsunami",
        live=True,
        playing=True,
        speed=1,
        tick=1842,
        first_tick=0,
        last_tick=1842,
        tick_hz=60,
        hz=5,
        players=[_ADA],
        marks=[Mark(tick=1790, kind="joined", text="ada joined", player="p_3")],
        static=Scene(nodes=[_AT_HOME], size={"x": 1000, "z": 228}),
    ),
    Error(
        re=3,
        code="invalid_args",
        message="x must be a number from -500 to 500, got 900",
        hint="send a value like `0`",
        path="args.x",
    ),
    Error(re=3, code="rate_limited", message="too many requests", retry_after_ms=101),
)

PUSHES: Final[tuple[Reply, ...]] = (
    Started(world=_WORLD, tick=0),
    Closed(world=_WORLD, reason="finished", status="finished", result={"winner": "p_3"}),
    Closed(world=_WORLD, player="p_3", reason="kicked"),
    Event(world=_WORLD, player="p_3", n=6, tick=5431, kind="hit_by_wave", data={"lost": ["r12"]}),
    RulesChanged(world=_WORLD, game="tsunami", digest=_TSUNAMI, tick=5430),
    Notice(code="clock_slow", message="the world runs at 0.5 of its speed", world=_WORLD, rate=0.5),
    Notice(code="draining", message="the server is about to stop", retry_after_ms=1000),
    Notice(
        code="events_skipped",
        message="events 7 to 40 of p_3 were left out: you read too slowly",
        retry_after_ms=100,
        world=_WORLD,
        player="p_3",
        first=7,
        last=40,
    ),
    Static(watch=_STREAM, nodes=[{"id": 12, "kind": "village", "name": "village", "x": -480.2, "z": 31.5}]),
    Frame(watch=_STREAM, tick=1842, scene=Scene(), events=[], inputs=[], players=[_ADA]),
    Frame(watch=_STREAM, tick=1842, scene=Scene(), events=[], inputs=[], last_tick=9400, observation=_SEEN),
    Frame(
        watch=_STREAM,
        tick=1848,
        base_tick=1842,
        scene=Scene(nodes=[{**_AT_HOME, "x": 456.6}], removed=[2120]),
        events=[WatchedEvent(tick=1846, kind="wave_warning", players=["p_3"], data={"starts_in_s": 5})],
        inputs=[
            WatchedInput(
                tick=1845,
                player="p_3",
                seq=2,
                name="move",
                args={"to": "home"},
                status="applied",
                note="the wave is near",
                observed_tick=1830,
            )
        ],
    ),
)
