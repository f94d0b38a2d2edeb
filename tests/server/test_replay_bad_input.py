"""Promise: whatever is wrong with a log, its code or a file, every `worldline replay` command says what, where and what
to do, ends with 1, and leaves the data folder as it is; two at once do not mind each other."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest

from eventlog import frame, limits, records
from eventlog.reader import read_world
from eventlog.worldlog import WorldLog
from games.code import digest_of
from server.commands import main
from tests.replays.mill import changed, folder_of, recorded
from tests.replays.recording import WORLD

COMMANDS: Final = {
    "verify": [WORLD],
    "state": [WORLD],
    "diff": [f"{WORLD}@5", WORLD],
    "why": [WORLD, "state.coins.p_1"],
    "run": [WORLD, "--code", "GAME"],
    "bisect": [WORLD, "--code", "GAME"],
    "what-if": [f"{WORLD}@5", "p_1", "work", "hours=1"],
}
LOG: Final = Path("worlds") / WORLD / "0001.wlog"
WITHIN_S: Final = 60.0


def cut_off(data: Path) -> None:
    path = data / LOG
    path.write_bytes(path.read_bytes()[:-40])


def flip_a_bit(data: Path) -> None:
    content = bytearray((data / LOG).read_bytes())
    content[1000] ^= 1
    (data / LOG).write_bytes(content)


def be_something_else(data: Path) -> None:
    (data / LOG).write_bytes(b"PK\x03\x04" * 500)


def be_of_tomorrow(data: Path) -> None:
    content = (data / LOG).read_bytes()
    with pytest.MonkeyPatch.context() as later:
        later.setattr(limits, "FORMAT_VERSION", limits.FORMAT_VERSION + 1)
        header, _ = frame.encode_file_header(frame.FileHeader(world=WORLD, file=1, epoch=0, tick=0, previous_crc=0))
    (data / LOG).write_bytes(header + content[len(header) :])


def lose_the_code(data: Path) -> None:
    shutil.rmtree(data / "code")


def lose_the_engine(data: Path) -> None:
    shutil.rmtree(data / "engine")


def change_the_code(data: Path) -> None:
    (path,) = data.glob("code/*/main.lua")
    path.write_text("return {}")


DAMAGES: Final[dict[Callable[[Path], None], tuple[str, str]]] = {
    cut_off: (f"{LOG}, byte ", "restore it from a copy"),
    flip_a_bit: (f"{LOG}, byte ", "restore it from a copy"),
    be_something_else: (f"{LOG}, byte 0", "restore it from a copy"),
    be_of_tomorrow: ("has format version 2, this program reads up to 1", "upgrade Worldline"),
    lose_the_code: (f"nothing with digest {changed().digest} in ", "copy that folder along with the world's log"),
    lose_the_engine: ("nothing with digest ", "copy that folder along with the world's log"),
    change_the_code: ("does not hold what its digest says", "restore it from a copy"),
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad") / "data"
    asyncio.run(recorded(folder, seconds=5))
    return folder


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(changed(), tmp_path_factory.mktemp("game") / "mill")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_it_is_said_what_is_wrong_and_where(
    command: str,
    damage: Callable[[Path], None],
    intact: Path,
    game: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = Path(shutil.copytree(intact, tmp_path / "data"))
    words = ["replay", command, *(str(game) if word == "GAME" else word for word in COMMANDS[command])]
    assert main([*words, "--data", str(data)]) == (1 if command == "diff" else 0), "before the damage it works"
    capsys.readouterr()
    if damage in (cut_off, flip_a_bit, be_something_else, be_of_tomorrow):
        shutil.rmtree(data / "journal")  # which has the beginning of the file, and would be believed
    damage(data)
    before = files(data)
    assert main([*words, "--data", str(data)]) == 1
    out, err = capsys.readouterr()
    said = out if command == "verify" else err
    what, remedy = DAMAGES[damage]
    assert what in said
    assert remedy in said
    assert "→" in said
    assert command == "verify" or (out == "" and err.startswith("error: "))
    assert files(data) == before


def test_code_that_does_not_load_any_more_is_named(
    intact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As kept code might that a later LuaJIT does not take: it is what its digest says, and does not compile."""
    data = Path(shutil.copytree(intact, tmp_path / "data"))
    broken = {**changed().files, "main.lua": b"local game = {}\nreturn game +\n"}
    digest = digest_of(broken)
    folder = data / "code" / digest
    folder.mkdir()
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    shutil.rmtree(data / "journal")
    genesis = next(read_world(data, WORLD)).record
    assert isinstance(genesis, records.Genesis)
    log = WorldLog.create(msgspec.structs.replace(genesis, digest=digest), shard=0)
    (data / LOG).write_bytes(log.head.data)
    assert main(["replay", "state", WORLD, "--data", str(data)]) == 1
    said = capsys.readouterr().err
    assert f"{WORLD}@0 cannot be re-executed: its code {digest} does not load any more: " in said
    assert "main.lua" in said
    assert " → " in said


def test_a_data_folder_that_is_not_there_is_no_empty_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["verify"], ["verify", "--all"], ["verify", WORLD], ["state", WORLD]):
        assert main(["replay", *words, "--data", str(tmp_path / "nowhere")]) == 1
        assert "error: there is no data folder" in capsys.readouterr().err


def test_two_verifications_at_once_both_come_to_their_end(intact: Path) -> None:
    words = [sys.executable, "-m", "server.commands", "replay", "verify", "--all", "--data", str(intact)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    for each in both:
        said, _ = each.communicate(timeout=WITHIN_S)
        assert (each.returncode, "1 of 1 worlds verified, 300 ticks" in said) == (0, True), said


def test_what_comes_before_the_damage_can_be_looked_at(
    intact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(intact, tmp_path / "data"))
    words = ["replay", "state", f"{WORLD}@5", "--json", "--data", str(data)]
    assert main(words) == 0
    expected = capsys.readouterr().out
    shutil.rmtree(data / "journal")
    flip_a_bit(data)
    assert main(words) == 0
    assert capsys.readouterr().out == expected
