"""The page on which a shard says which world it is calling right now, for the supervisor that watches it.

LuaJIT cannot be interrupted from inside, and a thread of the shard itself would hide a hang: while Lua runs it goes on
beating. So the shard writes a note into a small shared mapping before every call into Lua and clears it after; the
supervisor reads it and judges (`CallWatch`): one call that has used too much processor time, or very much more time by
the clock, is a world that will not come back, and its shard is killed.

Processor time, not time by the clock: a machine that is paused or overloaded must not cost anybody a world.

Not here: who reads the page and kills (``server/minding.py``), whose fault a death is (``server/blame.py``).
Nor the calls of games that are tried out (``replays/calls.py``): those run many ticks of one world in one call, and are
described in words, while here a note is made for each input.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple

import msgspec

Kind = Literal["setup", "entries", "tick", "observe", "view", "save", "restore"]
"""What a world is called for. ``restore``: to run again, as many at a time as it likes, what ran before."""

KINDS: Final[tuple[Kind, ...]] = ("setup", "entries", "tick", "observe", "view", "save", "restore")
# The call's number stands first and is written last: 0 = no call. Equal numbers in two readings mean the same call.
_NUMBER: Final = struct.Struct("<Q")
_BODY: Final = struct.Struct("<QB7x40s")  # tick, kind, world
PAGE_BYTES: Final = 64
assert _NUMBER.size + _BODY.size == PAGE_BYTES

WATCH_EVERY_S: Final = 0.1
WALL_FACTOR: Final = 10.0  # a call may take this many times its processor time by the clock: machines pause
LOOK_COUNTS_S: Final = 0.5
"""At most so much time counts between two looks: if there was more, the watch stood still, as did the machine."""
RESTORE_FACTOR: Final = 100.0
"""A call that restores runs the ticks of one record: at most this many times what one tick may take."""


class Call(msgspec.Struct, frozen=True):
    """One call into Lua that has not returned. ``number`` tells calls of one shard apart."""

    number: int
    world: str
    tick: int
    kind: Kind


class CallPage:
    """The shard's end: ``with page.during(world, tick, "tick"): …`` around each call into Lua."""

    def __init__(self, path: Path) -> None:
        """Map the page at ``path``, which the supervisor has made. Raises OSError."""
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), PAGE_BYTES)
        self._number = 0

    def during(self, world: str, tick: int, kind: Kind) -> CallPage:
        """Note the call that follows; the ``with`` block's end clears the note. Calls do not nest."""
        self._number += 1
        _BODY.pack_into(self._page, _NUMBER.size, tick, KINDS.index(kind), world.encode())
        _NUMBER.pack_into(self._page, 0, self._number)
        return self

    def __enter__(self) -> None:
        """Nothing: `during` has written the note."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the note."""
        _NUMBER.pack_into(self._page, 0, 0)


class CallReader:
    """The supervisor's end. Makes the page, before the shard starts."""

    def __init__(self, path: Path) -> None:
        """Make an empty page at ``path``. Raises OSError."""
        path.write_bytes(bytes(PAGE_BYTES))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), PAGE_BYTES, prot=mmap.PROT_READ)

    def read(self) -> Call | None:
        """Return the call that is under way; None if there is none.

        A call that has only just begun may be read half-written; its number will not be the same next time.
        """
        (number,) = _NUMBER.unpack_from(self._page, 0)
        if number == 0:
            return None
        tick, kind, world = _BODY.unpack_from(self._page, _NUMBER.size)
        name = world.rstrip(b"\0").decode("ascii", "replace")
        return Call(number=number, world=name, tick=tick, kind=KINDS[min(kind, len(KINDS) - 1)])


class Stuck(NamedTuple):
    """A call that does not come back: ``why``. ``busy``: it used up its processor time; else only time has passed."""

    why: str
    busy: bool


class CallWatch:
    """Judges one shard's calls. No clock, no I/O: the caller says what it read, and when."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._call: Call | None = None
        self._since_cpu_s = 0.0
        self._took_s = 0.0
        self._looked_s = 0.0

    def judge(self, call: Call | None, cpu_s: float, now_s: float) -> Stuck | None:
        """Return why the shard must be killed, or None.

        ``cpu_s`` is the processor time that the shard has used in its life, ``now_s`` the time on any steady clock.
        """
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        if call is None or self._call is None or call.number != self._call.number:
            self._call, self._since_cpu_s, self._took_s = call, cpu_s, 0.0
            return None
        self._took_s += min(passed_s, LOOK_COUNTS_S)
        used_s = cpu_s - self._since_cpu_s
        timeout_s = self._timeout_s * (RESTORE_FACTOR if call.kind == "restore" else 1.0)
        if used_s <= timeout_s and self._took_s <= WALL_FACTOR * timeout_s:
            return None
        return Stuck(
            f"{call.world}@{call.tick} does not come back from {call.kind}: "
            f"{used_s:.1f} s of processor time, {self._took_s:.1f} s by the clock in one call",
            busy=used_s > timeout_s,
        )
