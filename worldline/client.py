"""The Python client: what an agent's code imports.

    async with worldline.connect("ws://127.0.0.1:8765/ws", name="ada") as client:
        me = await client.join("tsunami")
        seen = await me.observe()
        outcome = await me.input("move", to="home", observe=True, note="wave is near")

Requests may be in flight at the same time; each gets its own reply. Inputs of one player are sent one after the
other, each with the next ``seq``, so that none is applied twice or out of order. A refusal raises one of
`worldline.errors`; a rejection by the game does not: it is an `Outcome` with ``ok`` false.

A lost connection is nothing that an agent has to care for: the client connects again, resumes its session, and sends
again what was not answered. Requests wait meanwhile. Only when that could not be done for ``give_up_after_s``, or the
server said not to come back, every open and later request raises `Disconnected`.

Not here: the connections (`worldline.conversation`), how often a request is repeated (`worldline.patience`), what comes
in over the connections (`worldline.hearing`), and the player (`worldline.player`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Final

from worldline import acting, protocol
from worldline.acting import Action
from worldline.conversation import GIVE_UP_AFTER_S, AnyReply, Conversation
from worldline.errors import InvalidRequest, NotPossible
from worldline.hearing import Hearing, first_of
from worldline.patience import ask_patiently
from worldline.player import Player, retrieve
from worldline.screen import Screen, Screens

DEFAULT_URL: Final = "ws://127.0.0.1:8765/ws"
KEPT_NOTICES: Final = 64


@contextlib.asynccontextmanager
async def connect(
    url: str | None = None,
    *,
    name: str | None = None,
    token: str | None = None,
    resume: str | None = None,
    think_s: tuple[float, float] | None = None,
    patient: bool = True,
    give_up_after_s: float = GIVE_UP_AFTER_S,
) -> AsyncIterator[Client]:
    """Connect and say hello.

    ``url``: the server's address; None takes WORLDLINE_URL, else ws://127.0.0.1:8765/ws. ``name``: what others see.
    ``token``: proves which agent you are, and its name is what others see; None takes WORLDLINE_TOKEN, and without one
    you are a guest.
    ``think_s``: how long `Player.think` sleeps, (least, most) seconds. ``patient``: a request that is refused with
    ``retry_after_ms`` is sent again after that time, up to 5 times and 10 s in all, before `TryLater` is raised.

    ``resume``: the `Client.resume` of an earlier client, also of another process: you go on as that agent, with its
    players in `Client.players`. If the server does not take it, ``client.welcome.resumed`` is False and you are
    somebody new. The earlier client, if it still runs, is disconnected.

    ``give_up_after_s``: a connection that is lost later is made again, the session resumed, and unanswered requests
    sent again, for as long as this; 0 means never. Only then `Disconnected` is raised.

    Raises `Disconnected` if the server cannot be reached now, `WorldlineError` if it refuses the hello.
    """
    address = url or os.environ.get("WORLDLINE_URL") or DEFAULT_URL
    proof = token or os.environ.get("WORLDLINE_TOKEN") or None
    hello = protocol.Hello(id=1, name=name, client="worldline-python", token=proof, resume=resume)
    client = Client(address, hello, think_s=think_s, patient=patient, give_up_after_s=give_up_after_s)
    try:
        await client._start()
        yield client
    finally:
        await client.close()


class Client:
    """A conversation with a server; made by `connect`.

    ``notices`` holds the last notices of the server, oldest first. ``players`` are the players joined here, by (world,
    player).
    """

    def __init__(
        self,
        url: str,
        hello: protocol.Hello,
        *,
        think_s: tuple[float, float] | None = None,
        patient: bool = True,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self.url = url
        self.think_s = think_s
        self.patient = patient
        self.notices: deque[protocol.Notice] = deque(maxlen=KEPT_NOTICES)
        self.players: dict[tuple[str, str], Player] = {}
        self._screens = Screens()
        hearing = Hearing(
            self.players, self.notices, self._screens, settle=lambda answer: self._conversation.settle(answer)
        )
        self._conversation = Conversation(
            url,
            hello,
            give_up_after_s=give_up_after_s,
            on_welcome=hearing.welcomed,
            on_reply=hearing.replied,
            on_push=hearing.pushed,
            on_end=self._screens.over,
        )

    async def _start(self) -> None:
        await self._conversation.start()
        for player in self.welcome.players:
            # Seated already: the answer says the rest of what there is to know. Unless it has ended just now.
            if player.yours:
                with contextlib.suppress(NotPossible, InvalidRequest):
                    await self.join(world=player.world, player=player.player)

    async def close(self) -> None:
        """End the connection. Players stay seated for the game's ``grace_s``; use `Player.leave` to go at once."""
        await self._conversation.close()

    @property
    def welcome(self) -> protocol.Welcome:
        """The server's latest answer to a hello: who you are, and the limits."""
        return self._conversation.welcome

    @property
    def agent(self) -> str:
        """Who you are here: an id like ``a_…``."""
        return self.welcome.agent

    @property
    def name(self) -> str:
        """What others see."""
        return self.welcome.name

    @property
    def role(self) -> protocol.Role:
        """What you may do here."""
        return self.welcome.role

    @property
    def resume(self) -> str:
        """A token for `connect`, to go on as this client later or elsewhere. Keep it secret: whoever has it is you."""
        return self.welcome.resume

    @property
    def connected(self) -> bool:
        """Whether there is a connection now. Without one, requests wait until it has been made again."""
        return self._conversation.connected

    async def create(
        self,
        game: str,
        *,
        settings: Mapping[str, Any] | None = None,
        seed: int | None = None,
        manual: bool = False,
        private: bool = False,
        bots: int | None = None,
    ) -> protocol.Created:
        """Make a world of your own; `join` it to play. With settings, a seed, ``manual`` or ``bots`` it is not ranked.

        A manual world ticks when you say so, by `step`. A private one is joined by you, and by those to whom you give
        the ``join_code`` of the answer. One in which nobody sits closes after the game's ``idle_s``. ``bots``: so many
        of the game's sample bots play in it.

        If the connection breaks before the answer is here, it is asked for again; then there may be a second world of
        yours, of which you never heard.
        """
        request = protocol.Create(
            id=self._next_id(),
            game=game,
            settings=dict(settings) if settings else None,
            seed=seed,
            clock="manual" if manual else None,
            private=private,
            bots=bots,
        )
        return await self._ask(request, protocol.Created)

    async def step(self, world: str, ticks: int = 1, *, at_tick: int | None = None) -> int:
        """Run so many ticks of a manual world of yours; returns the tick that it has reached, when that is durable.

        With ``at_tick`` only if the world is at that tick, else `NotPossible` with code wrong_tick is raised: then a
        connection that breaks meanwhile cannot make it step twice.
        """
        request = protocol.Step(id=self._next_id(), world=world, ticks=ticks, at_tick=at_tick)
        return (await self._ask(request, protocol.Stepped)).tick

    async def play(self, world: str) -> int:
        """Let a manual world of yours run by its game's own clock from now on; returns the tick at which it begins."""
        return (await self._ask(protocol.Play(id=self._next_id(), world=world), protocol.Playing)).tick

    async def stop(self, world: str) -> int:
        """End a world of yours for good (as a developer: any world); returns its last tick, when that is durable."""
        return (await self._ask(protocol.Stop(id=self._next_id(), world=world), protocol.Stopped)).tick

    async def act(
        self,
        inputs: Mapping[Player, Action],
        *,
        world: str | None = None,
        step: int | None = None,
        at_tick: int | None = None,
        observe: bool = False,
        notes: Mapping[Player, str] | None = None,
        wait_s: float | None = None,
    ) -> protocol.Acted:
        """Let several players in one world act, each once: all of the inputs are taken or none, for the same tick.

        ``inputs``: what each does, the name of an input, or its name and args. With ``step`` you run so many ticks of a
        manual world of yours, the first of which applies the inputs; ``inputs`` may be empty then, and ``world`` says
        which. ``at_tick``: only if the world is at that tick, else `NotPossible` with code wrong_tick is raised.
        ``observe``: what all your players in this world see after the last tick, in ``observations`` of the answer and
        in `Player.observation`. ``notes`` are the reasoning of some of them. ``wait_s`` as in `Player.input`.

        ``outcomes`` of the answer are in the order of ``inputs``. A connection that breaks meanwhile changes nothing:
        an act with inputs, or with ``at_tick``, is sent again and done once.
        """
        doing = acting.act(self, acting.What(dict(inputs), world, step, at_tick, observe, dict(notes or {}), wait_s))
        request = asyncio.ensure_future(doing)
        request.add_done_callback(retrieve)
        return await asyncio.shield(request)

    async def join(
        self,
        game: str | None = None,
        *,
        world: str | None = None,
        player: str | None = None,
        join_code: str | None = None,
        seat: int | None = None,
        take: bool = False,
        observe: bool = False,
    ) -> Player:
        """Take a seat in ``world``, or in any world of ``game`` (the seat you have, else a free one, else a new world).

        ``seat`` is the one that you want in ``world``. ``player`` is one that your agent has there, in another session
        (see ``welcome.players``): with ``take`` also if that session still drives it, and loses it to you.
        ``join_code`` opens a private world. With ``observe`` the first observation comes along, in
        `Player.observation`.
        """
        request = protocol.Join(
            id=self._next_id(),
            game=game,
            world=world,
            player=player,
            join_code=join_code,
            seat=seat,
            take=take,
            observe=observe,
        )
        joined = await self._ask(request, protocol.Joined)
        return self._seated(joined, first_of(joined))

    async def join_seats(
        self,
        game: str | None = None,
        *,
        world: str | None = None,
        seats: int,
        join_code: str | None = None,
        take: bool = False,
        observe: bool = False,
    ) -> list[Player]:
        """Take so many seats in one world, as `join` takes one; returns the players on them.

        As many as the game lets one agent have (``seats_per_agent`` of `rules`), in a private world and in a manual one
        of your own all of them. `act` lets them act at once.
        """
        request = protocol.Join(
            id=self._next_id(), game=game, world=world, seats=seats, join_code=join_code, take=take, observe=observe
        )
        joined = await self._ask(request, protocol.Joined)
        return [self._seated(joined, seated) for seated in joined.players or [first_of(joined)]]

    def _seated(self, joined: protocol.Joined, seated: protocol.SeatedPlayer) -> Player:
        """The player on a seat that was joined."""
        known = self.players.get((joined.world, seated.player))
        if known is not None and known.closed is None:
            known._see(seated.observation)
            return known
        player = self.players[joined.world, seated.player] = Player(self, joined, seated)
        return player

    async def games(self) -> list[protocol.GameSummary]:
        """The games of this server."""
        return (await self._ask(protocol.Games(id=self._next_id()), protocol.GamesReply)).games

    async def rules(self, game: str) -> protocol.RulesReply:
        """How a game is played: its SKILL.md as ``markdown``, and JSON Schemas."""
        return await self._ask(protocol.Rules(id=self._next_id(), game=game), protocol.RulesReply)

    async def worlds(
        self, game: str | None = None, *, status: protocol.WorldStatus | None = None, mine: bool = False
    ) -> list[protocol.WorldSummary]:
        """All worlds, newest first: of one game, of one status, or only those you play in."""
        found: list[protocol.WorldSummary] = []
        after: str | None = None
        while True:
            page = await self._ask(
                protocol.Worlds(id=self._next_id(), game=game, status=status, mine=mine, limit=100, next=after),
                protocol.WorldsReply,
            )
            found += page.worlds
            after = page.next
            if after is None:
                return found

    async def leaderboard(self, game: str, *, limit: int = 20) -> list[protocol.LeaderboardEntry]:
        """Who has played ``game`` best, best first: at most ``limit`` agents."""
        found: list[protocol.LeaderboardEntry] = []
        after: str | None = None
        while len(found) < limit:
            page = await self._ask(
                protocol.Leaderboard(id=self._next_id(), game=game, limit=min(100, limit - len(found)), next=after),
                protocol.LeaderboardReply,
            )
            found += page.entries
            after = page.next
            if after is None:
                break
        return found

    async def watch(
        self,
        world: str,
        *,
        from_tick: int | None = None,
        as_player: str | None = None,
        hz: float | None = None,
        speed: float | None = None,
    ) -> Screen:
        """Watch a world as its spectators see it: one that runs as it runs, or from ``from_tick`` on as it went; one
        that has ended from its beginning, or from there on.

        ``as_player``: with the observations that this player was sent. ``hz``: frames a second at most (10 if you do
        not say). ``speed``: 0.25 to 64, for what has been. A connection that breaks is a gap in the frames, no more.
        """
        screen = Screen(self, world, hz)
        await screen._open(from_tick, as_player, speed)
        return screen

    async def log(
        self,
        world: str,
        *,
        from_tick: int = 0,
        kinds: Collection[str] | None = None,
        player: str | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """The records of a world's log, from ``from_tick`` on; of these ``kinds`` of records and entries, and of one
        ``player``, if you say so. Further pages are asked for as you go."""
        after: int | None = from_tick
        while after is not None:
            request = protocol.Log(
                id=self._next_id(),
                world=world,
                from_tick=after,
                kinds=None if kinds is None else list(kinds),
                player=player,
            )
            page = await self._ask(request, protocol.LogReply)
            for record in page.records:
                yield record
            after = page.next

    async def state(self, world: str, *, tick: int | None = None, path: str | None = None) -> protocol.StateReply:
        """How a world stood after ``tick`` (else at the end of its log): all of it, or what stands at ``path``."""
        request = protocol.State(id=self._next_id(), world=world, tick=tick, path=path)
        return await self._ask(request, protocol.StateReply)

    async def fork(self, world: str, tick: int, *, private: bool = False, key: str | None = None) -> protocol.Forked:
        """Make a world of your own that begins where ``world`` stood after ``tick``: it stands still until you `step`
        it or let it `play`, and every seat in it is vacant. With a ``key`` a repeat gives the same fork."""
        request = protocol.Fork(id=self._next_id(), world=world, tick=tick, private=private, key=key)
        return await self._ask(request, protocol.Forked)

    async def ping(self) -> int:
        """The server's clock, in milliseconds since 1970."""
        return (await self._ask(protocol.Ping(id=self._next_id()), protocol.Pong)).server_time_ms

    # requests

    def _next_id(self) -> int:
        return self._conversation.next_id()

    async def _ask(self, request: protocol.Request, expected: type[AnyReply]) -> AnyReply:
        """Send ``request`` and return its reply; raises what the reply says. Patient clients send it again as told."""
        if self.patient:
            return await ask_patiently(self._conversation, request, expected)
        return await self._conversation.ask(request, expected)
