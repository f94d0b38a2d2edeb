"""Promise: a leaderboard has each agent once, with its best score in ranked worlds that have ended."""

from __future__ import annotations

from typing import Any

import pytest

from eventlog.index import PlayerListing, WorldListing
from eventlog.leaderboard import leaderboard
from eventlog.summary import WorldInfo


def world(name: str, scores: dict[str, float | None], **info: Any) -> WorldListing:
    """A ranked, closed world of echo in which these agents had these scores."""
    fields: dict[str, Any] = {"game": "echo", "status": "closed", "ranked": True} | info
    players = [
        PlayerListing(player=f"p_{n}", agent=f"a_{name}", name=name, seat=n, joined_tick=0, score=score)
        for n, (name, score) in enumerate(scores.items(), start=1)
    ]
    return WorldListing(
        info=WorldInfo(
            world=name,
            digest="",
            clock="realtime",
            created_ms=0,
            last_tick=9,
            reason=None,
            ended_ms=1,
            bytes=1,
            archived=False,
            **fields,
        ),
        result=None,
        players=players,
    )


def board(*worlds: WorldListing) -> list[tuple[int, str, float, str]]:
    """Rank, name, score, world."""
    return [(each.rank, each.name, each.score, each.world) for each in leaderboard(worlds, "echo")]


def test_each_agent_stands_once_with_its_best() -> None:
    assert board(world("w_1", {"ada": 3, "bob": 9}), world("w_2", {"ada": 7, "bob": 1})) == [
        (1, "bob", 9, "w_1"),
        (2, "ada", 7, "w_2"),
    ]


def test_equal_scores_have_the_same_rank_and_the_first_to_get_there_is_first() -> None:
    later, first = world("w_2", {"ada": 7, "eve": 7}), world("w_1", {"ada": 7, "bob": 7, "cyd": 2})
    assert board(later, first) == [
        (1, "ada", 7, "w_1"),
        (1, "bob", 7, "w_1"),
        (1, "eve", 7, "w_2"),
        (4, "cyd", 2, "w_1"),
    ]


@pytest.mark.parametrize(
    "info", [{"ranked": False}, {"status": "open"}, {"status": "faulted"}, {"status": "damaged"}, {"game": "other"}]
)
def test_other_worlds_do_not_count(info: dict[str, Any]) -> None:
    assert board(world("w_1", {"ada": 7}, **info)) == []


def test_who_has_no_score_does_not_stand() -> None:
    assert board(world("w_1", {"ada": None, "bob": -2})) == [(1, "bob", -2, "w_1")]
