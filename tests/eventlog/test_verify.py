"""Promise: `verify` reports whatever is not as it was written, by world, tick, file and byte; nothing else; and damage
in one place hides none in another. A running server is not disturbed and not accused."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from eventlog import frame, records
from eventlog.errors import LogDamaged, UnknownWorld
from eventlog.filecheck import Problem
from eventlog.journal import JournalOptions
from eventlog.reader import read_world
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog import second_decoder as second
from tests.eventlog.building import NEVER_S, Recording, every_kind, fingerprint, input_entry, tick_record


def digest(files: dict[str, bytes]) -> str:
    """As docs/reference/log-format.md says."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()


CODE = {"game.toml": b"[game]\n", "main.lua": b"-- nothing\n"}
ENGINE = {"prelude.lua": b"-- nothing at all\n"}


class Kept(Recording):
    """A recording whose worlds name code and engines that the data folder holds."""

    def __init__(self, data: Path, **options: object) -> None:
        super().__init__(data, **options)  # type: ignore[arg-type]
        store = Store.attach(data)
        store.put_code(digest(CODE), CODE)
        store.put_engine(digest(ENGINE), ENGINE)
        self.genesis_fields = {"digest": digest(CODE), "engine": digest(ENGINE)}


def ordinary(count: int) -> list[records.Tick | records.Beat]:
    """Ticks and a beat."""
    return [
        *(tick_record(tick) for tick in range(1, count)),
        records.Beat(tick=count, until=count, fingerprint=bytes(8)),
    ]


async def closed_worlds(data: Path, *worlds: str) -> Recording:
    """Worlds of several small files each, cleanly stopped."""
    recording = Kept(data, file_bytes=700)
    for world in worlds:
        recording.create(world)
        recording.append(world, *ordinary(8))
    await recording.journal.close()
    return recording


def flip(path: Path, byte: int) -> None:
    """Change one bit."""
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << byte % 8
    path.write_bytes(data)


def first_damage(data: Path, world: str) -> LogDamaged | None:
    """What a reader meets."""
    try:
        for _ in read_world(data, world):
            pass
    except LogDamaged as damage:
        return damage
    return None


async def test_what_was_written_is_counted_and_nothing_is_reported(tmp_path: Path) -> None:
    recording = await closed_worlds(tmp_path, "w_one", "w_two", "w_three")
    seen: list[tuple[int, int]] = []
    found = verify(tmp_path, on_progress=lambda done, total: seen.append((done, total)))
    assert found.problems == []
    assert (found.worlds, found.records) == (3, sum(map(len, recording.written.values())))
    sizes = [path.stat().st_size for path in (tmp_path / "worlds").rglob("*.wlog")]
    assert (found.files, found.bytes, found.code_folders) == (len(sizes), sum(sizes), 2)
    assert seen[-1] == (sum(sizes), sum(sizes))
    one = verify(tmp_path, world="w_one")
    assert (one.worlds, one.records, one.problems) == (1, len(recording.written["w_one"]), [])
    with pytest.raises(UnknownWorld):
        verify(tmp_path, world="w_none")


async def test_damage_in_one_world_hides_none_in_another(tmp_path: Path) -> None:
    worlds = ("w_cut", "w_flipped", "w_foreign", "w_good", "w_missing", "w_swapped", "w_twice")
    await closed_worlds(tmp_path, *worlds)
    folder = tmp_path / "worlds"
    flip(folder / "w_flipped" / "0002.wlog", 200)
    whole = (folder / "w_cut" / "0003.wlog").read_bytes()
    (folder / "w_cut" / "0003.wlog").write_bytes(whole[:-1])
    shutil.copy(folder / "w_good" / "0002.wlog", folder / "w_foreign" / "0002.wlog")
    (folder / "w_missing" / "0002.wlog").unlink()
    shutil.copy(folder / "w_swapped" / "0003.wlog", folder / "w_swapped" / "0002.wlog")
    flip(folder / "w_twice" / "0001.wlog", 500)
    flip(folder / "w_twice" / "0003.wlog", 0)
    expected = {world: first_damage(tmp_path, world) for world in worlds}
    for processes in (1, 2):
        found = verify(tmp_path, processes=processes)
        first: dict[str | None, Problem] = {}
        for problem in found.problems:
            first.setdefault(problem.world, problem)
        assert set(first) == set(worlds) - {"w_good"}
        for world, damage in expected.items():
            assert (damage is None) == (world == "w_good")
            if damage is not None:
                at = first[world]
                place = damage.path.relative_to(tmp_path).as_posix()
                assert (at.file, at.offset, at.reason) == (place, damage.offset, damage.reason)
        assert [problem.file for problem in found.problems if problem.world == "w_twice"] == [
            "worlds/w_twice/0001.wlog",
            "worlds/w_twice/0003.wlog",
        ]


async def test_every_byte_of_world_files_and_code_is_watched(tmp_path: Path) -> None:
    recording = Kept(tmp_path, file_bytes=700)
    recording.create("w_one")
    recording.append("w_one", *(each for each in every_kind()[2:7] if not isinstance(each, records.Checkpoint)))
    await recording.journal.close()
    flips = 0
    for path in sorted(path for path in tmp_path.rglob("*") if path.suffix in (".wlog", ".lua", ".toml")):
        whole = path.read_bytes()
        for byte in range(len(whole)):
            flip(path, byte)
            problems = verify(tmp_path).problems
            assert problems, (path.name, byte)
            assert problems[0].file in (
                path.relative_to(tmp_path).as_posix(),
                path.parent.relative_to(tmp_path).as_posix(),
            )
            assert problems[0].offset <= byte
            flips += 1
            path.write_bytes(whole)
    assert verify(tmp_path).problems == []
    assert flips > 600


