"""The client without `await`, for notebooks, scripts and loops around a language model.

    from worldline import blocking

    with blocking.connect("ws://127.0.0.1:8765/ws", name="ada") as client:
        me = client.join("tsunami")
        seen = me.observe(until="event", wait_s=20)
        outcome = me.input("move", to="home", note="wave is near")

Names, arguments, results and exceptions are those of `worldline.connect`, `worldline.Client` and `worldline.Player`,
where they are described. Behind each client runs a thread of its own: it answers the server and takes up a lost
connection also while your code thinks. A client may be used from several threads.

Ctrl-C during a call ends the call, not the client. An input that was under way is applied all the same: the next one
waits for its outcome.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, TypeVar

import worldline.client
import worldline.player
import worldline.screen
from worldline import protocol
from worldline.acting import Action
from worldline.client import GIVE_UP_AFTER_S

Result = TypeVar("Result")

SIGNALS_SEEN_WITHIN_S: Final = 0.5
"""Python runs signal handlers only between two steps of the main thread. A signal that comes just before that thread
begins to wait, or that another thread receives, does not end the wait; so no wait is longer than this."""


def connect(
    url: str | None = None,
    *,
    name: str | None = None,
    token: str | None = None,
    resume: str | None = None,
    think_s: tuple[float, float] | None = None,
    patient: bool = True,
    give_up_after_s: float = GIVE_UP_AFTER_S,
) -> Client:
    """Connect and say hello, as `worldline.connect` does. Use the client in a ``with``, or `close` it."""
    background = _Background()
    opening = worldline.client.connect(
        url,
        name=name,
        token=token,
        resume=resume,
        think_s=think_s,
        patient=patient,
        give_up_after_s=give_up_after_s,
    )
    try:
        client = background.run(_enter(opening))
    except BaseException:
        background.stop()
        raise
    return Client(client, opening, background)


class _Background:
    """A thread that runs an event loop, and nothing else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="worldline client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run ``work`` there and return what it returns, or raise what it raises."""
        if self._loop.is_closed() or threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this client has been closed: connect again")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while not wait([future], timeout=SIGNALS_SEEN_WITHIN_S).done:
                pass
            return future.result()
        except BaseException:
            future.cancel()  # an interrupted caller: nobody will look at the result
            raise

    def stop(self) -> None:
        """End the loop and its thread. Nothing happens the second time."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_settle(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Client:
    """A conversation with a server; made by `connect`. See `worldline.Client`."""

    def __init__(
        self,
        client: worldline.client.Client,
        context: AbstractAsyncContextManager[worldline.client.Client],
        background: _Background,
    ) -> None:
        self._client = client
        self._context = context
        self._background = background
        self._players: dict[worldline.player.Player, Player] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection. Players stay seated for the game's ``grace_s``; use `Player.leave` to go at once."""
        try:
            self._background.run(_leave(self._context))
        except RuntimeError:
            return  # closed before
        self._background.stop()

    # --- who you are ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The server's address."""
        return self._client.url

    @property
    def welcome(self) -> protocol.Welcome:
        """The server's latest answer to a hello: who you are, and the limits."""
        return self._client.welcome

    @property
    def agent(self) -> str:
        """Who you are here: an id like ``a_…``."""
        return self._client.agent

    @property
    def name(self) -> str:
        """What others see."""
        return self._client.name

    @property
    def role(self) -> protocol.Role:
        """What you may do here."""
        return self._client.role

    @property
    def resume(self) -> str:
        """A token for `connect`, to go on as this client later or elsewhere. Keep it secret: whoever has it is you."""
        return self._client.resume

    @property
    def connected(self) -> bool:
        """Whether there is a connection now. Without one, requests wait until it has been made again."""
        return self._client.connected

    @property
    def notices(self) -> deque[protocol.Notice]:
        """The last notices of the server, oldest first."""
        return self._client.notices

    @property
    def players(self) -> dict[tuple[str, str], Player]:
        """The players joined here, by (world, player)."""
        return {key: self._player(player) for key, player in self._client.players.items()}

    # --- requests ------------------------------------------------------------------------------------

    def create(
        self,
        game: str,
        *,
        settings: Mapping[str, Any] | None = None,
        seed: int | None = None,
        manual: bool = False,
        private: bool = False,
        bots: int | None = None,
    ) -> protocol.Created:
        """Make a world of your own. See `worldline.Client.create`."""
        return self._background.run(
            self._client.create(game, settings=settings, seed=seed, manual=manual, private=private, bots=bots)
        )

    def step(self, world: str, ticks: int = 1, *, at_tick: int | None = None) -> int:
        """Run so many ticks of a manual world of yours. See `worldline.Client.step`."""
        return self._background.run(self._client.step(world, ticks, at_tick=at_tick))

    def play(self, world: str) -> int:
        """Let a manual world of yours run by its game's own clock. See `worldline.Client.play`."""
        return self._background.run(self._client.play(world))

    def stop(self, world: str) -> int:
        """End a world of yours for good. See `worldline.Client.stop`."""
        return self._background.run(self._client.stop(world))

    def act(
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
        """Let several players in one world act, each once. See `worldline.Client.act`."""
        acting = self._client.act(
            {player._player: action for player, action in inputs.items()},
            world=world,
            step=step,
            at_tick=at_tick,
            observe=observe,
            notes={player._player: note for player, note in (notes or {}).items()},
            wait_s=wait_s,
        )
        return self._background.run(acting)

    def join(
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
        """Take a seat. See `worldline.Client.join`."""
        joining = self._client.join(
            game, world=world, player=player, join_code=join_code, seat=seat, take=take, observe=observe
        )
        return self._player(self._background.run(joining))

    def join_seats(
        self,
        game: str | None = None,
        *,
        world: str | None = None,
        seats: int,
        join_code: str | None = None,
        take: bool = False,
        observe: bool = False,
    ) -> list[Player]:
        """Take so many seats in one world. See `worldline.Client.join_seats`."""
        joining = self._client.join_seats(
            game, world=world, seats=seats, join_code=join_code, take=take, observe=observe
        )
        return [self._player(player) for player in self._background.run(joining)]

    def games(self) -> list[protocol.GameSummary]:
        """The games of this server."""
        return self._background.run(self._client.games())

    def rules(self, game: str) -> protocol.RulesReply:
        """How a game is played: its SKILL.md as ``markdown``, and JSON Schemas."""
        return self._background.run(self._client.rules(game))

    def worlds(
        self, game: str | None = None, *, status: protocol.WorldStatus | None = None, mine: bool = False
    ) -> list[protocol.WorldSummary]:
        """All worlds, newest first: of one game, of one status, or only those you play in."""
        return self._background.run(self._client.worlds(game, status=status, mine=mine))

    def leaderboard(self, game: str, *, limit: int = 20) -> list[protocol.LeaderboardEntry]:
        """Who has played ``game`` best, best first: at most ``limit`` agents."""
        return self._background.run(self._client.leaderboard(game, limit=limit))

    def watch(
        self,
        world: str,
        *,
        from_tick: int | None = None,
        as_player: str | None = None,
        hz: float | None = None,
        speed: float | None = None,
    ) -> Screen:
        """Watch a world as its spectators see it. See `worldline.Client.watch`."""
        watching = self._client.watch(world, from_tick=from_tick, as_player=as_player, hz=hz, speed=speed)
        return Screen(self._background.run(watching), self._background)

    def log(
        self,
        world: str,
        *,
        from_tick: int = 0,
        kinds: Collection[str] | None = None,
        player: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The records of a world's log. See `worldline.Client.log`."""
        records = self._client.log(world, from_tick=from_tick, kinds=kinds, player=player)
        while (record := self._background.run(_next(records))) is not None:
            yield record

    def state(self, world: str, *, tick: int | None = None, path: str | None = None) -> protocol.StateReply:
        """How a world stood. See `worldline.Client.state`."""
        return self._background.run(self._client.state(world, tick=tick, path=path))

    def fork(self, world: str, tick: int, *, private: bool = False, key: str | None = None) -> protocol.Forked:
        """Make a world of your own that begins where ``world`` stood. See `worldline.Client.fork`."""
        return self._background.run(self._client.fork(world, tick, private=private, key=key))

    def ping(self) -> int:
        """The server's clock, in milliseconds since 1970."""
        return self._background.run(self._client.ping())

    def _player(self, player: worldline.player.Player) -> Player:
        """The same player each time it is asked for."""
        return self._players.setdefault(player, Player(self, player, self._background))


class Player:
    """Your part in one world; made by `Client.join`. See `worldline.Player`."""

    def __init__(self, client: Client, player: worldline.player.Player, background: _Background) -> None:
        self.client = client
        self._player = player
        self._background = background

    def __repr__(self) -> str:
        return repr(self._player)

    # --- what is known -------------------------------------------------------------------------------

    @property
    def world(self) -> str:
        """The world's id."""
        return self._player.world

    @property
    def game(self) -> str:
        """The world's game."""
        return self._player.game

    @property
    def player(self) -> str:
        """Which player of the world you are."""
        return self._player.player

    @property
    def seat(self) -> int:
        """Your seat: 1, 2, 3 …"""
        return self._player.seat

    @property
    def clock(self) -> str:
        """The clock that the world ticks by."""
        return self._player.clock

    @property
    def tick_hz(self) -> protocol.Number:
        """Ticks a second of a realtime world."""
        return self._player.tick_hz

    @property
    def digest(self) -> str:
        """The game's code."""
        return self._player.digest

    @property
    def tick(self) -> int:
        """The highest tick you have heard of."""
        return self._player.tick

    @property
    def observation(self) -> protocol.Observation | None:
        """The last observation you got."""
        return self._player.observation

    @property
    def closed(self) -> str | None:
        """None while you play, else why it ended."""
        return self._player.closed

    @property
    def result(self) -> Any:
        """The game's result, when it has ended."""
        return self._player.result

    # --- playing -------------------------------------------------------------------------------------

    def input(
        self,
        name: str,
        args: Mapping[str, Any] | None = None,
        /,
        *,
        observe: bool = False,
        note: str | None = None,
        expires_tick: int | None = None,
        wait_s: float | None = None,
        **more: Any,
    ) -> protocol.Outcome:
        """Do something; returns when the tick that applied it is durable. See `worldline.Player.input`."""
        doing = self._player.input(
            name, args, observe=observe, note=note, expires_tick=expires_tick, wait_s=wait_s, **more
        )
        return self._background.run(doing)

    def observe(
        self,
        *,
        since: int | None = None,
        format: protocol.Format = "both",
        until: protocol.Until | None = None,
        after_tick: int | None = None,
        kinds: Sequence[str] | None = None,
        wait_s: float | None = None,
    ) -> protocol.Observation:
        """What you may know now, or when there is something to know. See `worldline.Player.observe`."""
        looking = self._player.observe(
            since=since, format=format, until=until, after_tick=after_tick, kinds=kinds, wait_s=wait_s
        )
        return self._background.run(looking)

    def events(self, *, kinds: Collection[str] | None = None) -> Iterator[protocol.EventItem]:
        """Your events as they come. See `worldline.Player.events`."""
        events = self._player.events(kinds=kinds)
        while (event := self._background.run(_next(events))) is not None:
            yield event

    def observations(self, hz: float) -> Iterator[protocol.Observation]:
        """What you see, so many times a second. See `worldline.Player.observations`."""
        observations = self._player.observations(hz)
        while (seen := self._background.run(_next(observations))) is not None:
            yield seen

    def leave(self) -> None:
        """Give the seat back."""
        self._background.run(self._player.leave())

    def think(self) -> None:
        """Sleep for a random time within the client's ``think_s``, as a slow agent would; at once if that is None."""
        self._background.run(self._player.think())


class Screen:
    """A world that you watch; made by `Client.watch`. See `worldline.Screen`."""

    def __init__(self, screen: worldline.screen.Screen, background: _Background) -> None:
        self._screen = screen
        self._background = background

    @property
    def world(self) -> str:
        """Which world."""
        return self._screen.world

    @property
    def watching(self) -> protocol.Watching:
        """The server's latest answer."""
        return self._screen.watching

    @property
    def nodes(self) -> dict[Any, dict[str, Any]]:
        """The nodes of the scene at ``tick``, by id."""
        return self._screen.nodes

    @property
    def players(self) -> list[protocol.WatchedPlayer]:
        """Who plays."""
        return self._screen.players

    @property
    def observation(self) -> protocol.Observation | None:
        """What the player whom you watch as had been sent."""
        return self._screen.observation

    @property
    def tick(self) -> int:
        """Where this is."""
        return self._screen.tick

    @property
    def last_tick(self) -> int:
        """Up to where it could be."""
        return self._screen.last_tick

    @property
    def live(self) -> bool:
        """Whether it shows the world as it runs."""
        return self._screen.live

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself."""
        return self._screen.playing

    @property
    def ended(self) -> str | None:
        """None while it goes on, else why it does not."""
        return self._screen.ended

    @property
    def lost(self) -> bool:
        """Whether it has ended because the server cannot show it any further."""
        return self._screen.lost

    def frames(self) -> Iterator[protocol.Frame]:
        """The frames as they come. See `worldline.Screen.frames`."""
        frames = self._screen.frames()
        while (frame := self._background.run(_next(frames))) is not None:
            yield frame

    def play(self) -> None:
        """Go on."""
        self._background.run(self._screen.play())

    def pause(self) -> None:
        """Stand still; the world itself is not stopped."""
        self._background.run(self._screen.pause())

    def seek(self, tick: int) -> None:
        """Go to ``tick``, and stand there."""
        self._background.run(self._screen.seek(tick))

    def speed(self, factor: float) -> None:
        """Go so many times as fast from here on: 0.25 to 64."""
        self._background.run(self._screen.speed(factor))

    def go_live(self) -> None:
        """Show the world as it runs; of one that has ended, its end."""
        self._background.run(self._screen.go_live())

    def view(self, player: str | None) -> None:
        """With the observations that this player was sent; None: of nobody."""
        self._background.run(self._screen.view(player))

    def stop(self) -> None:
        """Watch no more."""
        self._background.run(self._screen.stop())


async def _enter(context: AbstractAsyncContextManager[worldline.client.Client]) -> worldline.client.Client:
    return await context.__aenter__()


async def _leave(context: AbstractAsyncContextManager[worldline.client.Client]) -> None:
    await context.__aexit__(None, None, None)


async def _settle() -> None:
    """Let everything that runs here come to its end, so that nobody waits for it for ever."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _next(stream: AsyncIterator[Result]) -> Result | None:
    return await anext(stream, None)
