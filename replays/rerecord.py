"""A golden replay recorded anew: the same inputs, by the rules of today, with what comes of them now.

For rules that were meant to change. What no longer fits the game is left out (as in ``rerun.py``); the new log is of
the new code and of the engine of today, and is executed strictly before it takes the place of the old one.

Not here: whether a golden replay needs that (``golden.py``), and the recordings of the games that we ship, in which
bots decide again (``tests/golden_replays.py``).

Invariant: the file holds either the old recording or a new one that was verified.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from eventlog import records
from eventlog.addition import add_world
from eventlog.disk import RealDisk
from eventlog.frame import file_name
from eventlog.piece import Piece
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from games.code import Engine, GameCode
from games.runtime.effects import Input
from replays.bisect import Bisected, bisect
from replays.bundle import export_world, unpacked
from replays.errors import NotPossible
from replays.replay import Replay, replay
from replays.rerun import Rerun, rerun


class Rerecorded(msgspec.Struct, frozen=True, kw_only=True):
    """What is different in a golden replay that was recorded anew: where it begins to be, and both ends."""

    path: str
    first: Bisected
    ends: Rerun


def rerecord(path: Path, code: GameCode) -> Rerecorded:
    """Record the game in a replay file anew with ``code``, in its place; say what is different.

    Raises `NotPossible` for a world that broke, was forked, or ran several versions of its game; `CannotReplay` if it
    breaks with this code; GameError and ArgumentProblem if that does not load; what reading the file does, and OSError.
    """
    with unpacked(path) as (data, world), tempfile.TemporaryDirectory(prefix="worldline-replay-") as folder:
        ends, first = rerun(data, world, code), bisect(data, world, code)
        target = Path(folder)
        _write(data, world, code, target)
        replay(target, world).run().close()
        export_world(target, world, path, keyframes=False, replace=True)
    return Rerecorded(path=str(path), first=first, ends=ends)


def _write(data: Path, world: str, code: GameCode, target: Path) -> None:
    """Play the inputs of a world again, and write the log of that into another data folder."""
    engine = Engine.current()
    now = replay(data, world, instead=(code, engine), strict=False)
    if now.genesis.forked_from is not None:
        raise NotPossible(world, now.first_tick, "it was forked from another world", "play a game again, and export it")
    log = WorldLog.create(msgspec.structs.replace(now.genesis, digest=code.digest, engine=engine.digest), shard=0)
    files: dict[int, bytearray] = {}
    for piece in (log.head, *(log.append(record) for record in _records(now))):
        _put(files, piece)
    store = Store.attach(target)
    store.put_code(code.digest, code.files)
    store.put_engine(engine.digest, engine.files)
    add_world(RealDisk(), target, world, [(file_name(number), bytes(content)) for number, content in files.items()])


def _put(files: dict[int, bytearray], piece: Piece) -> None:
    content = files.setdefault(piece.file, bytearray())
    assert len(content) == piece.offset, piece
    content += piece.data


def _records(now: Replay) -> Iterator[records.Tick | records.Beat | records.Checkpoint | records.Close]:
    """The records behind the first two, as they are now."""
    while (stored := now.peek()) is not None:
        record, notes = stored.record, list(now.outcomes)
        _check_plain(record, now)
        now.step()
        over = now.world.finished is not None and now.world.tick
        match record:
            case records.Checkpoint():
                found = now.found_hash(record.tick)
                if found is not None and now.world.tick >= record.tick:
                    yield msgspec.structs.replace(record, hash=found)
            case records.Tick() | records.Beat() | records.Close() if over is not False and over < record.tick:
                yield records.Close(
                    tick=over,
                    reason="finished",
                    result=now.world.finished,
                    fingerprint=now.fingerprint,
                    outcomes=notes,
                )
                return
            case records.Tick():
                yield msgspec.structs.replace(
                    record, entries=_entries(record, now), fingerprint=now.fingerprint, outcomes=notes
                )
            case records.Beat():
                yield msgspec.structs.replace(record, fingerprint=now.fingerprint, outcomes=notes)
            case records.Close():
                finished = now.world.finished
                reason = (
                    "finished" if finished is not None else "operator" if record.reason == "finished" else record.reason
                )
                yield records.Close(
                    tick=record.tick, reason=reason, result=finished, fingerprint=now.fingerprint, outcomes=notes
                )
            case _:
                pass  # the log that is written has its own


def _check_plain(record: records.Record, now: Replay) -> None:
    """Raise `NotPossible` for what only the old code has done."""
    remedy = "play a game again, and export it"
    if isinstance(record, records.Fault):
        raise NotPossible(now.genesis.world, record.tick, "the world broke there", remedy)
    if isinstance(record, records.Tick) and any(isinstance(entry, records.CodeEntry) for entry in record.entries):
        raise NotPossible(now.genesis.world, record.tick, "its game was changed there", remedy)


def _entries(record: records.Tick, now: Replay) -> list[records.Entry]:
    """The entries that fitted, with the seqs that they have now."""
    kept: list[records.Entry] = []
    for place, applied in now.fitting.fitted if record.entries else ():
        entry = record.entries[place]
        if isinstance(entry, records.InputEntry) and isinstance(applied, Input):
            entry = msgspec.structs.replace(entry, seq=applied.seq)
        kept.append(entry)
    return kept
