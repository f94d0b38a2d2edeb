"""The records of a world's log and the entries of its tick records: the vocabulary of the event log.

A record is one MessagePack array: its kind (a small integer, also in the frame around it), then its fields in the
order below. An entry is written the same way inside a tick record. ``docs/reference/log-format.md`` is the
published form of this file.

Not here: bytes around a record (``frame.py``), and any meaning of inputs: args are whatever the game was given.

Invariant: the field order of a released format version never changes; a change is a new format version.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

FINGERPRINT_BYTES: Final = 8

Natural = Annotated[int, msgspec.Meta(ge=0)]
Bytes = bytes  # a name that Checkpoint's field `bytes` does not hide
Fingerprint = Annotated[bytes, msgspec.Meta(min_length=FINGERPRINT_BYTES, max_length=FINGERPRINT_BYTES)]


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What all stored structs share: positional, immutable, strict."""


# --- entries, in the order in which they were applied ------------------------------------------------


class CodeEntry(_Stored, frozen=True, tag=1):
    """From here on the world runs the game code with this digest. First in its tick.

    In a record between ticks, of tick t, it also says that the world stands after t: a record of tick t + 1 right
    before this one was undone, and what it holds never happened.
    """

    digest: str


class EngineEntry(_Stored, frozen=True, tag=2):
    """From here on the world runs on the engine (Lua prelude) with this digest. First in its tick."""

    digest: str


class ClockEntry(_Stored, frozen=True, tag=3):
    """From here on the world has this clock policy (a fork that starts to play)."""

    clock: str


class JoinEntry(_Stored, frozen=True, tag=4):
    """An agent takes a seat as a new player."""

    player: str
    seat: Natural
    agent: str
    name: str
    session: str


class LeaveEntry(_Stored, frozen=True, tag=5):
    """A player gives its seat back; ``reason``: left, timeout, …; ``score`` is what it had before this tick."""

    player: str
    reason: str
    score: int | float | None = None


class InputEntry(_Stored, frozen=True, kw_only=True, tag=6):
    """A player's input, with its args as they were given to the game."""

    player: str
    seq: Annotated[int, msgspec.Meta(ge=1)]
    name: str
    args: dict[str, Any]
    note: str | None = None
    """What the agent said about why."""
    seen_tick: Natural | None = None
    """The tick that the agent says it acted on."""
    observed_tick: Natural | None = None
    """The tick of the last observation that was really sent to this player."""
    received_ms: Natural
    """Unix time at which the server received it."""


class TimeoutEntry(_Stored, frozen=True, tag=7):
    """A player did not act before the deadline: its default was applied."""

    player: str


class AbortEntry(_Stored, frozen=True, tag=8):
    """An operator stops the world."""

    reason: str


Entry = CodeEntry | EngineEntry | ClockEntry | JoinEntry | LeaveEntry | InputEntry | TimeoutEntry | AbortEntry


class OutcomeNote(_Stored, frozen=True):
    """What became of an input: ``code`` says why it was rejected."""

    player: str
    seq: int
    status: Literal["applied", "rejected"]
    code: str | None = None


# --- records -----------------------------------------------------------------------------------------


class Genesis(_Stored, frozen=True, kw_only=True, tag=1):
    """All that a world is before its first tick. The first record of every log."""

    world: str
    game: str
    digest: str
    """Of the game's code: see ``code/<digest>/`` in the data folder."""
    seed: Natural
    settings: dict[str, Any] = {}
    clock: str = "realtime"
    owner: str | None = None
    ranked: bool = False
    private: bool = False
    engine: str
    """Digest of the Lua prelude: see ``engine/<digest>/`` in the data folder."""
    versions: dict[str, str] = {}
    """Of LuaJIT, lupa and Worldline."""
    created_ms: Natural
    forked_from: tuple[str, Natural] | None = None
    """World and tick that this one branched off."""


class Open(_Stored, frozen=True, tag=2):
    """A shard begins to write: its first record in a world. Epochs rise with every open."""

    epoch: Annotated[int, msgspec.Meta(ge=1)]
    shard: Natural
    engine: str


class Tick(_Stored, frozen=True, kw_only=True, tag=3):
    """A tick with entries, or ``ticks`` ticks from ``tick`` on without entries.

    ``ran`` false: the entries were applied between ticks, after ``tick``. ``fingerprint`` and ``outcomes`` are those of
    what was executed since the tick or beat record before this one, whose inputs the outcomes belong to.
    """

    tick: Natural
    ticks: Annotated[int, msgspec.Meta(ge=1)] = 1
    ran: bool = True
    time_ms: Natural
    """Unix time at which the shard began the tick."""
    entries: list[Entry] = []
    fingerprint: Fingerprint
    outcomes: list[OutcomeNote] = []


