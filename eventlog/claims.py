"""What a journal says of each world, found in one pass over its groups without keeping their bytes; and the bytes, in a
second pass. No I/O.

A journal may be larger than memory. So recovery first learns where each world's bytes begin and end (`Claims`), decides
from that, and then collects and writes them in batches (`Batch`).

Both passes look at every entry of a journal, millions of them: their loops are written for speed.

Invariant: what counts of a world are the entries of its highest epoch here, unless it was released after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from eventlog import groups
from eventlog.frame import BadBytes, is_world_id
from eventlog.groups import ENTRY_BYTES, ENTRY_HEADER, ENTRY_HEADER_BYTES, ENTRY_RELEASED, Group
from eventlog.piece import Piece, Release
from eventlog.redo import Run, WorldRedo, crc_behind

_unpack: Final = ENTRY_HEADER.unpack_from


class Claim:
    """What a journal says of one world in the world's highest epoch there."""

    __slots__ = ("body", "end", "epoch", "file", "left", "offset", "problem", "runs", "size", "start", "world")

    def __init__(self, world: str) -> None:
        self.world = world
        self.left = False
        """It was released, or went on elsewhere in a higher epoch."""
        self._begin(0)

    def _begin(self, epoch: int) -> None:
        self.epoch = epoch
        self.left = False
        self.problem: str | None = None
        """Entries that do not follow each other."""
        self.runs: list[Run] = []
        """All but the last."""
        self.file = 0
        self.offset = 0
        """Where in ``file`` the last run begins …"""
        self.end = -1
        """… and ends."""
        self.body = b""
        self.start = 0
        self.size = 0
        """Where in ``body`` the last entry's bytes are."""

    @property
    def stands(self) -> bool:
        """Whether the journal has bytes of this world that count."""
        return self.end >= 0 and not self.left

    @property
    def all_runs(self) -> list[Run]:
        """The adjacent bytes, file by file."""
        return [*self.runs, Run(self.file, self.offset, self.end - self.offset)]

    @property
    def last_piece(self) -> tuple[int, int, bytes]:
        """File, offset and bytes of the last entry."""
        return self.file, self.end - self.size, self.body[self.start : self.start + self.size]

    def settle(self) -> None:
        """Keep the last entry's bytes without those around it."""
        self.body, self.start = self.body[self.start : self.start + self.size], 0

    def elsewhere(self, epoch: int, *, released: bool) -> None:
        """Another journal has the world in ``epoch``, or has ``released`` it in that epoch."""
        if epoch > self.epoch or (epoch == self.epoch and released):
            self.left = True

    def take(self, kind: int, epoch: int, file: int, offset: int, length: int) -> None:
        """An entry that does not simply go on where the last one ended."""
        if epoch < self.epoch:
            return
        if epoch > self.epoch:
            self._begin(epoch)
        if kind == ENTRY_RELEASED:
            self.left = True
            return
        if self.end < 0:
            self.offset = offset
        elif file == self.file + 1 and offset == 0:
            self.runs.append(Run(self.file, self.offset, self.end - self.offset))
            self.offset = 0
        elif (file, offset) != (self.file, self.end) and self.problem is None:
            self.problem = f"{self.world}: {file}@{offset} stands where {self.file}@{self.end} belongs"
        self.file = file
        self.end = offset + length


class Claims:
    """The claims of one journal, by world."""

    def __init__(self) -> None:
        self.of: dict[str, Claim] = {}
        self.entries = 0
        self._by_key: dict[bytes, Claim] = {}

    def take(self, group: Group) -> None:
        """Take a group's entries, in order of groups. Raises `BadBytes` if they are not what its header promises."""
        body, position, size = group.body, 0, len(group.body)
        claims = self._by_key
        self.entries += group.entries
        for _ in range(group.entries):
            if size - position < ENTRY_HEADER_BYTES:
                raise BadBytes(f"group {group.number} holds fewer entries than it says")
            kind, world_length, epoch, file, length, offset = _unpack(body, position)
            start = position + ENTRY_HEADER_BYTES + world_length
            position = start + length
            if position > size:
                raise BadBytes(f"an entry of group {group.number} is longer than the group")
            claim = claims.get(body[start - world_length : start])
            if claim is None:
                claim = self._new(body[start - world_length : start], group)
            if offset == claim.end and file == claim.file and epoch == claim.epoch and kind == ENTRY_BYTES:
                claim.end = offset + length
            else:
                groups.check_kind(kind, length, group)
                claim.take(kind, epoch, file, offset, length)
                if kind != ENTRY_BYTES or epoch != claim.epoch:
                    continue
            claim.body, claim.start, claim.size = body, start, length
        if position != size:
            raise BadBytes(f"group {group.number} holds bytes after its last entry")

    def settle(self) -> None:
        """Let go of the groups' bytes, but for each world's last entry."""
        for claim in self.of.values():
            claim.settle()

    def _new(self, key: bytes, group: Group) -> Claim:
        world = key.decode("ascii", "replace")
        if not is_world_id(world):
            raise BadBytes(f"an entry of group {group.number} names no world")
        claim = self._by_key[key] = self.of[world] = Claim(world)
        return claim


def plan(claim: Claim) -> WorldRedo:
    """What is to be done for a claim that stands.

    Raises `BadBytes` if its entries do not follow each other, or the last one is not whole records in a chain.
    """
    if claim.problem is not None:
        raise BadBytes(claim.problem)
    return WorldRedo(claim.world, claim.epoch, claim.all_runs, crc_behind(*claim.last_piece))


def settle_between(claims: list[Claims], others: Iterable[Piece | Release]) -> None:
    """Let every claim know what the other journals, ``others`` among them, say of its world."""
    for mine in claims:
        for theirs in claims:
            if theirs is not mine:
                for world in mine.of.keys() & theirs.of.keys():
                    theirs_of = theirs.of[world]
                    mine.of[world].elsewhere(theirs_of.epoch, released=theirs_of.left)
    for entry in others:
        for mine in claims:
            claim = mine.of.get(entry.world)
            if claim is not None:
                claim.elsewhere(entry.epoch, released=isinstance(entry, Release))


class Batch:
    """Bytes of worlds on their way from a journal to their files; ``epochs`` says which count, by world."""

    def __init__(self, epochs: dict[str, int]) -> None:
        self._wanted = {world.encode("ascii"): (world, epoch) for world, epoch in epochs.items()}
        self._parts: dict[tuple[bytes, int], tuple[int, list[bytes]]] = {}
        self.bytes = 0

    def take(self, group: Group) -> None:
        """Collect what counts of a group. Its entries have been checked by `Claims.take`."""
        body, position, wanted, all_parts = group.body, 0, self._wanted, self._parts
        for _ in range(group.entries):
            kind, world_length, epoch, file, length, offset = _unpack(body, position)
            start = position + ENTRY_HEADER_BYTES + world_length
            key = body[start - world_length : start]
            position = start + length
            found = wanted.get(key)
            if found is None or epoch != found[1] or kind != ENTRY_BYTES:
                continue
            parts = all_parts.get((key, file))
            if parts is None:
                parts = all_parts[key, file] = (offset, [])
            parts[1].append(body[start:position])
            self.bytes += length

    def empty(self) -> Iterator[tuple[str, int, int, bytes]]:
        """Give out world, file, offset and adjacent bytes of all that was collected, and begin anew."""
        parts, self._parts, self.bytes = self._parts, {}, 0
        for key, file in sorted(parts):
            offset, pieces = parts[key, file]
            yield self._wanted[key][0], file, offset, b"".join(pieces)
