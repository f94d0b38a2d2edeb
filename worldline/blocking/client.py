"""`worldline.Client` without `await`.

Not here: what its methods do (`worldline.Client`), and how they come to be without `await` (``front.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import worldline.client
import worldline.player
import worldline.screen
from worldline import protocol
from worldline.acting import Action
from worldline.blocking.front import Background, Front, called, made, streamed
from worldline.blocking.player import Player
from worldline.blocking.screen import Screen
from worldline.conversation import GIVE_UP_AFTER_S


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
    background = Background()
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


class Client(Front[worldline.client.Client]):
    """A conversation with a server; made by `connect`. See `worldline.Client`."""

    def __init__(
        self,
        client: worldline.client.Client,
        context: AbstractAsyncContextManager[worldline.client.Client],
        background: Background,
    ) -> None:
        super().__init__(client, background)
        self._context = context
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
        return self._awaited.url

    @property
    def welcome(self) -> protocol.Welcome:
        """The server's latest answer to a hello: who you are, and the limits."""
        return self._awaited.welcome

    @property
    def agent(self) -> str:
        """Who you are here: an id like ``a_…``."""
        return self._awaited.agent

    @property
    def name(self) -> str:
        """What others see."""
        return self._awaited.name

    @property
    def role(self) -> protocol.Role:
        """What you may do here."""
        return self._awaited.role

    @property
    def resume(self) -> str:
        """A token for `connect`, to go on as this client later or elsewhere. Keep it secret: whoever has it is you."""
        return self._awaited.resume

    @property
    def connected(self) -> bool:
        """Whether there is a connection now. Without one, requests wait until it has been made again."""
        return self._awaited.connected

    @property
    def notices(self) -> deque[protocol.Notice]:
        """The last notices of the server, oldest first."""
        return self._awaited.notices

    @property
    def players(self) -> dict[tuple[str, str], Player]:
        """The players joined here, by (world, player)."""
        return {key: self._player(player) for key, player in self._awaited.players.items()}

    # --- what is made of results ----------------------------------------------------------------------

    def _player(self, player: worldline.player.Player) -> Player:
        """The same player each time it is asked for."""
        return self._players.setdefault(player, Player(self, player, self._background))

    def _all(self, players: list[worldline.player.Player]) -> list[Player]:
        return [self._player(player) for player in players]

    def _screen(self, screen: worldline.screen.Screen) -> Screen:
        return Screen(screen, self._background)

    # --- requests ------------------------------------------------------------------------------------

    create = called(worldline.client.Client.create)
    """Make a world of your own. See `worldline.Client.create`."""

    step = called(worldline.client.Client.step)
    """Run so many ticks of a manual world of yours. See `worldline.Client.step`."""

    play = called(worldline.client.Client.play)
    """Let a manual world of yours run by its game's own clock. See `worldline.Client.play`."""

    stop = called(worldline.client.Client.stop)
    """End a world of yours for good. See `worldline.Client.stop`."""

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
        acting = self._awaited.act(
            {player._awaited: action for player, action in inputs.items()},
            world=world,
            step=step,
            at_tick=at_tick,
            observe=observe,
            notes={player._awaited: note for player, note in (notes or {}).items()},
            wait_s=wait_s,
        )
        return self._background.run(acting)

    join = made(worldline.client.Client.join, _player)
    """Take a seat. See `worldline.Client.join`."""

    join_seats = made(worldline.client.Client.join_seats, _all)
    """Take so many seats in one world. See `worldline.Client.join_seats`."""

    games = called(worldline.client.Client.games)
    """The games of this server."""

    rules = called(worldline.client.Client.rules)
    """How a game is played: its SKILL.md as ``markdown``, and JSON Schemas."""

    worlds = called(worldline.client.Client.worlds)
    """All worlds, newest first: of one game, of one status, or only those you play in."""

    leaderboard = called(worldline.client.Client.leaderboard)
    """Who has played ``game`` best, best first: at most ``limit`` agents."""

    watch = made(worldline.client.Client.watch, _screen)
    """Watch a world as its spectators see it. See `worldline.Client.watch`."""

    log = streamed(worldline.client.Client.log)
    """The records of a world's log. See `worldline.Client.log`."""

    state = called(worldline.client.Client.state)
    """How a world stood. See `worldline.Client.state`."""

    fork = called(worldline.client.Client.fork)
    """Make a world of your own that begins where ``world`` stood. See `worldline.Client.fork`."""

    ping = called(worldline.client.Client.ping)
    """The server's clock, in milliseconds since 1970."""


async def _enter(context: AbstractAsyncContextManager[worldline.client.Client]) -> worldline.client.Client:
    return await context.__aenter__()


async def _leave(context: AbstractAsyncContextManager[worldline.client.Client]) -> None:
    await context.__aexit__(None, None, None)
