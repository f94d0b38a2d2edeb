"""Replay files: a world with all that it takes to compute it again, out of one data folder and into another.

A replay file holds a world's log byte for byte (an archived log as it was before), the code and the engines that it
names, and its snapshots as keyframes. `export_world` writes one from the data folder of a server, running or not;
`import_bundle` puts the world into a data folder; `unpacked` gives a folder that is thrown away afterwards.

A world that has not ended is exported up to its durable end. Such a file can be verified and looked at, but is not
imported: a server would take the world for one of its own that broke off, and go on with it.

Not here: the bytes of the file (``bundle_file.py``).

Invariant: what is written, and what is taken in, is a log without damage with exactly the code and the engines that
it names, each as its digest says. In a data folder an imported world appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from eventlog import frame, limits, records
from eventlog.addition import add_world
from eventlog.chain import Chain, StoredRecord
from eventlog.disk import Disk, RealDisk
from eventlog.errors import FormatTooNew, LogDamaged, StoreNotWritable, UnknownWorld
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.reader import read_world
from eventlog.snapshot_file import Snapshot, decode_snapshot
from eventlog.snapshots import FOLDER, Snapshots, snapshot_name
from eventlog.store import Store
from eventlog.worldbytes import WorldBytes
from games.code import digest_of
from replays.bundle_file import CODE, ENGINE, LOG, SNAPSHOT, BundleReader, BundleWriter, Member
from replays.errors import BundleDamaged, BundleExists, BundleUnfinished, CodeChanged, WorldDiffers

SUFFIX = ".replay"


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay file holds, in words and figures."""

    path: str
    world: str
    game: str
    last_tick: int
    ended: bool
    files: int
    """Of the log."""
    log_bytes: int
    keyframes: int
    bytes: int
    """Of the replay file."""
    there_already: bool
    """It had been exported, or imported, before: nothing was written."""


# --- out of a data folder --------------------------------------------------------------------------------


