"""Promise: one replay file carries a world to another machine, byte for byte, and verifies there; a running world's can
be verified and is never taken for one to go on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from eventlog.archive import archive_world
from eventlog.errors import LogDamaged, StoreNotWritable, UnknownDigest
from eventlog.reader import read_world
from eventlog.store import Store
from eventlog.worldbytes import WorldBytes
from replays.bundle import export_world, import_bundle, unpacked
from replays.errors import BundleExists, BundleUnfinished, CodeChanged, WorldDiffers
from replays.replay import replay
from replays.verify import verify_bundle, verify_world
from server.commands import main
from tests.eventlog.disks import WatchedDisk
from tests.games.tsunami_driver import variant
from tests.replays.recording import WORLD, Recording
from tests.replays.test_reexecution import broken, play, tsunami


async def record(data: Path, *, seed: int = 3, file_bytes: int = 8 << 20, ends: bool = True) -> None:
    """A short game of two with a snapshot in its middle."""
    recording = Recording(data, tsunami(), seed=seed, settings={}, file_bytes=file_bytes)
    play(recording, seconds=3, players=2)
    recording.checkpoint()
    recording.run(40)
    await recording.close(reason="test" if ends else None)


def log_files(data: Path) -> list[bytes]:
    """The bytes of the world's log, file by file, however the folder keeps them."""
    source = WorldBytes.look(data, WORLD)
    return [source.read(number) for number in range(1, source.last_file + 1)]


