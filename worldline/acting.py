"""Several players of one client that act together: what `worldline.Client.act` does.

Invariant: a player's inputs go out one after the other, each with its next seq, whether by an act or alone; so each
player's turn is held from the sending of an act to its outcome.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from worldline import protocol
from worldline.errors import InvalidRequest
from worldline.player import wait_ms_of

if TYPE_CHECKING:
    from worldline.client import Client
    from worldline.player import Player

Action = str | tuple[str, Mapping[str, Any]]
"""What a player does: the name of an input, or its name and args."""


class What(NamedTuple):
    """An act as its caller gives it; see `worldline.Client.act`."""

    inputs: Mapping[Player, Action]
    world: str | None
    step: int | None
    at_tick: int | None
    observe: bool
    notes: Mapping[Player, str]
    wait_s: float | None


async def act(client: Client, what: What) -> protocol.Acted:
    """Send an act and return its answer. Raises what the reply says, `InvalidRequest` for what cannot be sent."""
    world = _world(what)
    players = list(what.inputs)
    async with contextlib.AsyncExitStack() as turns:
        # Always in the same order, so that two acts never wait for each other.
        for player in sorted(players, key=lambda player: player.player):
            await turns.enter_async_context(player._in_order)
        while True:
            request = protocol.Act(
                id=client._next_id(),
                world=world,
                inputs=[_input(player, action, what.notes.get(player)) for player, action in what.inputs.items()],
                step=what.step,
                at_tick=what.at_tick,
                observe=what.observe,
                wait_ms=None if what.wait_s is None else wait_ms_of(what.wait_s),
            )
            acted = await client._ask(request, protocol.Acted)
            pending = False
            for player, outcome in zip(players, acted.outcomes, strict=True):
                if isinstance(outcome, protocol.Outcome) and outcome.status == "pending":
                    pending = True
                elif isinstance(outcome, protocol.Outcome):
                    player._next_seq = max(player._next_seq, outcome.seq + 1)
                    player.tick = max(player.tick, outcome.tick)
            if not pending or what.wait_s is not None:
                break
    for observation in acted.observations or ():
        seeing = client.players.get((observation.world, observation.player))
        if seeing is not None:
            seeing._see(observation)
    return acted


def _world(what: What) -> str:
    """The one world in which all of this happens."""
    worlds = {player.world for player in what.inputs} | ({what.world} if what.world is not None else set())
    if len(worlds) != 1:
        raise InvalidRequest(
            "invalid_args",
            f"an act is in one world, this would be in {len(worlds)}",
            hint="say world, or let players of one world act",
            path="world",
        )
    return worlds.pop()


def _input(player: Player, action: Action, note: str | None) -> protocol.ActInput:
    name, args = (action, None) if isinstance(action, str) else action
    return protocol.ActInput(
        player=player.player, name=name, args=dict(args) if args else None, seq=player._next_seq, note=note
    )
