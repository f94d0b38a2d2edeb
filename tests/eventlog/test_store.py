"""Promise: the data folder has one server, lists its worlds as they stand, keeps code and engines whole, by digest."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventlog.errors import (
    AmbiguousWorld,
    DigestConflict,
    EventLogError,
    StoreInUse,
    StoreNotWritable,
    UnknownDigest,
    UnknownWorld,
)
from eventlog.records import Close, Fault
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from tests.eventlog.building import Recording, fingerprint, genesis, tick_record

DIGEST = "0123456789abcdef" * 2
FILES = {"main.lua": b"return 1\n", "game.toml": b"name = 'x'\n", "lib/deep.lua": b"\x00\xff"}


def test_opening_makes_the_folders_and_locks_them(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    store = Store.open(data)
    assert sorted(path.name for path in data.iterdir()) == ["LOCK", "code", "engine", "journal", "worlds"]
    with pytest.raises(StoreInUse, match="in use by another server → stop it, or use another --data"):
        Store.open(data)
    assert Store.read_only(data).worlds() == []
    store.close()
    Store.open(data).close()


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for data in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(StoreNotWritable, match="use another --data") as refused:
            Store.open(data)
        assert "\n" not in str(refused.value)


async def test_worlds_are_listed_as_they_stand(tmp_path: Path) -> None:
    recording = Recording(tmp_path, file_bytes=900)
    recording.create("w_a_open", "w_b_closed", "w_c_faulted", "w_d_damaged", "w_f_new")
    recording.append("w_a_open", *(tick_record(tick) for tick in range(1, 20)))
    recording.append("w_b_closed", tick_record(7), Close(tick=9, reason="idle", fingerprint=fingerprint(9)))
    recording.append("w_c_faulted", Fault(tick=5, kind="game_error", fingerprint=fingerprint(5)))
    await recording.append("w_d_damaged", tick_record(1)).wait()
    in_journal = Store.read_only(tmp_path).worlds()
    await recording.journal.close()
    listed = Store.read_only(tmp_path).worlds()
    assert listed == in_journal, "a world whose first bytes are in a journal only is listed like any other"
    facts = [(info.world, info.status, info.reason, info.last_tick) for info in listed]
    assert facts == [
        ("w_a_open", "open", None, 19),
        ("w_b_closed", "closed", "idle", 9),
        ("w_c_faulted", "faulted", "game_error", 4),
        ("w_d_damaged", "open", None, 1),
        ("w_f_new", "open", None, 0),
    ]
    for info in listed:
        born = genesis(info.world)
        assert (info.game, info.digest, info.clock) == (born.game, born.digest, born.clock)
        assert info.created_ms == born.created_ms
        assert info.bytes == sum(path.stat().st_size for path in recording.folder(info.world).iterdir())

    path = recording.folder("w_d_damaged") / "0001.wlog"
    whole = path.read_bytes()
    path.write_bytes(whole[:80] + b"?" + whole[81:])
    (tmp_path / "worlds" / "w_e_empty").mkdir()
    (tmp_path / "worlds" / "not a world").mkdir()
    shutil.rmtree(recording.folder("w_f_new"))
    standing = [(info.world, info.status) for info in Store.read_only(tmp_path).worlds()]
    assert standing == [
        ("w_a_open", "open"),
        ("w_b_closed", "closed"),
        ("w_c_faulted", "faulted"),
        ("w_d_damaged", "damaged"),
    ]
    path.write_bytes(b"")
    assert Store.read_only(tmp_path).worlds()[3].status == "damaged"
    path.write_bytes(whole[:-1])
    assert Store.read_only(tmp_path).worlds()[3].last_tick == 0, "a cut-off last record says nothing"


async def test_a_long_genesis_is_listed_too(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.create("w_one")
    await recording.journal.close()
    assert Store.read_only(tmp_path).worlds()[0].game == "tsunami"
    long = WorldLog.create(genesis("w_long", settings={"map": "x" * 200_000}), shard=0)
    (tmp_path / "worlds" / "w_long").mkdir()
    (tmp_path / "worlds" / "w_long" / "0001.wlog").write_bytes(long.head.data)
    assert [info.status for info in Store.read_only(tmp_path).worlds()] == ["open", "open"]


async def test_a_unique_beginning_names_a_world(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.create("w_k3f9", "w_k3g0", "w_x", "w_x1").wait()
    store = Store.read_only(tmp_path)
    assert store.resolve_world("w_k3f") == "w_k3f9"
    assert store.resolve_world("w_x") == "w_x", "a whole id wins over longer ones"
    with pytest.raises(AmbiguousWorld, match="w_k3f9, w_k3g0") as several:
        store.resolve_world("w_k")
    assert several.value.candidates == ["w_k3f9", "w_k3g0"]
    with pytest.raises(UnknownWorld, match="no world w_z"):
        store.resolve_world("w_z")
    with pytest.raises(AmbiguousWorld):
        store.resolve_world("")
    await recording.journal.close()


def test_reading_a_folder_that_is_not_there_finds_nothing(tmp_path: Path) -> None:
    store = Store.read_only(tmp_path / "nowhere")
    assert store.worlds() == []
    with pytest.raises(UnknownWorld):
        store.resolve_world("w_")
    with pytest.raises(UnknownDigest):
        store.get_code(DIGEST)


def test_code_and_engines_are_kept_by_digest(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.put_code(DIGEST, FILES)
    store.put_engine(DIGEST, {"prelude.lua": b"-- engine"})
    Store.attach(tmp_path).put_code(DIGEST, FILES)  # again is nothing, also from a child process
    reader = Store.read_only(tmp_path)
    assert reader.get_code(DIGEST) == FILES
    assert reader.get_engine(DIGEST) == {"prelude.lua": b"-- engine"}
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == [DIGEST], "nothing half made is left"
    with pytest.raises(DigestConflict, match=r"main\.lua"):
        store.put_code(DIGEST, FILES | {"main.lua": b"return 2\n"})
    assert reader.get_code(DIGEST) == FILES
    for digest in ("feedbeef" * 4, "../worlds", ".."):
        with pytest.raises(UnknownDigest):
            reader.get_code(digest)
    store.close()


def test_many_processes_may_keep_the_same_code_at_once(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with ThreadPoolExecutor(8) as pool:
        for put in [pool.submit(Store.attach(tmp_path).put_code, DIGEST, FILES) for _ in range(32)]:
            put.result()
    assert Store.read_only(tmp_path).get_code(DIGEST) == FILES
    assert len(list((tmp_path / "code").iterdir())) == 1


@pytest.mark.parametrize("name", ["../evil.lua", "/etc/evil", "a/../../evil", ""])
def test_file_names_cannot_leave_their_folder(tmp_path: Path, name: str) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(AssertionError):
        store.put_code(DIGEST, {name: b"x"})
    store.close()


def test_every_error_says_what_to_do_next() -> None:
    """A message without an arrow leaves people alone."""
    remaining = list(EventLogError.__subclasses__())
    source = Path(EventLogError.__module__.replace(".", "/") + ".py")
    text = (Path(__file__).resolve().parents[2] / source).read_text()
    assert len(remaining) > 10
    assert text.count("→") >= len(remaining) - 1  # JournalClosed is worded where it is raised
