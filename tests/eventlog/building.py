"""Making logs for tests: records of every kind, through the real API."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.disk import Disk
from eventlog.journal import Durability, Journal, JournalOptions
from eventlog.piece import Piece
from eventlog.reader import log_end, read_world
from eventlog.records import Genesis, Record
from eventlog.ticket import Ticket
from eventlog.worldlog import WorldLog

Appendable = records.Tick | records.Beat | records.Checkpoint | records.Fault | records.Close
SHARD = 3
NEVER_S = 1e6
QUIET = JournalOptions(flush_after_s=NEVER_S, seal_after_s=NEVER_S)
"""No timer: what is in a buffer stays there, and no seal is written."""


def genesis(world: str = "w_one", **changes: object) -> Genesis:
    """A genesis with every field set."""
    fields: dict[str, object] = {
        "world": world,
        "game": "tsunami",
        "digest": "00ff" * 8,
        "seed": 2**53 - 1,
        "settings": {"waves": 3, "names": ["ä", None, 1.5]},
        "clock": "realtime",
        "owner": "a_owner",
        "ranked": True,
        "private": True,
        "engine": "11ee" * 8,
        "versions": {"luajit": "2.1", "worldline": "0.1.0"},
        "created_ms": 1_764_000_000_000,
        "forked_from": ("w_other", 17),
    } | changes
    return Genesis(**fields)  # type: ignore[arg-type]


def fingerprint(tick: int) -> bytes:
    """Eight bytes that differ from tick to tick."""
    return (tick * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big")


def input_entry(tick: int, player: str = "p_1", **changes: object) -> records.InputEntry:
    """An input with every field set."""
    fields: dict[str, object] = {
        "player": player,
        "seq": tick,
        "name": "move",
        "args": {"x": tick * 1.5, "to": "home", "deep": [{"n": tick}, None, True]},
        "note": "because the wave is near",
        "seen_tick": max(0, tick - 2),
        "observed_tick": max(0, tick - 1),
        "received_ms": 1_764_000_000_000 + tick,
    } | changes
    return records.InputEntry(**fields)  # type: ignore[arg-type]


def tick_record(tick: int, *entries: records.Entry, ticks: int = 1, ran: bool = True) -> records.Tick:
    """A tick record, with one input if no entries are given, and the outcome of that of the tick before."""
    return records.Tick(
        tick=tick,
        ticks=ticks,
        ran=ran,
        time_ms=1_764_000_000_000 + tick,
        entries=list(entries) or [input_entry(tick)],
        fingerprint=fingerprint(tick),
        outcomes=[records.OutcomeNote("p_1", tick - 1, "rejected", "too_far")],
    )


def every_kind() -> list[Appendable]:
    """Records of all kinds that can be appended, with entries of all kinds."""
    return [
        tick_record(0, records.JoinEntry("p_1", 0, "a_1", "ada", "s_1"), ran=False),
        tick_record(1, records.CodeEntry("22" * 16), records.EngineEntry("33" * 16), records.ClockEntry("realtime")),
        tick_record(2, input_entry(2), records.TimeoutEntry("p_1"), input_entry(3, note=None, seen_tick=None)),
        records.Tick(tick=3, ticks=1000, time_ms=5, fingerprint=fingerprint(3)),
        records.Beat(tick=1002, until=1092, fingerprint=fingerprint(1002), outcomes=[]),
        records.Checkpoint(1002, b"\x01" * 16, "0000001002.snap", 4096),
        tick_record(1080, records.LeaveEntry("p_1", "left", 12.5), records.AbortEntry("operator")),
        records.Fault(tick=1081, kind="timeout", last_input=("p_1", 3), fingerprint=fingerprint(1081)),
        records.Close(
            tick=1080, reason="operator", result={"winner": None}, fingerprint=fingerprint(1080), scores={"p_2": 7}
        ),
    ]


class Failures(list[Exception]):
    """Collects what a journal's ``on_failure`` was told; a test that expects none checks that it is empty."""

    def __call__(self, error: Exception) -> None:
        self.append(error)


