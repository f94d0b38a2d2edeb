"""Promise: of any value of a world one can ask what changed it last: which entries of the log, and which ticks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec

from games.runtime.plain import parse_path, value_at
from replays.replay import replay
from replays.why import Change, why
from tests.replays.mill import recorded
from tests.replays.recording import WORLD


async def test_entries_and_ticks_that_changed_a_value_are_named_latest_first(tmp_path: Path) -> None:
    await recorded(tmp_path)
    found = why(tmp_path, WORLD, 430, parse_path("state.coins.p_1"), last=4)
    told = [(each.tick, each.by, each.before, each.after, each.text, each.note) for each in found]
    tick = "the tick itself: game.tick, or a timer"
    assert told == [
        (420, "tick", 146, 147, tick, None),
        (401, "entry", 96, 146, 'p_1 work {"hours":5}', "to work"),
        (360, "tick", 95, 96, tick, None),
        (301, "entry", 55, 95, 'p_1 work {"hours":4}', "to work"),
    ]


async def test_only_entries_are_named_if_that_is_asked(tmp_path: Path) -> None:
    await recorded(tmp_path)
    found = why(tmp_path, WORLD, None, parse_path("state.coins.p_1"), last=100, entries_only=True)
    assert [each.tick for each in found if each.by == "entry"] == [1101, 1001, 701, 601, 501, 401, 301, 201, 101]
    assert found[-1].by == "setup"


async def test_all_changes_lead_from_nothing_to_what_there_is(tmp_path: Path) -> None:
    await recorded(tmp_path)
    for text in ("state.coins.p_2", "players.p_1.score", "state.mood", "players.p_2.events.3", "next_player"):
        path = parse_path(text)
        found = why(tmp_path, WORLD, None, path, last=1000)
        last = value_at(replay(tmp_path, WORLD).seek(1200), path)
        assert found[0].after == last, text
        for later, earlier in pairwise(found):
            assert later.before == earlier.after, text
        assert found[-1].before is msgspec.UNSET, text
        ticks = [each.tick for each in found]
        assert ticks == sorted(ticks, reverse=True)


async def test_what_never_was_there_has_no_changes(tmp_path: Path) -> None:
    await recorded(tmp_path)
    assert why(tmp_path, WORLD, None, parse_path("state.coins.p_9")) == []
    before: list[Change] = why(tmp_path, WORLD, 59, parse_path("state.coins.p_1"))
    assert [(each.tick, each.by, each.after) for each in before] == [(0, "setup", 0)]
