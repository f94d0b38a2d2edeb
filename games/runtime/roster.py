"""Who is seated in a world and what became of each: what Python keeps of a world, beside what its Lua holds.

Scores, events, outcomes, who is out and how the world ended: all of that comes from the effects that Lua reports, in
their order. A snapshot holds it as its `Core`.

Not here: whether entries fit (``entries.py``), and what one player is (``players.py``).

Invariant: nothing here changes but by an effect that is taken, by a seat that is handed over, and by the world's end;
no player's id is given twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec

from games.runtime import effects
from games.runtime.effects import AnyEffect, AnyEntry, Join, Take
from games.runtime.faults import MAX_FAILED_TICKS, KeepsFailing
from games.runtime.players import InputOutcome, PlayerState
from games.runtime.results import Ended, Kicked, TickResult

NIL: Final = b"\xc0"


class Roster:
    """The players of one world."""

    def __init__(self, players: dict[str, PlayerState] | None = None, joins: int = 0, finished: Any = None) -> None:
        self.players: dict[str, PlayerState] = players or {}
        """Those who are seated, by id, in the order they joined."""
        self.joins = joins
        """How many have ever joined."""
        self.finished = finished
        """What the world ended with; None while it goes on."""

    def free_seat(self, seats: int) -> int | None:
        """Return the lowest free one of so many seats, or None if all are taken."""
        taken = {player.seat for player in self.players.values()}
        return next((seat for seat in range(1, seats + 1) if seat not in taken), None)

    def vacant_players(self) -> list[PlayerState]:
        """Return the players whom nobody plays, in seat order."""
        return sorted((player for player in self.players.values() if player.is_vacant), key=lambda each: each.seat)

    def playing(self) -> list[str]:
        """Return the ids of all who are not out, in seat order."""
        seated = sorted([(player.seat, player.id) for player in self.players.values() if player.ended is None])
        return [player for _, player in seated]

    def hand_over(self, entry: Take) -> None:
        """An agent plays a player whom nobody played."""
        taken = self.players[entry.player]
        taken.agent, taken.name = entry.agent, entry.name

    def take(
        self, reported: Iterable[AnyEffect], entries: Sequence[AnyEntry], digests: Iterable[bytes], result: TickResult
    ) -> None:
        """Take over the effects of a call that applied ``entries``, and note them in ``result``.

        ``digests``: those of the inputs among the entries, in order. Raises `KeepsFailing`.
        """
        joins = {entry.player: entry for entry in entries if isinstance(entry, Join)}
        waiting = iter(digests)
        for effect in reported:
            if isinstance(effect, effects.Outcome):
                self._take_outcome(effect, next(waiting), result)
            elif isinstance(effect, effects.Joined):
                join = joins[effect.player]
                self.joins += 1
                self.players[join.player] = PlayerState(join.player, join.seat, join.agent, join.name)
            else:
                self._take_effect(effect, result)

    def end(self, result: TickResult, how: Literal["terminated", "truncated"], value: Any) -> None:
        """The world has ended with ``value``, and with it all who were not out."""
        self.finished = result.finished = value
        for player in self.players.values():
            if player.ended is None:
                player.ended, player.result = how, value
                result.ended.append(Ended(player.id, how, value))

    def _take_effect(self, effect: AnyEffect, result: TickResult) -> None:
        match effect:
            case effects.Emitted():
                data = effect.data.copy()
                for player in self.players if effect.to is None else effect.to:
                    # Who has left gets no events any more, even where the game still remembers them.
                    if player in self.players:
                        self.players[player].add_event(effect.tick, effect.event, data)
            case effects.Scored():
                self.players[effect.player].score = effect.score
            case effects.Rewarded():
                self.players[effect.player].reward += effect.amount
                self.players[effect.player].is_rewarded = True
            case effects.Left():
                self._take_leave(effect, result)
            case effects.Out():
                out = self.players[effect.player]
                if out.ended is None:
                    out.ended, out.result = "terminated", msgspec.msgpack.decode(effect.result)
                    result.ended.append(Ended(out.id, "terminated", out.result))
            case effects.Finished():
                value = msgspec.msgpack.decode(effect.result)
                self.end(result, "terminated", {} if value is None else value)
            case effects.TickFailed():
                result.failed = True
                if effect.in_a_row >= MAX_FAILED_TICKS:
                    raise KeepsFailing(effect.in_a_row, result.debug[-1].text if result.debug else "see the log")

    def _take_outcome(self, effect: effects.Outcome, digest: bytes, result: TickResult) -> None:
        answer = bytes(effect.result)
        outcome = InputOutcome(
            effect.player,
            effect.seq,
            effect.tick,
            effect.status,
            effect.code,
            effect.message,
            effect.hint,
            b"" if answer == NIL else answer,
            digest,
        )
        self.players[effect.player].add_outcome(outcome)
        result.outcomes.append(outcome)

    def _take_leave(self, effect: effects.Left, result: TickResult) -> None:
        del self.players[effect.player]
        how: dict[str, Any] = {"reason": effect.reason}
        if effect.message is not None:
            result.kicked.append(Kicked(effect.player, effect.message))
            how["message"] = effect.message
        result.ended.append(Ended(effect.player, "truncated", how))
