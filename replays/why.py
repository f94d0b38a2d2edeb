"""What has changed a value? The last entries and ticks after which something else stood at a path of a world.

A replay goes back through the log in spans, and looks at the path after every tick of each. In a tick that has changed
it, the entries are applied one by one to a copy of the world.

Not here: paths (``games/runtime/plain.py``).
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Any, Final, Literal

import msgspec

from eventlog import records
from games.errors import StateNotSaveable
from games.runtime.plain import Path, packed_at
from games.runtime.world import World
from replays.execution import starts_at
from replays.outline import Outline, outline
from replays.replay import Replay
from replays.seeing import replay_at
from replays.words import entry_text

SPAN_TICKS: Final = 600


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """At ``tick`` the value changed from ``before`` to ``after``; left out where nothing stood there.

    ``by``: an ``entry`` of the log, with its note; the ``tick`` itself; ``setup``; or the ``beginning`` of what is left
    of the log.
    """

    tick: int
    by: Literal["entry", "tick", "setup", "beginning"]
    text: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET
    note: str | None = None


def why(
    data: File, world: str, tick: int | None, path: Path, *, last: int = 5, entries_only: bool = False
) -> list[Change]:
    """The ``last`` changes of what stands at ``path`` up to ``tick`` (None: the end of the log), the latest first.

    ``entries_only``: what ticks have changed by themselves does not count. Raises what `replay_at` does.
    """
    known = outline(data, world)
    walk = replay_at(data, world, tick, known=known)
    found: list[Change] = []
    end = walk.world.tick
    while end > known.first_tick and len(found) < last:
        begin = max(known.first_tick, end - SPAN_TICKS)
        for changed in reversed(_changing_ticks(walk, begin, end, path)):
            changes = _attributed(walk, changed, path)
            found += [each for each in reversed(changes) if not entries_only or each.by == "entry"]
            if len(found) >= last:
                break
        end = begin
    if len(found) < last and (first := _first(walk, known, path)) is not None:
        found.append(first)
    return found[:last]


def _changing_ticks(walk: Replay, begin: int, end: int, path: Path) -> list[int]:
    """The ticks after which another value stands there than before."""
    walk.seek(begin)
    before, found = packed_at(walk.world, path), []
    for tick in range(begin + 1, end + 1):
        after = packed_at(walk.advance(tick), path)
        if after != before:
            found.append(tick)
        before = after
    return found


def _attributed(walk: Replay, tick: int, path: Path) -> list[Change]:
    """The changes at ``tick``, in order. ``walk`` stands after it then."""
    changes: list[Change] = []
    walk.seek(tick - 1)
    value = packed_at(walk.world, path)
    while (stored := walk.peek()) is not None:
        record = stored.record
        starts = starts_at(record)
        if starts is not None and starts > tick:
            break
        if isinstance(record, records.Tick) and record.tick == tick and record.entries:
            if not record.ran:
                walk.run_empty(tick)
                value = _by_tick(walk, tick, value, path, changes)
            changes_here, value = _by_entries(walk, record, value, path)
            changes += changes_here
        if isinstance(record, records.Tick) and record.tick + record.ticks - 1 > tick:
            break
        walk.step()
    walk.advance(tick)
    _by_tick(walk, tick, value, path, changes)
    return changes


def _by_tick(walk: Replay, tick: int, value: bytes | None, path: Path, changes: list[Change]) -> bytes | None:
    """Note what the tick itself has changed, which has run; returns what stands there now."""
    after = packed_at(walk.world, path)
    if after != value:
        changes.append(_change(tick, "tick", "the tick itself: game.tick, or a timer", value, after))
    return after


def _by_entries(
    walk: Replay, record: records.Tick, value: bytes | None, path: Path
) -> tuple[list[Change], bytes | None]:
    """Apply the entries of a record one by one to a copy of the world, and note what each changed."""
    changes: list[Change] = []
    copy = _copy(walk)
    for logged in record.entries if copy is not None else ():
        if copy is None or isinstance(logged, records.CodeEntry):
            continue
        entry = walk.runnable(record.tick, logged)
        copy.apply([entry], step=False)
        after = packed_at(copy, path)
        if after != value:
            note = logged.note if isinstance(logged, records.InputEntry) else None
            changes.append(_change(record.tick, "entry", entry_text(entry), value, after, note))
        value = after
    return changes, value


def _copy(walk: Replay) -> World | None:
    try:
        return World.restore(walk.world.code, walk.world.snapshot(), engine=walk.world.engine)
    except StateNotSaveable:
        return None  # then it cannot be told apart from the tick


def _first(walk: Replay, known: Outline, path: Path) -> Change | None:
    """How the value came to be there at all, if it has been there from the beginning."""
    there = packed_at(walk.seek(known.first_tick), path)
    if there is None:
        return None
    if known.first_tick:
        return _change(known.first_tick, "beginning", "as it was where the log begins", None, there)
    return _change(0, "setup", "setup, or those who joined before the first tick", None, there)


def _change(
    tick: int,
    by: Literal["entry", "tick", "setup", "beginning"],
    text: str,
    before: bytes | None,
    after: bytes | None,
    note: str | None = None,
) -> Change:
    return Change(tick=tick, by=by, text=text, before=_value(before), after=_value(after), note=note)


def _value(packed: bytes | None) -> Any:
    return msgspec.UNSET if packed is None else msgspec.msgpack.decode(packed)