class Beat(_Stored, frozen=True, kw_only=True, tag=4):
    """A promise: the world may be shown up to tick ``until`` without a further record."""

    tick: Natural
    until: Natural
    fingerprint: Fingerprint
    outcomes: list[OutcomeNote] = []


class Checkpoint(_Stored, frozen=True, tag=5):
    """A snapshot of the state after ``tick`` exists; may stand anywhere after its tick."""

    tick: Natural
    hash: Bytes
    """The canonical hash of the whole state."""
    snapshot: str
    """File name in the world's ``snapshots`` folder."""
    bytes: Natural


class Fault(_Stored, frozen=True, kw_only=True, tag=6):
    """``tick`` was not run: it broke, or killed its shard. Inputs in a tick record of that tick were not applied."""

    tick: Natural
    kind: str
    last_input: tuple[str, int] | None = None
    """Player and seq of the last input before the fault."""
    fingerprint: Fingerprint
    outcomes: list[OutcomeNote] = []


class Close(_Stored, frozen=True, kw_only=True, tag=7):
    """The end of a world: nothing follows. ``result`` is the game's own, if it finished by its rules; ``scores`` are
    those of who was seated then, by player."""

    tick: Natural
    reason: str
    result: Any = None
    fingerprint: Fingerprint
    outcomes: list[OutcomeNote] = []
    scores: dict[str, int | float] = {}


class Origin(_Stored, frozen=True, kw_only=True, tag=8):
    """The state that a fork begins with: the world as its parent was after ``tick``, with every seat vacant.

    ``parts`` of these, in order, follow the genesis of a world that was forked from another, before its first open
    record; all fields but ``part`` and ``state`` are the same in each. Their states together are one zlib stream.
    """

    tick: Natural
    part: Annotated[int, msgspec.Meta(ge=1)]
    """1, 2, 3 … ``parts``."""
    parts: Annotated[int, msgspec.Meta(ge=1)]
    code: str
    """Digest of the game's code that runs there; another one than that in the genesis if the parent was reloaded."""
    hash: Bytes
    """The canonical hash of the whole state."""
    state: Bytes


Record = Genesis | Open | Tick | Beat | Checkpoint | Fault | Close | Origin

KIND_OF: Final[dict[type, int]] = {
    Genesis: 1,
    Open: 2,
    Tick: 3,
    Beat: 4,
    Checkpoint: 5,
    Fault: 6,
    Close: 7,
    Origin: 8,
}
NAME_OF: Final[dict[type, str]] = {kind: kind.__name__.lower() for kind in KIND_OF}
assert all(kind.__struct_config__.tag == number for kind, number in KIND_OF.items())  # type: ignore[attr-defined]

encode: Final = msgspec.msgpack.Encoder().encode
"""A record's payload. Raises TypeError for args that MessagePack cannot hold."""

_decoder: Final = msgspec.msgpack.Decoder(Record)


def decode(payload: bytes | memoryview) -> Record:
    """The record in ``payload``. Raises `msgspec.DecodeError` (also for values out of range) if there is none."""
    try:
        record: Record = _decoder.decode(payload)
    except UnicodeDecodeError as error:  # the one error of the library that is not its own
        raise msgspec.DecodeError(f"a text in it is not UTF-8: {error}") from error
    return record


def goes_back_to(record: Record) -> int | None:
    """The tick that a record takes the world back to, which may be the one before the last; None for most records."""
    if isinstance(record, Tick) and not record.ran and record.entries and isinstance(record.entries[0], CodeEntry):
        return record.tick
    return None


def undoes(record: Record, before: Tick) -> bool:
    """Whether ``record``, which follows the tick record ``before``, takes its tick back."""
    back_to = goes_back_to(record)
    return back_to is not None and before.ran and back_to < before.tick


def last_tick_of(record: Record, before: int) -> int:
    """The tick that the world's log has reached with ``record``, when it had reached ``before``.

    A checkpoint may speak of the past, an open of nothing; a fault takes back the tick that did not run.
    """
    match record:
        case Tick():
            return record.tick + record.ticks - 1
        case Beat() | Close() | Origin():
            return record.tick
        case Fault():
            return max(0, record.tick - 1)
        case Genesis():
            return 0
        case Open() | Checkpoint():
            return before
