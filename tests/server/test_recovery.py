"""Promise: a server that waits for its worlds to come back hears of it, whatever died meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from server.lobby import Lobby
from server.reception import Reception
from server.recovery import Recovery


def orders(shard: int, message: object) -> None:
    raise AssertionError(f"no shard is to hear anything, but {shard} is told {message}")


async def test_recovery_is_settled_when_the_last_journal_is_redone_and_no_world_was_in_it(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    lobby = Lobby({}, max_worlds=1, name_world=lambda: "w_unused")
    recovery = Recovery(tmp_path, Reception(lobby, orders), orders, lambda _: None)
    lobby.shard_up(0)
    assert recovery.shard_lost(0) == []
    redoing = asyncio.create_task(recovery.redo(0))
    await asyncio.sleep(0)  # it has begun, so that the wait below begins before it ends
    async with asyncio.timeout(30):
        await recovery.settled()
    assert await redoing == []
