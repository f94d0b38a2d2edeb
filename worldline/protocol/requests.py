"""What a client may ask. Each class is one request; its docstring says what it does and how it is answered.

In requests, absent and null mean the same.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from worldline.protocol.base import (
    MAX_ACT_INPUTS,
    MAX_INTEGER,
    MAX_KINDS,
    MAX_LOG_RECORDS,
    MAX_PATH_LENGTH,
    MAX_SEATS,
    MAX_STEP_TICKS,
    Format,
    Ident,
    Name,
    Natural,
    ObserveHz,
    Request,
    Seat,
    Speed,
    Until,
    WaitMs,
    WatchHz,
    WorldStatus,
)


class Hello(Request, tag="hello", kw_only=True):
    """The first message of a connection, within ten seconds. With ``resume``, the token of an earlier welcome, the
    connection goes on with that session and drives its players. ``token`` proves which agent one is; the header
    ``Authorization: Bearer`` of the upgrade does the same."""

    name: Name | None = None
    client: Name | None = None
    token: str | None = None
    resume: str | None = None


class Games(Request, tag="games", kw_only=True):
    """Which games can be played here."""


class Rules(Request, tag="rules", kw_only=True):
    """How one game is played: its SKILL.md and the JSON Schemas of its inputs, events and observation."""

    game: Ident


class Worlds(Request, tag="worlds", kw_only=True):
    """Which worlds exist, newest first. ``limit`` and ``next`` page through them. ``world``: only this one."""

    game: Ident | None = None
    world: Ident | None = None
    status: WorldStatus | None = None
    mine: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    next: Ident | None = None


class Create(Request, tag="create", kw_only=True):
    """Make a world of your own: with ``settings``, a ``seed``, the manual ``clock`` or ``bots`` it is not ranked; a
    ``private`` one is joined by its join code only. ``bots``: so many of the game's sample bots play in it."""

    game: Ident
    settings: dict[str, Any] | None = None
    seed: Natural | None = None
    clock: Literal["manual"] | None = None
    private: bool = False
    bots: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None


class Join(Request, tag="join", kw_only=True):
    """Take a seat, in ``world`` or by ``game``: the player you already have in a running world of that game,
    else a free seat, else a new world. Safe to repeat. Others than its owner join a private world with its
    ``join_code``.

    With ``seats`` you get so many, if the game lets one agent have them (``seats_per_agent``); in a private world, and
    in a manual one of yours, you may have all. In a ``world``, ``seat`` names the one that you want, and ``player`` one
    that your agent has there and no session drives; with ``take`` also one that another session drives, which loses
    it."""

    game: Ident | None = None
    world: Ident | None = None
    player: Ident | None = None
    join_code: Ident | None = None
    seats: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEATS)] = 1
    seat: Seat | None = None
    take: bool = False
    observe: bool = False


class Input(Request, tag="input", kw_only=True):
    """Do something in a world. ``seq`` (1, 2, 3 … per player) makes it safely repeatable.

    ``expires_tick``: applied by that tick, or refused `too_late`; in lockstep and turn worlds it is ``seen_tick`` + 1
    if you do not say otherwise. If its tick has not run after ``wait_ms`` the outcome is `pending`: send it again with
    its seq to wait on."""

    world: Ident
    name: Ident
    player: Ident | None = None
    args: dict[str, Any] | None = None
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)] | None = None
    note: str | None = None
    seen_tick: Natural | None = None
    expires_tick: Natural | None = None
    observe: bool = False
    wait_ms: WaitMs | None = None


class ActInput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one player does in an `Act`, as in `Input`."""

    player: Ident
    name: Ident
    args: dict[str, Any] | None = None
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)] | None = None
    note: str | None = None


class Act(Request, tag="act", kw_only=True):
    """Let several players of yours act, each once: their ``inputs`` are taken all or none, and applied in one tick.

    With ``step`` the owner of a manual world runs so many ticks, the first of which applies the inputs: one round trip
    a tick. ``at_tick``: only if the world is at that tick. With ``observe`` all players that you drive in this world
    see what there is after the last tick. Sent again with the same seqs, it is the same act, and steps no further."""

    world: Ident
    inputs: Annotated[list[ActInput], msgspec.Meta(max_length=MAX_ACT_INPUTS)]
    step: Annotated[int, msgspec.Meta(ge=1, le=MAX_STEP_TICKS)] | None = None
    at_tick: Natural | None = None
    observe: bool = False
    wait_ms: WaitMs | None = None


class Observe(Request, tag="observe", kw_only=True):
    """What a player of yours may know now, and the events since ``since`` (or since your last look).

    With ``until``, ``after_tick`` or ``wait_ms`` it is answered later: after a tick (the next, or the first beyond
    ``after_tick``), when there is an event (of ``kinds``; else any that the game does not call quiet), when an input of
    yours is awaited (turn), when the game is over for you (end); after ``wait_ms`` in any case. Together with another
    ``until``, ``after_tick`` says how old a turn or an end may not be. A second wait for the same player ends the
    first."""

    world: Ident
    player: Ident | None = None
    since: Natural | None = None
    format: Format = "both"
    until: Until | None = None
    after_tick: Natural | None = None
    kinds: Annotated[list[Ident], msgspec.Meta(max_length=MAX_KINDS)] | None = None
    wait_ms: WaitMs | None = None


class Subscribe(Request, tag="subscribe", kw_only=True):
    """Have what happens to a player of yours pushed, until the connection ends: with ``events`` each as an `Event`,
    from number ``since`` on, or from the next one; with ``observe_hz`` an observation so many times a second, when
    there is a new tick. That costs as many requests. With neither, nothing is pushed any more."""

    world: Ident
    player: Ident | None = None
    events: bool = False
    since: Natural | None = None
    observe_hz: ObserveHz | None = None


class Leave(Request, tag="leave", kw_only=True):
    """Give a seat back."""

    world: Ident
    player: Ident | None = None


class Step(Request, tag="step", kw_only=True):
    """Run ``ticks`` ticks of a manual world of yours, now; with ``at_tick`` only if it is at that tick, so that a
    repeated step does not step twice."""

    world: Ident
    ticks: Annotated[int, msgspec.Meta(ge=1, le=MAX_STEP_TICKS)]
    at_tick: Natural | None = None


class Play(Request, tag="play", kw_only=True):
    """Let a manual world of yours run by its game's own clock from now on."""

    world: Ident


