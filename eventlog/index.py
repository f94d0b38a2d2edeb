"""``index.sqlite``: what listings and leaderboards ask of worlds, so that no log need be read for it. A cache.

Everything in it comes from the logs; losing it loses nothing. Each world's row is kept with facts about the world's
folder (names, sizes and times of its files) and a checksum of the row. Who reads compares both: a row that is not right
is as good as none.

Not here: how the rows are found out (``listing.py``).

Invariant: a world and its players change in one transaction.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from eventlog.summary import WorldInfo

NAME: Final = "index.sqlite"
VERSION: Final = 3
"""Of the tables. An index of another version is made anew."""
WAIT_S: Final = 2.0
"""For another process that is just writing."""

_TABLES: Final = """
CREATE TABLE worlds (
    world TEXT PRIMARY KEY, game TEXT NOT NULL, digest TEXT NOT NULL, clock TEXT NOT NULL, created_ms INTEGER NOT NULL,
    ended_ms INTEGER, status TEXT NOT NULL, reason TEXT, result TEXT, last_tick INTEGER NOT NULL,
    bytes INTEGER NOT NULL, archived INTEGER NOT NULL, ranked INTEGER NOT NULL, owner TEXT,
    private INTEGER NOT NULL, facts TEXT NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE players (
    world TEXT NOT NULL, number INTEGER NOT NULL, player TEXT NOT NULL, agent TEXT NOT NULL, name TEXT NOT NULL,
    seat INTEGER NOT NULL, joined_tick INTEGER NOT NULL, left_tick INTEGER, left_reason TEXT, score REAL,
    PRIMARY KEY (world, number)
) WITHOUT ROWID;
CREATE INDEX players_by_agent ON players (agent);
"""


class PlayerListing(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who played in a world."""

    player: str
    agent: str
    name: str
    seat: int
    joined_tick: int
    left_tick: int | None = None
    """None for who stayed to the end, or still plays."""
    left_reason: str | None = None
    score: float | None = None
    """What it had when it left, or when the world was closed; None while it plays, and for who was kicked."""


class WorldListing(msgspec.Struct, frozen=True, kw_only=True):
    """All that a listing can tell of a world."""

    info: WorldInfo
    result: Any
    """The game's own, as JSON has it; None if it gave none."""
    players: list[PlayerListing]
    """In the order in which they joined."""


class IndexedWorld(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the index: a listing, and how the world's folder was when that was right."""

    listing: WorldListing
    facts: str
    """See `folder_facts`; empty: never to be believed, because it was changing."""


class IndexBroken(Exception):
    """The file is no index, or of another version, or damaged. Says what is wrong."""


def folder_facts(data: Path, world: str) -> str:
    """Names, sizes and times of change of all files in a world's folder: if one changes, so does this text."""
    folder = data / "worlds" / world
    facts = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # it goes while we look: then it is not there
            found = path.stat()
            facts.append((path.relative_to(folder).as_posix(), found.st_size, found.st_mtime_ns))
    return msgspec.json.encode(facts).decode()


class Index:
    """The index of a data folder. Make it with `open` or `create`; close it when done."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Not for callers: use `open` or `create`."""
        self._connection = connection

    @classmethod
    @contextlib.contextmanager
    def open(cls, data: Path) -> Iterator[Index | None]:
        """The index of the data folder ``data``, or None if there is none. Raises `IndexBroken`."""
        path = data / NAME
        if not path.exists():
            yield None
            return
        with _connected(path) as connection:
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
            except sqlite3.Error as error:
                raise IndexBroken(str(error)) from error
            if version != VERSION:
                raise IndexBroken(f"it has version {version}, not {VERSION}")
            yield cls(connection)

    @classmethod
    @contextlib.contextmanager
    def create(cls, data: Path, *, check: bool = True) -> Iterator[Index]:
        """The index of the data folder ``data``: the one that is there, or an empty one if that is not usable.

        ``check``: look at all of it before it is used; who has done so a while ago and changes a row may leave that
        out. Raises `IndexBroken` if it can be neither used nor made.
        """
        path = data / NAME
        try:
            with cls.open(data) as index:
                usable = index is not None and (not check or index.check())
        except IndexBroken:
            usable = False
        if not usable:
            for name in (NAME, f"{NAME}-journal"):  # the journal first to go would leave half a transaction
                (data / name).unlink(missing_ok=True)
        with _connected(path) as connection:
            index = cls(connection)
            if not usable:
                with index._changing():
                    for statement in _TABLES.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {VERSION}")
            yield index

    # --- reading --------------------------------------------------------------------------------------

    def check(self) -> bool:
        """Whether the file is whole, as far as SQLite can tell."""
        try:
            return bool(self._connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except sqlite3.Error:
            return False

    def worlds(self, only: Iterable[str] | None = None) -> dict[str, IndexedWorld]:
        """All rows whose checksums are right, or those of some worlds. Raises `IndexBroken`."""
        where, given = "", []
        if only is not None:
            where, given = "WHERE world IN (SELECT value FROM json_each(?))", [msgspec.json.encode(list(only)).decode()]
        try:
            rows = self._connection.execute(f"SELECT * FROM worlds {where} ORDER BY world", given).fetchall()
            player_rows = self._connection.execute(
                f"SELECT * FROM players {where} ORDER BY world, number", given
            ).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:  # a text that is none any more is damage, too
            raise IndexBroken(str(error)) from error
        players: dict[str, list[tuple[Any, ...]]] = {}
        for world, _, *fields in player_rows:
            players.setdefault(world, []).append(tuple(fields))
        found: dict[str, IndexedWorld] = {}
        for row in rows:
            *fields, checksum = row
            mine = players.get(row[0], [])
            if _checksum(fields, mine) == checksum:
                found[row[0]] = _indexed(fields, mine)
        return found

    # --- writing --------------------------------------------------------------------------------------

    def put(self, *worlds: IndexedWorld) -> None:
        """Say how these worlds are. Raises `IndexBroken`."""
        with self._changing():
            for world in worlds:
                self._remove(world.listing.info.world)
                self._insert(world)

    def forget(self, *worlds: str) -> None:
        """These worlds are gone. Raises `IndexBroken`."""
        with self._changing():
            for world in worlds:
                self._remove(world)

    def replace(self, worlds: Iterable[IndexedWorld]) -> int:
        """These worlds are all there are; return how many that is. Raises `IndexBroken`."""
        count = 0
        with self._changing():
            self._connection.execute("DELETE FROM worlds")
            self._connection.execute("DELETE FROM players")
            for world in worlds:
                self._insert(world)
                count += 1
        return count

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):  # there may be none to roll back
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise IndexBroken(str(error)) from error
            raise

    def _remove(self, world: str) -> None:
        self._connection.execute("DELETE FROM worlds WHERE world = ?", (world,))
        self._connection.execute("DELETE FROM players WHERE world = ?", (world,))

    def _insert(self, world: IndexedWorld) -> None:
        fields, players = _fields(world)
        marks = ", ".join("?" * (len(fields) + 1))
        self._connection.execute(f"INSERT INTO worlds VALUES ({marks})", (*fields, _checksum(fields, players)))
        for number, player in enumerate(players):
            marks = ", ".join("?" * (len(player) + 2))
            row = (world.listing.info.world, number, *player)
            self._connection.execute(f"INSERT INTO players VALUES ({marks})", row)


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    except sqlite3.Error as error:
        raise IndexBroken(str(error)) from error
    with contextlib.closing(connection):
        try:
            # A journal on the same disk would wait for a cache's syncs. What a crash spoils, checksums find.
            connection.execute("PRAGMA synchronous = OFF")
        except sqlite3.Error as error:
            raise IndexBroken(str(error)) from error
        yield connection


Fields = list[Any]


def _fields(world: IndexedWorld) -> tuple[Fields, list[tuple[Any, ...]]]:
    """The columns of a world, without the checksum, and of its players, without world and number."""
    listing, info = world.listing, world.listing.info
    result = None if listing.result is None else msgspec.json.encode(listing.result).decode()
    fields = [
        info.world,
        info.game,
        info.digest,
        info.clock,
        info.created_ms,
        info.ended_ms,
        info.status,
        info.reason,
        result,
        info.last_tick,
        info.bytes,
        int(info.archived),
        int(info.ranked),
        info.owner,
        int(info.private),
        world.facts,
    ]
    return fields, [msgspec.structs.astuple(player) for player in listing.players]


def _indexed(fields: Fields, players: list[tuple[Any, ...]]) -> IndexedWorld:
    world, game, digest, clock, created_ms, ended_ms, status, reason, result, last_tick, size, *more = fields
    archived, ranked, owner, private, facts = more
    return IndexedWorld(
        listing=WorldListing(
            info=WorldInfo(
                world=world,
                game=game,
                digest=digest,
                clock=clock,
                created_ms=created_ms,
                last_tick=last_tick,
                status=status,
                reason=reason,
                ended_ms=ended_ms,
                bytes=size,
                archived=bool(archived),
                ranked=bool(ranked),
                owner=owner,
                private=bool(private),
            ),
            result=None if result is None else msgspec.json.decode(result),
            players=[
                PlayerListing(**dict(zip(PlayerListing.__struct_fields__, player, strict=True))) for player in players
            ],
        ),
        facts=facts,
    )


def _checksum(fields: Fields, players: list[tuple[Any, ...]]) -> int:
    """SQLite has no checksums of its own: a flipped bit in a row would be read as if it had been written."""
    return crc32(msgspec.msgpack.encode([fields, players]))
