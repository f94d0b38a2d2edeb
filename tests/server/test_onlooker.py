"""Promise: who watches on a terminal sees where they are and what has happened, in any size of terminal; keys mean what
the help says; other people's text stays text."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from server.demo.model import Line
from server.onlooker.drawing import Look, draw, state
from server.onlooker.story import Story
from server.onlooker.strokes import HELP, Action, Strokes
from worldline import protocol


def player(number: int, name: str | None = None) -> protocol.WatchedPlayer:
    return protocol.WatchedPlayer(player=f"p_{number}", agent="a_1", name=name or f"bot-{number}", seat=number, score=3)


def watching(**more: Any) -> protocol.Watching:
    facts: dict[str, Any] = {
        "watch": "v_1",
        "world": "w_0123456789",
        "game": "tsunami",
        "live": False,
        "playing": True,
        "speed": 1,
        "tick": 600,
        "first_tick": 0,
        "last_tick": 1000,
        "tick_hz": 60,
        "hz": 10,
        "players": [player(1), player(2)],
        "marks": [protocol.Mark(tick=3, kind="joined", text="bot-1 joined", player="p_1")],
        "static": protocol.Scene(),
    }
    return protocol.Watching(**{**facts, **more})


def look(**more: Any) -> Look:
    facts: dict[str, Any] = {
        "watching": watching(),
        "tick": 600,
        "last_tick": 1000,
        "playing": True,
        "nodes": [{"id": 1, "kind": "player", "name": "bot-2", "x": 0, "z": 0}],
        "size": {"x": 1000, "z": 228},
        "camera": None,
        "players": [player(1), player(2)],
        "lines": [],
    }
    return Look(**{**facts, **more})


def shown(look: Look, columns: int = 100, rows: int = 30) -> str:
    console = Console(width=columns, height=rows, record=True, file=io.StringIO(), force_terminal=True)
    console.print(draw(look, columns, rows))
    return console.export_text()


def frame(tick: int, **more: Any) -> protocol.Frame:
    return protocol.Frame(
        **{"watch": "v_1", "tick": tick, "scene": protocol.Scene(), "events": [], "inputs": [], **more}
    )


def put(tick: int, **more: Any) -> protocol.WatchedInput:
    facts: dict[str, Any] = {"player": "p_1", "seq": 1, "name": "put", "args": {"x": 3}, "status": "applied"}
    return protocol.WatchedInput(**{"tick": tick, **facts, **more})


def test_the_screen_says_where_one_is_and_who_plays() -> None:
    text = shown(look(watching=watching(speed=4), view_as="p_2"))
    first, timeline, *_ = text.splitlines()
    assert "w_0123456789@600 · tsunami · replay · 4 × as fast · 0:10 of the game · with the eyes of p_2" in first
    assert timeline.rstrip().endswith(" 1000")
    assert 0.55 < timeline.index("●") / timeline.rindex("─") < 0.65
    assert "1 bot-1 3   2 bot-2 3" in text
    assert "p_2 had not been sent an observation yet" in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"watching": watching(live=True)}, "live"),
        ({"playing": False}, "paused"),
        ({}, "replay"),
        ({"ended": "finished"}, "ended: finished"),
        ({"connected": False}, "no connection, trying again"),
        (
            {"tick": 1000, "watching": watching(marks=[protocol.Mark(tick=1000, kind="ended", text="finished")])},
            "the end",
        ),
    ],
)
def test_the_screen_says_what_it_does(more: dict[str, Any], said: str) -> None:
    assert state(look(**more)) == said


@pytest.mark.parametrize("rows", [20, 24, 50])
@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("shows_help", [False, True])
def test_the_screen_fits_the_terminal(columns: int, rows: int, shows_help: bool) -> None:
    lines = [Line(text=f"line {number} " + "x" * 300, tick=number) for number in range(80)]
    seen = protocol.Observation(
        world="w_0123456789",
        player="p_1",
        tick=590,
        game_time_s=9,
        status="running",
        events=[],
        cursor=1,
        missed=0,
        score=0,
        total_reward=0,
        text="many words " * 100,
    )
    text = shown(look(lines=lines, view_as="p_1", observation=seen, help=shows_help), columns, rows).rstrip("\n")
    assert len(text.splitlines()) <= rows
    assert all(len(line) <= columns for line in text.splitlines())
    assert ("line 79" in text, "many words" in text) == (not shows_help, not shows_help)
    assert all((key.meaning[:30] in text) == shows_help for key in HELP if key.shown != "q")


def test_other_peoples_text_is_no_markup_and_drives_no_terminal() -> None:
    story = Story()
    story.begin(watching(players=[player(1, "[red]\x1b[2J")]))
    story.tell(frame(601, inputs=[put(601, note="[bold]\x1b]0;title\x07 two\nlines")]))
    text = shown(look(lines=story.lines))
    assert "[red]" in text and "[bold]" in text and "two lines" in text
    assert "\x1b]0;" not in text and "\x1b[2J" not in text


def test_the_story_tells_all_in_the_order_of_ticks() -> None:
    story = Story()
    story.begin(watching(players=[player(1)]))
    told = story.tell(
        frame(
            610,
            players=[player(1), player(2)],
            inputs=[put(603, note="why"), put(609, status="rejected", code="not_there")],
            events=[
                protocol.WatchedEvent(tick=605, kind="put", players=["p_1"], data={"x": 3}),
                protocol.WatchedEvent(tick=607, kind="wave", players=["p_1", "p_2"]),
            ],
            skipped=2,
        )
    )
    assert [(line.tick, line.player, line.text, line.note) for line in told] == [
        (610, "bot-2", "joined on seat 2", ""),
        (603, "bot-1", "put x=3 applied", "why"),
        (605, "bot-1", 'put {"x":3}', ""),
        (607, "", "wave to all", ""),
        (609, "bot-1", "put x=3 rejected: not_there", ""),
        (610, "", "2 more are left out here", ""),
    ]
    left = story.tell(frame(690, players=[player(2)], inputs=[put(650)]))
    assert [(line.player, line.text) for line in left] == [("bot-1", "put x=3 applied"), ("bot-1", "is gone")]


def test_after_a_seek_nothing_is_told_that_is_yet_to_come() -> None:
    story = Story()
    story.begin(watching(tick=0))
    for tick in (10, 20, 30):
        story.tell(frame(tick, inputs=[put(tick)]))
    story.begin(watching(tick=20))
    assert [line.tick for line in story.lines] == [10]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" ", ["pause"]),
        ("\x1b[D\x1b[C\x1b[A\x1b[B", ["back", "forward", "far_forward", "far_back"]),
        ("\x1bOD\x1bOC", ["back", "forward"]),
        ("\x1b[H\x1b[F\x1b[1~\x1b[4~", ["first", "live", "first", "live"]),
        (",.<>", ["back", "forward", "far_back", "far_forward"]),
        ("-+=al?q", ["slower", "faster", "faster", "as", "live", "help", "quit"]),
        ("\x1b[1;5D", []),  # with Ctrl: something else
        ("\x1b[5~", []),
        ("\x1bq", ["quit"]),  # Escape alone means nothing
        ("DCAB\n\tz", []),
    ],
)
def test_keys(typed: str, meant: list[Action]) -> None:
    strokes = Strokes()
    assert [action for character in typed if (action := strokes.press(character)) is not None] == meant