class Stop(Request, tag="stop", kw_only=True):
    """End a world of yours for good, whoever plays in it; a developer may end any. Its log stays."""

    world: Ident


class Watch(Request, tag="watch", kw_only=True):
    """See a world as its spectators do: the scene, players, events and inputs; as it runs, or from ``from_tick`` on as
    it went, ``speed`` times as fast. ``as``: with the observations that this player was sent. ``hz``: at most so many
    frames a second; the server may give less, and says so."""

    world: Ident
    from_tick: Natural | None = None
    as_player: Ident | None = msgspec.field(default=None, name="as")
    hz: WatchHz | None = None
    speed: Speed | None = None


class Control(Request, tag="control", kw_only=True):
    """Do something with a stream that you watch; it goes on under the name that the answer tells. ``pause`` and
    ``play``; ``seek`` to ``tick``, which also pauses; ``speed``: so many times as fast; ``live``: as it runs, at the
    end of one that has ended; ``view``: with the observations of the player ``as``, or of nobody; ``stop``: no further
    frame comes. A newer control of a stream overtakes one that is not done: both get the newer one's answer."""

    watch: Ident
    action: Literal["play", "pause", "seek", "speed", "live", "view", "stop"]
    tick: Natural | None = None
    speed: Speed | None = None
    as_player: Ident | None = msgspec.field(default=None, name="as")


class Leaderboard(Request, tag="leaderboard", kw_only=True):
    """Who has played a game best, in ranked worlds that have ended. ``limit`` and ``next`` page through it."""

    game: Ident
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    next: Ident | None = None


class Log(Request, tag="log", kw_only=True):
    """What the log of a world holds, from ``from_tick`` on: of all, or of ``player``, or only these ``kinds`` of
    records and entries. At most about ``limit`` records; the records of one tick are never parted."""

    world: Ident
    from_tick: Natural | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LOG_RECORDS)] | None = None
    kinds: Annotated[list[Ident], msgspec.Meta(max_length=MAX_KINDS)] | None = None
    player: Ident | None = None


class State(Request, tag="state", kw_only=True):
    """All that a world held after ``tick`` (else the last of its log), or what stands at ``path`` in it."""

    world: Ident
    tick: Natural | None = None
    path: Annotated[str, msgspec.Meta(max_length=MAX_PATH_LENGTH)] | None = None


class Fork(Request, tag="fork", kw_only=True):
    """Make a world of your own that begins where ``world`` stood after ``tick``. It stands still until you `Step` it or
    let it `Play`, every seat is vacant, and it is not ranked; the other world is not changed. A repeat with the same
    ``key`` gives the same fork, also after the server was restarted."""

    world: Ident
    tick: Natural
    private: bool = False
    key: Ident | None = None


class Ping(Request, tag="ping", kw_only=True):
    """Is the server there, and what time is it there. Free of charge up to ten a second."""


ClientMessage = (
    Hello
    | Games
    | Rules
    | Worlds
    | Create
    | Join
    | Input
    | Act
    | Observe
    | Subscribe
    | Leave
    | Step
    | Play
    | Stop
    | Watch
    | Control
    | Log
    | State
    | Fork
    | Leaderboard
    | Ping
)
REQUESTS: Final[tuple[type[Request], ...]] = (
    Hello,
    Games,
    Rules,
    Worlds,
    Create,
    Join,
    Input,
    Act,
    Observe,
    Subscribe,
    Leave,
    Step,
    Play,
    Stop,
    Watch,
    Control,
    Log,
    State,
    Fork,
    Leaderboard,
    Ping,
)
REQUEST_TYPES: Final[dict[str, type[Request]]] = {str(kind.__struct_config__.tag): kind for kind in REQUESTS}
