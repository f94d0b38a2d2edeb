"""Promise: bisecting names the first tick at which changed code gives another state, and what in it makes the
difference: setup, an entry, or the tick itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from games.runtime.plain import parse_path
from replays.bisect import STRIDE_TICKS, bisect
from replays.why import why
from tests.replays.mill import changed, recorded
from tests.replays.recording import WORLD, Recording

TICK_TEXT = "the tick itself: game.tick, or a timer"
TICK = "function game.tick(world, dt)\n"


async def test_the_same_code_gives_the_same_world(tmp_path: Path) -> None:
    await recorded(tmp_path)
    found = bisect(tmp_path, WORLD, changed(("world.state.mood = 0", "world.state.mood = 1 - 1")))
    assert (found.tick, found.noted_tick, found.culprit, found.last_tick) == (None, None, None, 1200)
    assert found.compared >= 2


@pytest.mark.parametrize(
    ("change", "tick", "kind", "text", "path"),
    [
        # By an input: of five hours and more work is paid otherwise, which p_1 first does at tick 401.
        (
            ("args.hours * 10)", "args.hours * (args.hours < 5 and 10 or 11))"),
            401,
            "entry",
            'p_1 work {"hours":5}',
            "state.coins.p_1",
        ),
        (("args.hours > 8", "args.hours > 9"), 801, "entry", 'p_1 work {"hours":9}', "state.coins.p_1"),
        (
            ("give(world, player, -args.amount)", "give(world, player, -1)"),
            151,
            "entry",
            "p_2 spend",
            "state.coins.p_2",
        ),
        (
            ("world.state.coins[player.id] = 0", "world.state.coins[player.id] = world.tick"),
            None,
            None,
            None,
            None,
        ),
        (
            ("world.state.coins[player.id] = 0", "world.state.coins[player.id] = 5"),
            0,
            "entry",
            "join of p_1",
            "state.coins.p_1",
        ),
        (("world.state.mood = 0", "world.state.mood = 7"), 0, "setup", "setup", "state.mood"),
        # By the tick: with and without anything that the log notes.
        (
            ("give(world, player, 1)\n", "give(world, player, world.tick < 660 and 1 or 2)\n"),
            660,
            "tick",
            TICK_TEXT,
            "state.coins.p_1",
        ),
        (
            (
                "function game.tick(world, dt)\n",
                "function game.tick(world, dt)\n  if world.tick == 777 then world.state.mood = 1 end\n",
            ),
            777,
            "tick",
            TICK_TEXT,
            "state.mood",
        ),
    ],
)
async def test_the_first_tick_and_what_makes_it_another_are_found(
    tmp_path: Path, change: tuple[str, str], tick: int | None, kind: str | None, text: str | None, path: str | None
) -> None:
    await recorded(tmp_path)
    found = bisect(tmp_path, WORLD, changed(change))
    assert found.tick == tick
    if tick is None:
        return
    assert found.culprit is not None
    assert (found.culprit.kind, found.culprit.text.startswith(text or "?")) == (kind, True)
    assert path in {each.path for each in found.differences}
    assert found.culprit.note == ("to work" if "work" in (text or "") else None)
    assert found.broke is None
    assert found.compared < 1200 // STRIDE_TICKS + STRIDE_TICKS + 10


async def test_code_that_breaks_is_found_where_it_breaks(tmp_path: Path) -> None:
    await recorded(tmp_path)
    endless = "function game.tick(world, dt)\n  if world.tick == 900 then world.state.f = world.emit end\n"
    found = bisect(tmp_path, WORLD, changed(("function game.tick(world, dt)\n", endless)))
    assert found.tick == 900
    assert found.culprit is not None
    assert found.culprit.kind == "tick"


async def test_what_only_others_are_told_is_noted_by_the_log(tmp_path: Path) -> None:
    await recorded(tmp_path)
    found = bisect(
        tmp_path,
        WORLD,
        changed(('world.emit(player, "paid", { coins = 1 })', 'world.emit(player, "paid", { coins = 2 })')),
    )
    assert (found.tick, found.noted_tick) == (60, 60)
    assert {each.path for each in found.differences} == {
        "players.p_1.events.1.data.coins",
        "players.p_2.events.1.data.coins",
    }


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ((TICK, f"{TICK}  if world.tick == 120 then world.state.mood = 1 end\n"), "tick", TICK_TEXT),
        (("coins[player.id] = 0", "coins[player.id] = world.tick"), "entry", "join of p_2"),
    ],
)
async def test_a_tick_and_what_joins_after_it_are_told_apart(
    tmp_path: Path, change: tuple[str, str], kind: str, text: str
) -> None:
    """In tick 120 p_1 works and is paid its wage; p_2 joins after it, before the next."""
    recording = Recording(tmp_path, changed(), seed=1, settings={})
    one = recording.join()
    recording.run(119)
    recording.input(one, "work", {"hours": 1})
    recording.join()
    recording.run(50)
    await recording.close()
    found = bisect(tmp_path, WORLD, changed(change))
    assert found.culprit is not None
    assert (found.tick, found.culprit.kind, found.culprit.text) == (120, kind, text)
    told = why(tmp_path, WORLD, None, parse_path("state.coins"), last=3)
    assert [(each.tick, each.text, each.after) for each in told] == [
        (120, "join of p_2", {"p_1": 12, "p_2": 0}),
        (120, TICK_TEXT, {"p_1": 12}),
        (120, 'p_1 work {"hours":1}', {"p_1": 11}),
    ]