class Recording:
    """A data folder with a journal and worlds, and what was appended to each of them."""

    def __init__(
        self,
        data: Path,
        *,
        options: JournalOptions | None = None,
        disk: Disk | None = None,
        durability: Durability = "durable",
        file_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self.data = data
        self.failures = Failures()
        self.journal = Journal.open(
            data,
            SHARD,
            on_failure=self.failures,
            options=options or QUIET,
            disk=disk,
            durability=durability,
            on_sync=self._on_sync,
            on_full=lambda full: self.room.append(str(full)),
            on_room=lambda: self.room.append("room"),
        )
        self.room: list[str] = []
        """What the journal said of the disk's room, in order."""
        self.genesis_fields: dict[str, object] = {}
        """What is different in the worlds that are begun."""
        self.syncs: list[float] = []
        self._synced = asyncio.Event()
        self.logs: dict[str, WorldLog] = {}
        self.written: dict[str, list[Record]] = {}
        self._file_bytes = file_bytes
        self._options = options

    def on(self, data: Path) -> Recording:
        """Another one with the same options."""
        return Recording(data, options=self._options, file_bytes=self._file_bytes)

    def begin(self, world: str) -> Piece:
        """Begin a world; its first piece is to be appended."""
        first = genesis(world, **self.genesis_fields)
        log = WorldLog.create(first, shard=SHARD, file_bytes=self._file_bytes)
        self.logs[world] = log
        self.written[world] = [first, records.Open(1, SHARD, first.engine)]
        return log.head

    def resume(self, world: str, written: list[Record]) -> Piece:
        """Go on with a world in which ``written`` stands; the piece is to be appended."""
        end = log_end(self.data, world)
        engine = genesis(world, **self.genesis_fields).engine
        log = WorldLog.resume(end, shard=SHARD, engine=engine, file_bytes=self._file_bytes)
        self.logs[world] = log
        self.written[world] = [*written, records.Open(log.epoch, SHARD, engine)]
        return log.head

    def piece(self, world: str, record: Appendable) -> Piece:
        """Frame a record of a world."""
        self.written[world].append(record)
        return self.logs[world].append(record)

    def create(self, *worlds: str) -> Ticket:
        """Begin worlds in one group."""
        return self.journal.append([self.begin(world) for world in worlds])

    def append(self, world: str, *appended: Appendable) -> Ticket:
        """Append records to a world."""
        return self.journal.append([self.piece(world, record) for record in appended])

    async def until_synced(self, groups: int) -> None:
        """Return when so many groups, seals included, have been synced."""
        while len(self.syncs) < groups:
            self._synced.clear()
            await self._synced.wait()

    def _on_sync(self, seconds: float) -> None:
        self.syncs.append(seconds)
        self._synced.set()

    async def turn(self) -> None:
        """Give the loop a turn, so that what was appended is handed to the writer."""
        await asyncio.sleep(0)

    def folder(self, world: str) -> Path:
        """Where a world's files are."""
        return self.data / "worlds" / world

    def segments(self) -> list[Path]:
        """The journal's segments."""
        return begun_segments(self.journal.folder)

    def check(self) -> None:
        """Every world reads back as what was appended to it, and nothing has failed."""
        assert self.failures == []
        for world, written in self.written.items():
            assert plain(read_world(self.data, world)) == written


def begun_segments(folder: Path) -> list[Path]:
    """The journal segments in or under a folder that have a header: the one that is made ready has none yet.

    Of a running journal: its writer may remove one while we look."""
    return [path for path in sorted(folder.rglob("*.journal")) if _first_bytes(path) == b"WJNL"]


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except FileNotFoundError:
        return b""


def crash(data: Path, copy: Path) -> Path:
    """Copy what is on the disk now, as kill -9 would leave it, while its journal goes on."""
    while True:
        try:
            for name in ("journal", "worlds"):  # in the order in which every reader looks: a file may grow meanwhile
                if (data / name).is_dir():
                    shutil.copytree(data / name, copy / name)
        except (shutil.Error, FileNotFoundError):
            shutil.rmtree(copy)  # a segment was removed while we copied: that is no moment at which a crash could be
        else:
            return copy


def plain(stored: Iterable[StoredRecord]) -> list[Record]:
    """The records without their places."""
    return [each.record for each in stored]
