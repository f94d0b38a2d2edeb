"""What can go wrong with a replay. Damage to the log itself is `eventlog.errors.LogDamaged`."""

from __future__ import annotations


class ReplayError(Exception):
    """The base of what goes wrong with a replay."""


class Diverged(ReplayError):
    """The re-executed world did something else than the recorded one, or has come to another state.

    ``tick`` is the tick of the first record that differs, ``file`` and ``offset`` (in bytes) its place in the log;
    what differs happened after the record before it. ``expected`` is the recorded fingerprint, ``got`` the new one. If
    the record is a checkpoint, they are hashes of the state after its tick, and ``checkpoint`` names its snapshot.
    """

    def __init__(
        self, world: str, tick: int, file: str, offset: int, expected: bytes, got: bytes, *, checkpoint: str = ""
    ) -> None:
        what = f"checkpoint {checkpoint} says" if checkpoint else "log says"
        super().__init__(
            f"{world}@{tick} diverged: the {what} {expected.hex()}, re-execution {got.hex()} ({file}, byte {offset}) "
            f"→ look between this record and the one before it with `worldline log show {world}`"
        )
        self.world = world
        self.tick = tick
        self.file = file
        self.offset = offset
        self.expected = expected
        self.got = got
        self.checkpoint = checkpoint


class CannotReplay(ReplayError):
    """The log holds something that this version cannot re-execute, or a world that breaks where it did not before."""

    def __init__(self, world: str, tick: int, reason: str) -> None:
        super().__init__(f"{world}@{tick} cannot be re-executed: {reason} → use the version of Worldline that wrote it")
        self.world = world
        self.tick = tick