@pytest.mark.parametrize("file_bytes", [8 * 1024 * 1024, 600])
async def test_nothing_stands_behind_the_end(tmp_path: Path, file_bytes: int) -> None:
    ends = (
        records.Close(tick=9, reason="idle", fingerprint=fingerprint(9)),
        records.Fault(tick=10, kind="game_error", fingerprint=fingerprint(9)),
    )
    late = tick_record(10, input_entry(1, note="x" * 500))
    recording = Kept(tmp_path, file_bytes=file_bytes)
    for end in ends:
        world = f"w_{type(end).__name__}"
        recording.create(world)
        recording.append(world, end, records.Checkpoint(9, bytes(16), "9.snap", 1))
    recording.create("w_on")
    recording.append("w_on", ends[1], ends[0])
    recording.create("w_late")
    last = recording.piece("w_late", ends[0])
    recording.journal.append([last, piece := recording.piece("w_late", late)])
    await recording.journal.close()
    (problem,) = (each for each in verify(tmp_path).problems if "/snapshots/" not in each.file)
    assert (problem.world, problem.tick, problem.file) == ("w_late", 9, f"worlds/w_late/{frame.file_name(piece.file)}")
    assert problem.offset == (piece.offset or 72)
    assert "behind the world's end" in problem.reason


async def test_code_that_is_missing_or_changed_is_reported(tmp_path: Path) -> None:
    await closed_worlds(tmp_path, "w_one", "w_two")
    code = tmp_path / "code" / digest(CODE)
    (code / "more.lua").write_bytes(b"")
    (tmp_path / "code" / ".new-unfinished").mkdir()
    (problem,) = verify(tmp_path).problems
    assert (problem.file, problem.world) == (f"code/{code.name}", "w_one")
    shutil.rmtree(code)
    (problem,) = verify(tmp_path, world="w_two").problems
    assert (problem.file, problem.world) == (f"code/{code.name}", "w_two")
    assert "not here" in problem.reason


async def test_journals_are_checked_and_a_crashed_folder_is_no_damage(tmp_path: Path) -> None:
    options = JournalOptions(segment_bytes=16 * 1024, segments_per_retirement=99, flush_bytes=1, seal_after_s=NEVER_S)
    recording = Kept(tmp_path / "running", options=options)
    await recording.create("w_one", "w_two").wait()
    for tick in range(1, 6):
        await recording.append("w_one", tick_record(tick)).wait()
    crashed = tmp_path / "crashed"
    shutil.copytree(tmp_path / "running", crashed)
    written = recording.written
    await recording.journal.close()
    found = verify(crashed)
    assert found.problems == []
    assert (found.journals, found.groups, found.records) == (1, 6, sum(map(len, written.values())))
    segments = sorted(crashed.rglob("*.journal"))
    flip(segments[0], second.read_journal(segments[0].parent)[1].position + 40)
    problems = verify(crashed).problems
    assert [problem.world for problem in problems] == ["w_one", "w_two"], "every world that may be hit is named"
    for problem in problems:
        assert (problem.file, problem.offset) == (segments[0].relative_to(crashed).as_posix(), 2 * 4096)


async def test_a_world_file_that_differs_from_a_running_journal_is_damaged(tmp_path: Path) -> None:
    options = JournalOptions(flush_bytes=1, seal_after_s=NEVER_S)
    recording = Kept(tmp_path, options=options)
    await recording.create("w_one").wait()
    path = recording.folder("w_one") / "0001.wlog"
    while not path.exists() or path.stat().st_size != recording.logs["w_one"].offset:
        await asyncio.sleep(0)
    assert verify(tmp_path).problems == []
    flip(path, 100)
    (problem,) = verify(tmp_path).problems
    assert (problem.world, problem.reason) == ("w_one", "the file holds other bytes than the journal")
    flip(path, 100)
    await recording.journal.close()


async def test_a_busy_server_is_not_accused(tmp_path: Path) -> None:
    options = JournalOptions(
        segment_bytes=16 * 1024, segments_per_retirement=1, flush_bytes=300, flush_after_s=NEVER_S, seal_after_s=0.001
    )
    recording = Kept(tmp_path, options=options, file_bytes=3000)
    await recording.create("w_one", "w_two").wait()
    stop = False

    async def play() -> None:
        tick = 0
        while not stop:
            tick += 1
            pieces = [recording.piece(world, tick_record(tick)) for world in ("w_one", "w_two")]
            await recording.journal.append(pieces).wait()

    playing = asyncio.create_task(play())
    looks = 0
    while looks < 20 or recording.journal.statistics().segments <= 5:
        known = len(recording.written["w_one"]) - 1
        found = await asyncio.to_thread(verify, tmp_path)
        assert found.problems == []
        assert found.records >= 2 * known
        looks += 1
    stop = True
    await playing
    await recording.journal.close()
    assert verify(tmp_path).problems == []


async def test_names_and_empty_folders_that_are_no_worlds_are_reported(tmp_path: Path) -> None:
    await closed_worlds(tmp_path, "w_one")
    (tmp_path / "worlds" / "w_empty").mkdir()
    (tmp_path / "worlds" / "no world").mkdir()
    assert {(problem.world, problem.file) for problem in verify(tmp_path).problems} == {
        ("w_empty", "worlds/w_empty"),
        (None, "worlds/no world"),
    }
