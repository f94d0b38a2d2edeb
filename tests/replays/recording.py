"""Plays a world and writes its log, in the order in which a shard does: the record first, then what it says.

The real log and journal are written into a real data folder; the journal does nothing by the clock, so that what is in
which file depends on no machine's speed. `Recording.lie` makes the one mistake that a log can hold without its
checksums noticing: it says something else than what was done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from eventlog import records
from eventlog.journal import Journal
from eventlog.piece import LogEnd
from eventlog.snapshot_file import Snapshot
from eventlog.snapshots import Snapshots
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from games.code import Engine, GameCode
from games.errors import WorldFaulted
from games.runtime.effects import Input, Join, Leave, Silence
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from replays.standing import Standing, encode_standing
from tests.eventlog.building import QUIET

WORLD: Final = "w_0123456789"
TIME_MS: Final = 1_795_400_000_000
BEAT_TICKS: Final = 60


class Recording:
    """A world that is played and written down; made by `start`, ended by `close`."""

    def __init__(
        self,
        data: Path,
        code: GameCode,
        *,
        seed: int,
        settings: dict[str, Any],
        file_bytes: int = 8 << 20,
        world: str = WORLD,
        versions: dict[str, str] | None = None,
    ) -> None:
        """Must be made on a running event loop: the journal needs one."""
        self.id = world
        self._store = Store.open(data)
        engine = Engine.current()
        self._store.put_code(code.digest, code.files)
        self._store.put_engine(engine.digest, engine.files)
        self._journal = Journal.open(data, 0, on_failure=self._disk_failed, options=QUIET)
        self.world = World.load(code, world_id=world, seed=seed, settings=settings)
        genesis = records.Genesis(
            world=world,
            game=code.name,
            digest=code.digest,
            seed=seed,
            settings=settings,
            engine=engine.digest,
            created_ms=TIME_MS,
            versions=versions or {},
        )
        self._log = WorldLog.create(genesis, shard=0, file_bytes=file_bytes)
        self._last = self._journal.append([self._log.head])
        self._notes: list[records.OutcomeNote] = []
        self._seqs: dict[str, int] = {}
        self._fingerprint = b"\0" * records.FINGERPRINT_BYTES
        self._genesis = genesis
        self._data = data
        self._until = 0
        self._joined: dict[str, records.JoinEntry] = {}
        self._beside: dict[str, Any] = {}
        self.lie: dict[str, Any] | None = None
        """Args that are written instead of those of the next input."""

    # --- playing -------------------------------------------------------------------------------------

    def join(self) -> str:
        """Seat a player between two ticks."""
        player, seat = self.world.next_player_id(), self.world.free_seat()
        assert seat is not None
        self._seqs[player] = 1
        self._apply([Join(player=player, seat=seat, agent=f"a_{player}", name=f"agent {player}")], ran=False)
        return player

    def leave(self, player: str) -> None:
        """Take a player out in the next tick."""
        self._apply([Leave(player=player, reason="left")], ran=True)

    def input(
        self, player: str, name: str, args: dict[str, Any], *, observed_tick: int | None = None, note: str | None = None
    ) -> None:
        """Apply an input in the next tick."""
        seq = self._seqs[player]
        self._beside = {"observed_tick": observed_tick, "note": note}
        self._seqs[player] = seq + 1
        self._apply([Input(player=player, seq=seq, name=name, args=args)], ran=True)

    def turn(self, moves: Mapping[str, tuple[str, dict[str, Any]] | None]) -> None:
        """Apply, in the next tick, the moves of players in the order given; None: one who was silent."""
        entries: list[Join | Leave | Input | Silence] = []
        for player, move in moves.items():
            if move is None:
                name, args = self.world.code.manifest.default_input
                entries.append(Silence(player=player, name=name, args=args))
            else:
                seq = self._seqs[player]
                self._seqs[player] = seq + 1
                entries.append(Input(player=player, seq=seq, name=move[0], args=move[1]))
        self._apply(entries, ran=True)

    def reload(self, code: GameCode) -> None:
        """Go on with other code of the game, between two ticks."""
        self._store.put_code(code.digest, code.files)
        self.world.reload(code)
        self._write_code(self.world.tick, code.digest)

    def undo(self, player: str, name: str, args: dict[str, Any], code: GameCode) -> None:
        """Write an input of the next tick down, run it, take it back, and go on with other code."""
        entries = [Input(player=player, seq=self._seqs[player], name=name, args=args)]
        self._write(entries, ran=True)
        before = self.world.snapshot()
        self.world.apply(entries, step=True)
        self.world.go_back(before)
        self._write_code(self.world.tick, self.world.code.digest)
        self.reload(code)

    def _write_code(self, tick: int, digest: str) -> None:
        record = records.Tick(
            tick=tick,
            ran=False,
            time_ms=TIME_MS,
            entries=[records.CodeEntry(digest)],
            fingerprint=self._next_fingerprint(),
            outcomes=self._take_notes(),
        )
        self._last = self._journal.append([self._log.append(record)])
        self._until = tick

    def step_many(self, ticks: int) -> None:
        """Let ticks pass as one record, as the owner of a world does who steps it."""
        record = records.Tick(
            tick=self.world.tick + 1,
            ticks=ticks,
            time_ms=TIME_MS,
            fingerprint=self._next_fingerprint(),
            outcomes=self._take_notes(),
        )
        self._last = self._journal.append([self._log.append(record)])
        self.world.run_empty(ticks)

    def run(self, ticks: int) -> None:
        """Let ticks pass in which nobody does anything, with a beat every second."""
        for _ in range(ticks):
            if self.world.tick % BEAT_TICKS == 0:
                self._append_beat()
            self.world.apply([], step=True)

    def run_until_it_breaks(self) -> WorldFaulted:
        """Let ticks pass until the game has broken the world, and write the fault down: that tick counts as not run."""
        tick = self.world.tick
        try:
            while True:
                tick = self.world.tick + 1
                self.run(1)
        except WorldFaulted as fault:
            record = records.Fault(
                tick=tick,
                kind=fault.kind,
                fingerprint=self._fingerprint,
                outcomes=self._take_notes(),
            )
            self._last = self._journal.append([self._log.append(record)])
            return fault

    def checkpoint(self, *, state_hash_lie: bytes | None = None, late_by: int = 0) -> int:
        """Write a snapshot, let so many ticks pass, and write its record; return the tick of the snapshot."""
        snapshots = Snapshots(self._data, self.id)
        tick, saved = self.world.tick, self.world.snapshot()
        found = state_hash(saved)
        log = self._log
        draft = snapshots.write(
            Snapshot(
                tick=tick,
                position=LogEnd(
                    world=self.id, epoch=log.epoch, file=log.file, offset=log.offset, crc=log.crc, tick=log.last_tick
                ),
                code=self.world.code.digest,
                engine=self.world.engine.digest,
                hash=found,
                genesis=self._genesis,
                state=encode_standing(
                    Standing(
                        snapshot=saved,
                        until=self._until,
                        joined=[self._joined[player] for player in self.world.players],
                        outcomes=list(self._notes),
                        fingerprint=self._fingerprint,
                        ended=None,
                    )
                ),
            )
        )
        name = snapshots.publish(draft)
        self.run(late_by)
        record = records.Checkpoint(tick, state_hash_lie or found, name, draft.size_bytes)
        self._last = self._journal.append([log.append(record)])
        return tick

    def claim(self) -> None:
        """Write down the hash of the state, in a checkpoint whose snapshot is not kept."""
        tick = self.world.tick
        record = records.Checkpoint(tick, state_hash(self.world.snapshot()), f"{tick:010d}.snap", 0)
        self._last = self._journal.append([self._log.append(record)])

    async def synced(self) -> None:
        """Wait until all that was written is durable in the journal."""
        await self._last.wait()

    async def close(self, *, reason: str | None = "test") -> None:
        """Write the last record (None: the world has one already) and make everything durable."""
        if reason is not None:
            record = records.Close(
                tick=self.world.tick,
                reason=reason,
                result=self.world.finished,
                fingerprint=self._next_fingerprint(),
                outcomes=self._take_notes(),
            )
            self._last = self._journal.append([self._log.append(record)])
        await self._journal.close()
        self._store.close()

    # --- writing -------------------------------------------------------------------------------------

    def _apply(self, entries: Sequence[Join | Leave | Input | Silence], *, ran: bool) -> None:
        self._write(entries, ran=ran)
        result = self.world.apply(entries, step=ran)
        self._notes = [
            records.OutcomeNote(outcome.player, outcome.seq, outcome.status, outcome.code)
            for outcome in result.outcomes
        ]

    def _write(self, entries: Sequence[Join | Leave | Input | Silence], *, ran: bool) -> None:
        record = records.Tick(
            tick=self.world.tick + 1 if ran else self.world.tick,
            ran=ran,
            time_ms=TIME_MS,
            entries=[self._log_entry(entry) for entry in entries],
            fingerprint=self._next_fingerprint(),
            outcomes=self._take_notes(),
        )
        self._last = self._journal.append([self._log.append(record)])

    def _next_fingerprint(self) -> bytes:
        self._fingerprint = self.world.fingerprint()
        return self._fingerprint

    def _append_beat(self) -> None:
        tick = self.world.tick
        self._until = tick + 90
        record = records.Beat(
            tick=tick, until=self._until, fingerprint=self._next_fingerprint(), outcomes=self._take_notes()
        )
        self._last = self._journal.append([self._log.append(record)])

    def _log_entry(self, entry: Join | Leave | Input | Silence) -> records.Entry:
        match entry:
            case Join():
                joined = records.JoinEntry(entry.player, entry.seat, entry.agent, entry.name, "s_0123456789")
                self._joined[entry.player] = joined
                return joined
            case Leave():
                return records.LeaveEntry(entry.player, entry.reason, self.world.players[entry.player].score)
            case Silence():
                return records.TimeoutEntry(entry.player)
            case Input():
                args, self.lie = (entry.args if self.lie is None else self.lie), None
                return records.InputEntry(
                    player=entry.player,
                    seq=entry.seq,
                    name=entry.name,
                    args=args,
                    received_ms=TIME_MS,
                    **self._beside,
                )

    def _take_notes(self) -> list[records.OutcomeNote]:
        notes, self._notes = self._notes, []
        return notes

    @staticmethod
    def _disk_failed(error: Exception) -> None:
        raise AssertionError("the disk failed") from error