def whole_folder(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


async def test_what_is_imported_is_what_was_exported(tmp_path: Path) -> None:
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "game.replay"
    await record(here, file_bytes=1000)
    before = whole_folder(here)
    exported = export_world(here, WORLD, file)
    assert whole_folder(here) == before
    assert (exported.files > 1, exported.ended, exported.keyframes) == (True, True, 1)
    imported = import_bundle(file, there)
    assert not imported.there_already
    assert log_files(there) == log_files(here)
    names = {name for name in before if name.startswith(("worlds", "code", "engine"))}
    assert whole_folder(there) == {name: before[name] for name in names}
    assert [info.status for info in Store.read_only(there).worlds()] == ["closed"]
    assert verify_world(there, WORLD).status == "verified"
    assert replay(there, WORLD, start="latest").began_at_tick > 0, "its snapshot is of use there"


async def test_the_same_world_gives_the_same_bytes_archived_or_not(tmp_path: Path) -> None:
    await record(tmp_path / "data", file_bytes=1000)
    first = export_world(tmp_path / "data", WORLD, tmp_path / "1.replay")
    archive_world(tmp_path / "data", WORLD)
    export_world(tmp_path / "data", WORLD, tmp_path / "2.replay")
    import_bundle(tmp_path / "1.replay", tmp_path / "other")
    export_world(tmp_path / "other", WORLD, tmp_path / "3.replay")
    contents = {(tmp_path / f"{number}.replay").read_bytes() for number in (1, 2, 3)}
    assert len(contents) == 1
    assert export_world(tmp_path / "data", WORLD, tmp_path / "1.replay").there_already
    assert not first.there_already


async def test_a_world_is_verified_where_its_file_is_without_any_data_folder(tmp_path: Path) -> None:
    await record(tmp_path / "data")
    export_world(tmp_path / "data", WORLD, tmp_path / "game.replay", keyframes=False)
    shutil.rmtree(tmp_path / "data")
    verdict = verify_bundle(tmp_path / "game.replay")
    assert (verdict.status, verdict.world, verdict.bundle) == ("verified", WORLD, str(tmp_path / "game.replay"))
    assert verdict.records > 10
    with unpacked(tmp_path / "game.replay") as (data, world):
        assert list(read_world(data, world))
    assert not data.exists()


async def test_a_lie_in_an_exported_log_is_found_by_the_file_alone(tmp_path: Path) -> None:
    recording = Recording(tmp_path, tsunami(), seed=3, settings={})
    player = recording.join()
    recording.lie = {"to": "home"}
    recording.input(player, "move", {"x": 100.0, "z": 0.0})
    recording.run(100)
    await recording.close()
    export_world(tmp_path, WORLD, tmp_path / "lie.replay")
    verdict = verify_bundle(tmp_path / "lie.replay")
    assert (verdict.status, verdict.file) == ("diverged", "0001.wlog")
    assert "worldline replay import" in (verdict.problem or "")


async def test_a_world_that_its_game_broke_travels_like_any_other(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "data", broken(), seed=1, settings={})
    recording.join()
    recording.run_until_it_breaks()
    await recording.close(reason=None)
    assert export_world(tmp_path / "data", WORLD, tmp_path / "x.replay").ended
    import_bundle(tmp_path / "x.replay", tmp_path / "other")
    assert verify_world(tmp_path / "other", WORLD).status == "verified"


async def test_every_version_of_the_code_that_was_played_travels(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "data", tsunami(), seed=3, settings={})
    play(recording, seconds=1, players=1)
    recording.reload(variant(("WAVE_SPEED = 35", "WAVE_SPEED = 36")))
    play(recording, seconds=1, players=1)
    await recording.close()
    assert len(list((tmp_path / "data" / "code").iterdir())) == 2
    export_world(tmp_path / "data", WORLD, tmp_path / "x.replay")
    assert verify_bundle(tmp_path / "x.replay").status == "verified"


async def test_an_unfinished_world_is_verified_but_never_imported(tmp_path: Path) -> None:
    """A server would go on with it, and there would be two futures of one world."""
    await record(tmp_path / "data", ends=False)
    file = tmp_path / "live.replay"
    assert not export_world(tmp_path / "data", WORLD, file).ended
    assert verify_bundle(file).status == "verified"
    with pytest.raises(BundleUnfinished, match="export it again when it has ended"):
        import_bundle(file, tmp_path / "other")
    assert not (tmp_path / "other").exists()


async def test_what_only_a_journal_holds_is_exported_too(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "data", tsunami(), seed=3, settings={})
    play(recording, seconds=2, players=1)
    await recording.synced()
    assert not list((tmp_path / "data" / "worlds").glob("*/*.wlog")), "nothing has reached the files yet"
    export_world(tmp_path / "data", WORLD, tmp_path / "live.replay")
    live = verify_bundle(tmp_path / "live.replay")
    assert live.status == "verified"
    assert live.tick > 60
    await recording.close()
    assert log_files(tmp_path / "data")[0].startswith(_log_in(tmp_path / "live.replay"))


def _log_in(file: Path) -> bytes:
    with unpacked(file) as (data, _):
        return b"".join(log_files(data))


async def test_importing_twice_changes_nothing_and_other_bytes_are_refused(tmp_path: Path) -> None:
    await record(tmp_path / "one", seed=1)
    await record(tmp_path / "two", seed=2)
    for name in ("one", "two"):
        export_world(tmp_path / name, WORLD, tmp_path / f"{name}.replay")
    import_bundle(tmp_path / "one.replay", tmp_path / "data")
    archive_world(tmp_path / "data", WORLD)
    before = whole_folder(tmp_path / "data")
    assert import_bundle(tmp_path / "one.replay", tmp_path / "data").there_already
    with pytest.raises(WorldDiffers, match=r"0001\.wlog differs"):
        import_bundle(tmp_path / "two.replay", tmp_path / "data")
    assert whole_folder(tmp_path / "data") == before


class Killed(BaseException):
    """Nobody cleans up after this, as after the end of the process."""


@pytest.mark.parametrize("ends_with", [OSError, Killed])
async def test_an_import_that_breaks_off_anywhere_leaves_the_whole_world_or_none(
    tmp_path: Path, ends_with: type[BaseException]
) -> None:
    await record(tmp_path / "source", file_bytes=1000)
    export_world(tmp_path / "source", WORLD, tmp_path / "x.replay")
    calls = 0

    class Breaking(WatchedDisk):
        def __init__(self, at: int) -> None:
            super().__init__()
            self.left = at

        def before(self, call: str, path: Path) -> None:
            nonlocal calls
            calls += 1
            self.left -= 1
            if self.left < 0 and call != "close":
                raise ends_with("broken off")

    import_bundle(tmp_path / "x.replay", tmp_path / "whole", disk=Breaking(10_000))
    assert calls > 15
    seen = set[bool]()
    for at in range(calls):
        data = tmp_path / f"data-{at}"
        with pytest.raises((StoreNotWritable, Killed)):
            import_bundle(tmp_path / "x.replay", data, disk=Breaking(at))
        known = bool(Store.read_only(data).world_ids())
        seen.add(known)
        assert not known or log_files(data) == log_files(tmp_path / "source")
        assert import_bundle(tmp_path / "x.replay", data).there_already is known
        assert log_files(data) == log_files(tmp_path / "source")
    assert seen == {True, False}


async def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    await record(tmp_path / "data")
    file = tmp_path / "mine.replay"
    file.write_bytes(b"something else")
    with pytest.raises(BundleExists):
        export_world(tmp_path / "data", WORLD, file)
    assert file.read_bytes() == b"something else"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine.replay"], "nothing is left behind"


async def test_a_damaged_log_or_changed_code_is_not_exported(tmp_path: Path) -> None:
    await record(tmp_path / "data")
    (main_lua,) = (tmp_path / "data" / "code").glob("*/main.lua")
    text = main_lua.read_bytes()
    main_lua.write_bytes(text + b"\n")
    with pytest.raises(CodeChanged, match="does not hold what its digest says"):
        export_world(tmp_path / "data", WORLD, tmp_path / "x.replay")
    main_lua.write_bytes(text)
    engine = next((tmp_path / "data" / "engine").iterdir())
    engine.rename(tmp_path / "engine")
    with pytest.raises(UnknownDigest):
        export_world(tmp_path / "data", WORLD, tmp_path / "x.replay")
    (tmp_path / "engine").rename(engine)
    (log,) = (tmp_path / "data" / "worlds" / WORLD).glob("*.wlog")
    content = bytearray(log.read_bytes())
    content[-1] ^= 1
    log.write_bytes(content)
    with pytest.raises(LogDamaged):
        export_world(tmp_path / "data", WORLD, tmp_path / "x.replay")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


async def test_the_commands_carry_a_world_from_folder_to_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    assert main(["replay", "export", WORLD[:5], "--data", "here"]) == 0
    assert capsys.readouterr().out.startswith(f"{WORLD} exported: tsunami, ")
    file = f"{WORLD}.replay"
    assert main(["replay", "verify", file, f"./{file}", "--data", "nowhere"]) == 0
    assert capsys.readouterr().out.split("\t")[:2] == [file, "verified"]
    assert main(["replay", "import", file, "--data", "there", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["there_already"] is False
    assert main(["replay", "import", file, "--data", "there"]) == 0
    assert "was in there already" in capsys.readouterr().out
    assert main(["log", "show", WORLD, "--data", "there"]) == 0
    assert main(["worlds", "ls", "--data", "there"]) == 0
    assert main(["replay", "verify", "--data", "there"]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["replay", "import", "missing.replay"], "cannot read missing.replay"),
        (["replay", "import", "text.replay"], "is no replay file"),
        (["replay", "export", "w_nobody", "--data", "data"], "no world w_nobody"),
        (["replay", "export", WORLD, "--data", "nowhere"], "there is no data folder nowhere"),
        (["replay", "export", WORLD, "--data", "data", "--to", "no/such/folder/x.replay"], "cannot write no/such"),
        (["replay", "export", WORLD, "--data", "data", "--to", "text.replay"], "is there already"),
        (["replay", "import", "good.replay", "--data", "text.replay/below"], "cannot write to text.replay/below"),
    ],
)
async def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    await record(tmp_path / "data")
    export_world(tmp_path / "data", WORLD, tmp_path / "good.replay")
    (tmp_path / "text.replay").write_text("hello")
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    error = capsys.readouterr().err
    assert says in error
    assert " → " in error
    assert len(error.splitlines()) == 1


async def test_a_file_that_cannot_be_verified_gets_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.replay").write_text("hello")
    assert main(["replay", "verify", "missing.replay", "text.replay", "--json"]) == 1
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(verdict["bundle"], verdict["status"]) for verdict in verdicts] == [
        ("missing.replay", "cannot"),
        ("text.replay", "cannot"),
    ]
