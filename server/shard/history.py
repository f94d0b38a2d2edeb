"""What the log says of one world: turns what waits for a tick into entries, and what happened into records.

Records are written ahead: the record of a tick is framed before its entries are applied. So the fingerprint in a
record covers everything since the record before it, its own entries excluded, and the outcomes of a tick stand in the
next record. A realtime world writes nothing for ticks without entries; a beat, once a second, promises that the world
may be shown up to ``until``: after a crash it is re-executed at least that far, so no viewer sees a tick run back. Of
worlds with any other clock every tick that ran has its record.

Not here: when records are durable (journal), and who is answered (host).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from eventlog import records
from eventlog.piece import LogEnd, Piece
from eventlog.worldlog import WorldLog
from games.runtime import effects
from games.runtime.players import InputOutcome
from games.runtime.world import Entry, World
from replays.standing import Standing
from server.shard.inbox import Pending, PendingClock, PendingInput, PendingJoin, PendingLeave, PendingSilence

BEAT_EVERY_S: Final = 1.0
BEAT_PROMISE_S: Final = 1.5  # how far ahead of its tick a beat lets the world be shown


class History:
    """The writing side of one world's log, and what the next record will have to say."""

    def __init__(
        self,
        world: World,
        log: WorldLog,
        genesis: records.Genesis,
        *,
        outcomes: Sequence[records.OutcomeNote] = (),
        joined: Mapping[str, records.JoinEntry] | None = None,
        visitors: Iterable[str] = (),
        fingerprint: bytes = b"\0" * records.FINGERPRINT_BYTES,
    ) -> None:
        """``outcomes`` and ``fingerprint``: of a resumed log, those that its next record notes or may repeat.

        ``joined``: how those came who are seated in it; ``visitors``: the agents that have a seat in it or had one.
        """
        self.genesis = genesis
        self._world = world
        self._log = log
        self._hz = world.code.manifest.tick_hz
        self._outcomes = list(outcomes)
        self._joined = dict(joined or {})
        self._visitors = dict.fromkeys(visitors)
        self._ended: records.Close | records.Fault | None = None
        self._observed_tick: dict[str, int] = {}
        self._last_beat_tick = world.tick - int(BEAT_EVERY_S * self._hz)  # one is due at once
        self._shown_until = world.tick
        self._fingerprint = fingerprint

    # --- what happened -------------------------------------------------------------------------------

    def observed(self, player: str) -> None:
        """The player is being shown the present tick: its next input will have been decided on that."""
        self._observed_tick[player] = self._world.tick

    def had_seat(self, agent: str) -> bool:
        """Whether this agent has a seat in the world, or has had one."""
        return agent in self._visitors

    def left(self, player: str) -> None:
        """Forget a player."""
        self._observed_tick.pop(player, None)
        self._joined.pop(player, None)

    def came_out(self, outcome: InputOutcome) -> None:
        """Note an outcome for the next record."""
        self._outcomes.append(
            records.OutcomeNote(player=outcome.player, seq=outcome.seq, status=outcome.status, code=outcome.code)
        )

    # --- records -------------------------------------------------------------------------------------

    def beat_if_due(self) -> Piece | None:
        """The promise that covers the next tick, if the last one is a second old."""
        if self._world.clock != "realtime":  # every tick has its record
            return None
        tick = self._world.tick
        if tick - self._last_beat_tick < BEAT_EVERY_S * self._hz and tick < self._shown_until:
            return None
        self._last_beat_tick = tick
        self._shown_until = tick + max(1, int(BEAT_PROMISE_S * self._hz))
        return self._log.append(
            records.Beat(
                tick=tick, until=self._shown_until, fingerprint=self._next_fingerprint(), outcomes=self._take_outcomes()
            )
        )

    def last_outcomes(self) -> Piece | None:
        """A beat that promises nothing, for outcomes that no record has noted yet, if there are any: the world is left
        for another server to go on with."""
        if not self._outcomes:
            return None
        tick = self._world.tick
        return self._log.append(
            records.Beat(tick=tick, until=tick, fingerprint=self._next_fingerprint(), outcomes=self._take_outcomes())
        )

    def tick(self, drained: list[Pending], *, ran: bool, time_ms: int) -> tuple[Piece, list[Entry]]:
        """The record of a tick with entries, and the same entries as the world takes them.

        With ``ran`` it is the tick after the present one; without, the entries are applied between ticks.
        """
        entries, to_apply = self._entries(drained)
        record = records.Tick(
            tick=self._world.tick + ran,
            ran=ran,
            time_ms=time_ms,
            entries=entries,
            fingerprint=self._next_fingerprint(),
            outcomes=self._take_outcomes(),
        )
        return self._log.append(record), to_apply

    def code(self, time_ms: int) -> Piece:
        """The record that the world runs the code that it has now, and stands where it stands now.

        A tick that was written ahead and taken back is undone by it, and so is what beats have promised.
        """
        tick = self._world.tick
        self._shown_until = tick
        return self._log.append(
            records.Tick(
                tick=tick,
                ran=False,
                time_ms=time_ms,
                entries=[records.CodeEntry(self._world.code.digest)],
                fingerprint=self._next_fingerprint(),
                outcomes=self._take_outcomes(),
            )
        )

    def close(self, reason: str, result: Any) -> Piece:
        """The last record of a world that has ended in order."""
        record = records.Close(
            tick=self._world.tick,
            reason=reason,
            result=result,
            fingerprint=self._next_fingerprint(),
            outcomes=self._take_outcomes(),
            scores={player.id: player.score for player in self._world.players.values()},
        )
        piece = self._log.append(record)
        self._ended = record
        return piece

    def fault(self, tick: int, kind: str, last_input: PendingInput | None) -> Piece:
        """The last record of a world that broke in ``tick``, which therefore counts as not run.

        What the broken tick did cannot be told from what it should have done: the fingerprint is that of the record
        before.
        """
        return self._log.append(
            records.Fault(
                tick=tick,
                kind=kind,
                last_input=None if last_input is None else (last_input.player, last_input.seq),
                fingerprint=self._fingerprint,
                outcomes=self._take_outcomes(),
            )
        )

    # --- checkpoints ---------------------------------------------------------------------------------

    def position(self) -> LogEnd:
        """Where the log goes on. Between two ticks the world has taken in everything before that place."""
        log = self._log
        return LogEnd(
            world=log.world, epoch=log.epoch, file=log.file, offset=log.offset, crc=log.crc, tick=log.last_tick
        )

    def standing(self, snapshot: bytes) -> Standing:
        """A snapshot of the world, just taken between two ticks, with what has to be known beside it to go on."""
        return Standing(
            snapshot=snapshot,
            until=self._shown_until,
            joined=[self._joined[player] for player in self._world.players if player in self._joined],
            outcomes=list(self._outcomes),
            fingerprint=self._fingerprint,
            ended=self._ended,
            visitors=list(self._visitors),
        )

    def checkpoint(self, tick: int, state_hash: bytes, snapshot: str, size_bytes: int) -> Piece:
        """The record that a snapshot is on disk. It may stand behind the last record, too."""
        return self._log.append(records.Checkpoint(tick, state_hash, snapshot, size_bytes))

    # --- inside --------------------------------------------------------------------------------------

    def _next_fingerprint(self) -> bytes:
        self._fingerprint = self._world.fingerprint()
        return self._fingerprint

    def _take_outcomes(self) -> list[records.OutcomeNote]:
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _entries(self, drained: list[Pending]) -> tuple[list[records.Entry], list[Entry]]:
        logged: list[records.Entry] = []
        applied: list[Entry] = []
        new = 0
        vacant = {player.seat: player.id for player in self._world.vacant_players()}
        seats = self._seats_for([pending.seat for pending in drained if isinstance(pending, PendingJoin)])
        for pending in drained:
            match pending:
                case PendingJoin():
                    seat = next(seats)
                    pending.player = vacant.get(seat) or self._world.next_player_id(after=new)
                    new += seat not in vacant
                    self._joined[pending.player] = records.JoinEntry(
                        player=pending.player,
                        seat=seat,
                        agent=pending.agent,
                        name=pending.name,
                        session=pending.session,
                    )
                    self._visitors[pending.agent] = None
                    logged.append(self._joined[pending.player])
                    applied.append(_as_applied(self._joined[pending.player], takes=seat in vacant))
                case PendingLeave():
                    leaving = self._world.players.get(pending.player)
                    score = None if leaving is None else leaving.score
                    logged.append(records.LeaveEntry(player=pending.player, reason=pending.reason, score=score))
                    applied.append(effects.Leave(player=pending.player, reason=pending.reason))
                case PendingInput():
                    logged.append(self._input_entry(pending))
                    applied.append(
                        effects.Input(player=pending.player, seq=pending.seq, name=pending.name, args=pending.args)
                    )
                case PendingSilence():
                    name, args = self._world.code.manifest.default_input
                    logged.append(records.TimeoutEntry(player=pending.player))
                    applied.append(effects.Silence(player=pending.player, name=name, args=args))
                case PendingClock():
                    logged.append(records.ClockEntry(clock=pending.clock))
                    applied.append(effects.Clock(clock=pending.clock))
        return logged, applied

    def _input_entry(self, pending: PendingInput) -> records.InputEntry:
        pending.observed_tick = self._observed_tick.get(pending.player)
        return records.InputEntry(
            player=pending.player,
            seq=pending.seq,
            name=pending.name,
            args=pending.args,
            note=pending.note,
            seen_tick=pending.seen_tick,
            observed_tick=pending.observed_tick,
            received_ms=pending.received_ms,
        )

    def _seats_for(self, wanted: list[int | None]) -> Iterator[int]:
        """The seats of those who join, in the order in which they do: the one that is wanted, else the lowest that is
        vacant, else the lowest that is free, and nobody wants. One that gets free in the same tick is given away in a
        later one."""
        held = {player.seat: player.is_vacant for player in self._world.players.values()}
        seats = [seat for seat in range(1, self._world.code.manifest.max_players + 1) if seat not in wanted]
        vacant = [seat for seat in seats if held.get(seat, False)]
        free = iter([*vacant, *(seat for seat in seats if seat not in held)])
        return (next(free) if seat is None else seat for seat in wanted)


def _as_applied(entry: records.JoinEntry, *, takes: bool) -> Entry:
    if takes:
        return effects.Take(player=entry.player, agent=entry.agent, name=entry.name)
    return effects.Join(player=entry.player, seat=entry.seat, agent=entry.agent, name=entry.name)
