"""One input, one observation: what ``worldline act`` does between starting and ending.

The seat stays taken between two calls, for the game's ``grace_s``; if it was lost meanwhile, that is said and another
is taken. Not here: the command line (``server/commands/act.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

import worldline
from server.byhand import memory, telling, words
from worldline import protocol


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What one call shall do: nothing but look, if there are no ``words``. ``wait_s``: at most so long for the tick, or
    (without words) for what ``until`` says."""

    game: str
    words: tuple[str, ...]
    url: str
    session: Path
    token: str | None = None
    name: str | None = None
    world: str | None = None
    join_code: str | None = None
    note: str | None = None
    wait_s: float | None = None
    until: protocol.Until | None = None
    leave: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it. ``left``: the seat was given back."""

    world: str
    player: str
    outcome: protocol.Outcome | None = None
    observation: protocol.Observation | None = None
    left: bool = False

    def lines(self) -> list[str]:
        """As text."""
        lines = [] if self.outcome is None else [telling.outcome(self.outcome)]
        if self.observation is not None:
            lines += telling.observation(self.observation)
            lines += telling.events(self.observation.events, self.observation.missed)
        return [*lines, f"you have left world {self.world}"] if self.left else lines


async def act(asked: Asked, notice: Callable[[str], None]) -> Answer:
    """Do what is asked. ``notice`` hears what happened to the seat.

    Raises `words.WordsError`, `memory.MemoryUnusable`, `worldline.WorldlineError`.
    """
    with memory.held(asked.session, asked.url) as kept:
        now = kept.now
        async with worldline.connect(asked.url, name=asked.name, token=asked.token, resume=now.resume) as client:
            before = now.resume is not None
            now.resume = client.resume
            said = words.read(asked.words, (await client.rules(asked.game)).inputs) if asked.words else None
            player = await _seat(client, asked, now, notice, before=before)
            if (now.world, now.player) != (player.world, player.player):
                now.world, now.player, now.next_event = player.world, player.player, 1
            kept.keep()
            answer = await _do(player, asked, said)
            if answer.observation is not None:
                _leave_out_told(answer.observation, now)
            if answer.left or (answer.observation is not None and answer.observation.ended is not None):
                now.world = now.player = None
            now.resume = client.resume
            kept.keep()
            return answer


async def _do(player: worldline.Player, asked: Asked, said: words.Said | None) -> Answer:
    result = seen = None
    if said is not None:
        result = await player.input(said.name, said.args, observe=True, note=asked.note, wait_s=asked.wait_s)
        seen, result.observation = result.observation, None
    if asked.leave:
        await player.leave()
    elif seen is None:
        until = asked.until or ("event" if asked.wait_s is not None and said is None else None)
        wait_s = asked.wait_s if said is None else None
        seen = await player.observe(until=until, wait_s=wait_s)
    return Answer(world=player.world, player=player.player, outcome=result, observation=seen, left=asked.leave)


def _leave_out_told(seen: protocol.Observation, now: memory.Remembered) -> None:
    """A new connection is told again what the last one may not have heard: here each event comes once."""
    seen.events = [event for event in seen.events if event.n >= now.next_event]
    now.next_event = max(now.next_event, seen.cursor)


async def _seat(
    client: worldline.Client, asked: Asked, now: memory.Remembered, notice: Callable[[str], None], *, before: bool
) -> worldline.Player:
    """The seat of the calls before, else another. One in another world than is asked for is kept, too."""
    for player in client.players.values():
        wanted = asked.world in (None, player.world)
        if wanted and player.game == asked.game and player.closed is None:
            return player
    last = client.players.get((now.world or "", now.player or ""))
    if now.world is not None and (last is None or last.closed is not None):
        lost = [each for each in client.welcome.lost if (each.world, each.player) == (now.world, now.player)]
        why = f"{lost[0].reason} at tick {lost[0].tick}" if lost else "it is no longer there"
        notice(f"your seat in world {now.world} is gone: {why}")
    elif before and not client.welcome.resumed:
        notice("your session has expired: you are somebody new")
    if asked.world is not None:
        player = await client.join(world=asked.world, join_code=asked.join_code)
    else:
        player = await client.join(asked.game)
    notice(f"you are {player.player} in world {player.world} of {player.game}, seat {player.seat}")
    return player
