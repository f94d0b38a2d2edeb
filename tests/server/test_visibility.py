"""Promise: of a running world nobody sees what would let a player cheat. Each row is a cell of the protocol's table."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from server.visibility import Part, Seen, Spectate, Verdict, Viewer, visibility

SPECTATOR = Viewer(role="spectator")
AGENT = Viewer(role="agent")
PLAYER = Viewer(role="agent", had_seat=True)
OWN_PLAYER = Viewer(role="agent", had_seat=True, own_player=True)
DEVELOPER = Viewer(role="developer")
PLAYING_DEVELOPER = Viewer(role="developer", had_seat=True)
SPECTATES: tuple[Spectate, ...] = get_args(Spectate)
PARTS: tuple[Part, ...] = get_args(Part)

RUNNING: list[tuple[Part, Viewer, tuple[Verdict, Verdict, Verdict, Verdict]]] = [
    # what, who, and the verdict where the game's [spectate] says live, delayed, after, off
    ("own", SPECTATOR, ("forbidden", "forbidden", "forbidden", "forbidden")),
    ("own", AGENT, ("forbidden", "forbidden", "forbidden", "forbidden")),
    ("own", PLAYER, ("forbidden", "forbidden", "forbidden", "forbidden")),
    ("own", OWN_PLAYER, ("now", "now", "now", "now")),
    ("own", DEVELOPER, ("forbidden", "forbidden", "forbidden", "forbidden")),
    ("watch", SPECTATOR, ("now", "delayed", "live_world", "forbidden")),
    ("watch", AGENT, ("now", "delayed", "live_world", "forbidden")),
    ("watch", OWN_PLAYER, ("live_world", "live_world", "live_world", "live_world")),
    ("watch", PLAYER, ("live_world", "live_world", "live_world", "live_world")),
    ("watch", PLAYING_DEVELOPER, ("live_world", "live_world", "live_world", "live_world")),
    ("watch", DEVELOPER, ("now", "now", "now", "now")),
    ("records", SPECTATOR, ("live_world", "live_world", "live_world", "forbidden")),
    ("records", AGENT, ("live_world", "live_world", "live_world", "forbidden")),
    ("records", PLAYER, ("live_world", "live_world", "live_world", "live_world")),
    ("records", PLAYING_DEVELOPER, ("live_world", "live_world", "live_world", "live_world")),
    ("records", DEVELOPER, ("now", "now", "now", "now")),
]


@pytest.mark.parametrize(("part", "viewer", "verdicts"), RUNNING)
def test_while_a_world_runs(part: Part, viewer: Viewer, verdicts: tuple[Verdict, ...]) -> None:
    for spectate, verdict in zip(SPECTATES, verdicts, strict=True):
        world = Seen(ended=False, spectate=spectate)
        assert visibility(part, viewer, world, fair_play=True) == verdict, spectate


@pytest.mark.parametrize("viewer", [SPECTATOR, AGENT, PLAYER, PLAYING_DEVELOPER, DEVELOPER])
@pytest.mark.parametrize("part", ["watch", "records"])
def test_an_ended_world_is_open_unless_its_game_says_off(part: Part, viewer: Viewer) -> None:
    for spectate in SPECTATES:
        verdict = visibility(part, viewer, Seen(ended=True, spectate=spectate), fair_play=True)
        closed = spectate == "off" and viewer.role != "developer"
        assert verdict == ("forbidden" if closed else "now")


def test_without_fair_play_only_what_is_a_players_own_is_kept_back() -> None:
    for viewer, spectate, ended in itertools.product((SPECTATOR, PLAYER, DEVELOPER), SPECTATES, (False, True)):
        world = Seen(ended=ended, spectate=spectate)
        assert visibility("watch", viewer, world, fair_play=False) == "now"
        assert visibility("records", viewer, world, fair_play=False) == "now"
        assert visibility("own", viewer, world, fair_play=False) == "forbidden"


def test_a_world_that_is_not_ranked_is_open_to_its_owner_and_to_nobody_else_by_that() -> None:
    owner = Viewer(role="agent", owner=True, had_seat=True)
    for part, spectate in itertools.product(PARTS, SPECTATES):
        world = Seen(ended=False, spectate=spectate, ranked=False)
        assert visibility(part, owner, world, fair_play=True) == "now"
        ranked = Seen(ended=False, spectate=spectate)
        assert visibility(part, owner, ranked, fair_play=True) == visibility(part, PLAYER, ranked, fair_play=True)
        assert visibility(part, PLAYER, world, fair_play=True) == visibility(part, PLAYER, ranked, fair_play=True)