def export_world(data: Path, world: str, target: Path, *, keyframes: bool = True, replace: bool = False) -> Contents:
    """Write the replay file of ``world`` (a whole id) in the data folder ``data``; durable on return.

    ``keyframes``: with its snapshots. ``replace``: also in place of another file. A server may be running on the
    folder. Raises `BundleExists`, `CodeChanged`, OSError, and the errors of ``eventlog``: a damaged log is not
    exported.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with temporary.open("w+b") as file:
            written = _write(file, data, world, keyframes=keyframes)
            file.flush()
            os.fsync(file.fileno())
        same = target.exists() and _same_bytes(temporary, target)
        if not same:
            if target.exists() and not replace:
                raise BundleExists(target)
            temporary.rename(target)
            RealDisk().sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return msgspec.structs.replace(written, path=str(target), bytes=target.stat().st_size, there_already=same)


def _write(file: BinaryIO, data: Path, world: str, *, keyframes: bool) -> Contents:
    log = _Log()
    for stored in read_world(data, world):
        log.take(stored)
    writer = BundleWriter(file, world)
    source = WorldBytes.look(data, world)
    chain = Chain(world)
    log_bytes = 0
    for number in range(1, log.file + 1):
        content = source.read(number)
        source.report_damage(number, chain.tick)
        if number == log.file:
            content = content[: log.end]  # a running server may have written more since
        for _ in _records(chain, source.path(number), number, content):
            pass  # every checksum of what is written here is looked at
        writer.add(LOG, frame.file_name(number), content)
        log_bytes += len(content)
    snapshots = _snapshots(data, world, log) if keyframes else []
    for snapshot in snapshots:
        name = snapshot_name(snapshot.tick)
        writer.add(SNAPSHOT, name, (data / "worlds" / world / FOLDER / name).read_bytes())
    store = Store.read_only(data)
    _write_folders(writer, CODE, {digest: store.get_code(digest) for digest in sorted(log.codes)}, data / "code")
    _write_folders(
        writer, ENGINE, {digest: store.get_engine(digest) for digest in sorted(log.engines)}, data / "engine"
    )
    writer.finish()
    return Contents(
        path="",
        world=world,
        game=log.game,
        last_tick=chain.tick,
        ended=log.ended,
        files=log.file,
        log_bytes=log_bytes,
        keyframes=len(snapshots),
        bytes=0,
        there_already=False,
    )


def _write_folders(writer: BundleWriter, kind: int, folders: dict[str, dict[str, bytes]], parent: Path) -> None:
    for digest, files in folders.items():
        if digest_of(files) != digest:
            raise CodeChanged(parent / digest)
        for name in sorted(files):
            writer.add(kind, name, files[name], group=digest)


def _snapshots(data: Path, world: str, log: _Log) -> list[Snapshot]:
    """Those that can be used with this much of the log, ascending."""
    found = [
        snapshot
        for snapshot in Snapshots(data, world).usable()
        if (snapshot.position.file, snapshot.position.offset) <= (log.file, log.end)
        and snapshot.code in log.codes
        and snapshot.engine in log.engines
    ]
    return sorted(found, key=lambda snapshot: snapshot.tick)


def _same_bytes(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


# --- into a data folder ----------------------------------------------------------------------------------


def import_bundle(path: Path, data: Path, *, disk: Disk | None = None) -> Contents:
    """Put the world in a replay file into the data folder ``data``, which is made if it is not there; durable on
    return.

    No lock is needed, also beside a running server: code and engines are kept by digest, the world is new to everybody
    and appears with one rename, and having ended it is nobody's to go on with. Raises `BundleUnfinished`,
    `WorldDiffers`, `StoreNotWritable`, and what `BundleReader` and reading raise. Whatever happens, the
    world is there whole or not at all; trying again does no harm.
    """
    disk = disk or RealDisk()
    with BundleReader(path) as bundle:
        log = _check(bundle)
        if not log.ended:
            raise BundleUnfinished(path, bundle.world, log.tick)
        known = _is_known(bundle, data)
        try:
            store = Store.attach(data)
            for digest, files in _folders(bundle, CODE).items():
                store.put_code(digest, files)
            for digest, files in _folders(bundle, ENGINE).items():
                store.put_engine(digest, files)
            if not known:
                add_world(disk, data, bundle.world, _world_files(bundle))
        except OSError as error:
            raise StoreNotWritable(data, error) from error
        return _contents(bundle, log, there_already=known)


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, str]]:
    """Give a data folder that holds the world in a replay file and nothing else, and the world's id.

    The folder is gone afterwards. Raises what `BundleReader` and reading raise, and OSError.
    """
    with tempfile.TemporaryDirectory(prefix="worldline-replay-") as folder, BundleReader(path) as bundle:
        _check(bundle)
        data = Path(folder)
        for name, content in _world_files(bundle):
            _write_plainly(data / "worlds" / bundle.world / name, content)
        for kind, parent in ((CODE, "code"), (ENGINE, "engine")):
            for digest, files in _folders(bundle, kind).items():
                for name, content in files.items():
                    _write_plainly(data / parent / digest / name, content)
        yield data, bundle.world


def _write_plainly(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _world_files(bundle: BundleReader) -> Iterator[tuple[str, bytes]]:
    for member in bundle.of_kind(LOG):
        yield member.name, bundle.read(member)
    for member in bundle.of_kind(SNAPSHOT):
        yield f"{FOLDER}/{member.name}", bundle.read(member)


def _folders(bundle: BundleReader, kind: int) -> dict[str, dict[str, bytes]]:
    """Digest → the files of its folder."""
    found: dict[str, dict[str, bytes]] = {}
    for member in bundle.of_kind(kind):
        found.setdefault(member.group, {})[member.name] = bundle.read(member)
    return found


def _is_known(bundle: BundleReader, data: Path) -> bool:
    """Whether the data folder has this world, with the same log. Raises `WorldDiffers`."""
    try:
        source = WorldBytes.look(data, bundle.world)
    except UnknownWorld:
        return False
    members = bundle.of_kind(LOG)
    for number, member in enumerate(members, 1):
        if source.read(number) != bundle.read(member):
            raise WorldDiffers(bundle.path, bundle.world, data, member.name)
    if source.last_file != len(members):
        raise WorldDiffers(bundle.path, bundle.world, data, frame.file_name(len(members) + 1))
    return True


# --- what a log says -------------------------------------------------------------------------------------


class _Log:
    """What the records of a log name, and how far it goes."""

    def __init__(self) -> None:
        self.game = ""
        self.codes: set[str] = set()
        self.engines: set[str] = set()
        self.ended = False
        self.tick = 0
        self.file = 0
        self.end = 0
        """The byte behind the last record, in ``file``."""

    def take(self, stored: StoredRecord) -> None:
        """Take the next record."""
        self.file, self.end = stored.file, stored.offset + stored.bytes
        self.tick = records.last_tick_of(stored.record, self.tick)
        match stored.record:
            case records.Genesis() as genesis:
                self.game = genesis.game
                self.codes.add(genesis.digest)
                self.engines.add(genesis.engine)
            case records.Open() as opening:
                self.engines.add(opening.engine)
            case records.Tick() as tick:
                self.codes.update(entry.digest for entry in tick.entries if isinstance(entry, records.CodeEntry))
                self.engines.update(entry.digest for entry in tick.entries if isinstance(entry, records.EngineEntry))
            case records.Close() | records.Fault():
                self.ended = True
            case records.Origin() as origin:
                self.codes.add(origin.code)
            case records.Beat() | records.Checkpoint():
                pass


def _records(chain: Chain, path: Path, number: int, content: bytes) -> Iterator[StoredRecord]:
    """The records of the next file of a log, whole. Raises `LogDamaged`, `FormatTooNew`."""
    try:
        chain.begin_file(path, number, content)
        yield from chain.records(path, content)
    except Unfinished:
        at = chain.offset if chain.file == number else 0
        raise LogDamaged(chain.world, chain.tick, path, at, "it ends inside a record") from None


def _check(bundle: BundleReader) -> _Log:
    """Read everything in a replay file. Raises `BundleDamaged`, `FormatTooNew`."""
    log, chain = _Log(), Chain(bundle.world)
    members = bundle.of_kind(LOG)
    if not members:
        raise BundleDamaged(bundle.path, 0, "it holds no log")
    for number, member in enumerate(members, 1):
        if member.name != frame.file_name(number):
            raise BundleDamaged(bundle.path, bundle.offset(member), f"{frame.file_name(number)} is missing in it")
        try:
            for stored in _records(chain, bundle.path / member.name, number, bundle.read(member)):
                log.take(stored)
        except LogDamaged as damage:
            reason = f"{member.name} is damaged at its byte {damage.offset}: {damage.reason}"
            raise BundleDamaged(bundle.path, bundle.offset(member), reason) from None
    for member in bundle.of_kind(SNAPSHOT):
        _check_snapshot(bundle, member)
    for kind, named, what in ((CODE, log.codes, "code"), (ENGINE, log.engines, "engine")):
        folders = _folders(bundle, kind)
        for digest in sorted(named ^ folders.keys()):
            reason = f"it lacks {what} {digest}" if digest in named else f"its log names no {what} {digest}"
            raise BundleDamaged(bundle.path, 0, reason)
        for digest, files in folders.items():
            if digest_of(files) != digest:
                at = next(bundle.offset(member) for member in bundle.of_kind(kind) if member.group == digest)
                raise BundleDamaged(bundle.path, at, f"the {what} {digest} does not match its digest")
    return log


def _check_snapshot(bundle: BundleReader, member: Member) -> None:
    at = bundle.offset(member)
    try:
        snapshot = decode_snapshot(bundle.read(member))
    except UnknownVersion as unknown:
        raise FormatTooNew(bundle.path / member.name, unknown.version, limits.SNAPSHOT_VERSION) from None
    except (BadBytes, Unfinished) as bad:
        raise BundleDamaged(bundle.path, at, f"{member.name}: {bad or 'it ends too early'}") from None
    if (snapshot.position.world, snapshot_name(snapshot.tick)) != (bundle.world, member.name):
        raise BundleDamaged(bundle.path, at, f"{member.name} is of {snapshot.position.world} at tick {snapshot.tick}")


def _contents(bundle: BundleReader, log: _Log, *, there_already: bool) -> Contents:
    return Contents(
        path=str(bundle.path),
        world=bundle.world,
        game=log.game,
        last_tick=log.tick,
        ended=log.ended,
        files=len(bundle.of_kind(LOG)),
        log_bytes=sum(member.plain_bytes for member in bundle.of_kind(LOG)),
        keyframes=len(bundle.of_kind(SNAPSHOT)),
        bytes=bundle.path.stat().st_size,
        there_already=there_already,
    )
