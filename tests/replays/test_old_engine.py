"""Promise: a log that was played with an older engine is re-executed with that one, exactly: the engine's Lua code is
kept beside the log, by its digest. The data folder was recorded before the engine had its own sin, exp, pow …."""

from __future__ import annotations

import shutil
from pathlib import Path

from games.code import Engine
from replays.verify import verify_world
from tests.replays.recording import WORLD

RECORDED = Path(__file__).parent / "golden" / "engine-12dfd45f.tar.gz"
ENGINE = "12dfd45f878b26dc55c795700886e9ec"
TICKS = 2112


def unpack(folder: Path) -> Path:
    shutil.unpack_archive(RECORDED, folder)
    return folder


def test_a_game_that_an_older_engine_played_is_verified(tmp_path: Path) -> None:
    data = unpack(tmp_path)
    assert Engine.current().digest != ENGINE
    assert [path.name for path in (data / "engine").iterdir()] == [ENGINE]
    verdict = verify_world(data, WORLD)
    assert (verdict.status, verdict.tick, verdict.problem) == ("verified", TICKS, None)


def test_without_that_engine_it_is_not_verified_with_another(tmp_path: Path) -> None:
    data = unpack(tmp_path)
    (data / "engine" / ENGINE).rename(data / "engine" / Engine.current().digest)
    verdict = verify_world(data, WORLD)
    assert verdict.status == "cannot"
    assert ENGINE in (verdict.problem or "")
