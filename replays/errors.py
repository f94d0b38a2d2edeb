"""What can go wrong with a replay. Damage to the log itself is `eventlog.errors.LogDamaged`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


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


class TickOutOfRange(ReplayError):
    """The log has no such tick: it goes from ``first_tick`` to ``last_tick``."""

    def __init__(self, world: str, tick: int, first_tick: int, last_tick: int) -> None:
        super().__init__(
            f"{world}@{tick}: the log goes from tick {first_tick} to tick {last_tick} → name a tick of these"
        )
        self.world = world
        self.tick = tick
        self.first_tick = first_tick
        self.last_tick = last_tick


class CannotFork(ReplayError):
    """No world can begin where this one was at ``tick``."""

    def __init__(self, world: str, tick: int, reason: str) -> None:
        super().__init__(f"{world}@{tick} cannot be forked: {reason} → take another tick")
        self.world = world
        self.tick = tick


class UnknownPlayer(ReplayError):
    """Nobody of this id is seated at that tick."""

    def __init__(self, world: str, tick: int, player: str, seated: Iterable[str]) -> None:
        names = ", ".join(seated) or "nobody"
        super().__init__(f"{world}@{tick} has no player {player}: seated are {names} → name one of these")
        self.world = world
        self.tick = tick
        self.player = player


class NotPossible(ReplayError):
    """What was asked cannot be done with this world, or there."""

    def __init__(self, world: str, tick: int, reason: str, remedy: str) -> None:
        super().__init__(f"{world}@{tick}: {reason} → {remedy}")
        self.world = world
        self.tick = tick


class BundleError(ReplayError):
    """The base of what goes wrong with replay files."""


class NotABundle(BundleError):
    """The file is something else."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is no replay file: it does not begin with WRPL (byte 0) → make one with `worldline replay export`"
        )
        self.path = path


class BundleDamaged(BundleError):
    """A replay file is not as it was written. ``offset`` is the byte where the damaged piece begins."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        super().__init__(f"{path} is damaged at byte {offset}: {reason} → copy it again, or export the world again")
        self.path = path
        self.offset = offset
        self.reason = reason


class BundleUnfinished(BundleError):
    """The world in a replay file had not ended when it was exported."""

    def __init__(self, path: Path, world: str, tick: int) -> None:
        super().__init__(
            f"{path} holds {world} up to tick {tick}, when it had not ended: in a data folder a server would go on "
            f"with it → export it again when it has ended; `worldline replay verify {path}` works as it is"
        )
        self.path = path
        self.world = world


class BundleExists(BundleError):
    """There is a file already where a replay file should be written."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already and holds something else → remove it, or name another with --to")
        self.path = path


class WorldDiffers(BundleError):
    """The data folder has a world of this id with another log."""

    def __init__(self, path: Path, world: str, data: Path, file: str) -> None:
        super().__init__(
            f"{world} is in {data} already, with another log than in {path} ({file} differs) → import it into another "
            f"folder with --data"
        )
        self.path = path
        self.world = world


class CodeChanged(BundleError):
    """A folder that is named by a digest holds something else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} does not hold what its digest says → restore it from a copy")
        self.folder = folder
