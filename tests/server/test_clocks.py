"""A tick that waits for players runs when all have acted or the deadline has passed: decided without any clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.shard.clocks import NOBODY, Awaited, Run, Wait, await_players, decide

PLAYERS = ["p_1", "p_2", "p_3"]


@pytest.mark.parametrize(
    ("awaited", "acted", "now_s", "decision"),
    [
        (Awaited(("p_1", "p_2"), 10.0), {"p_1"}, 9.9, Wait(10.0)),
        (Awaited(("p_1", "p_2"), 10.0), {"p_1", "p_2"}, 0.0, Run(())),
        (Awaited(("p_1", "p_2"), 10.0), {"p_2"}, 10.0, Run(("p_1",))),
        (Awaited(("p_2", "p_1"), 10.0), set(), 11.0, Run(("p_2", "p_1"))),
        (Awaited((), 10.0), set(), 9.0, Wait(10.0)),  # all are out: the game goes on once in every deadline
        (Awaited((), 10.0), set(), 10.0, Run(())),
        (NOBODY, set(), 1e9, Wait(None)),  # nobody sits there: for ever
        (Awaited(("p_1",), 10.0), {"p_1", "p_9"}, 0.0, Run(())),
    ],
)
def test_when_a_tick_runs(awaited: Awaited, acted: set[str], now_s: float, decision: Run | Wait) -> None:
    assert decide(awaited, acted, now_s) == decision


@pytest.mark.parametrize(
    ("before", "to_act", "anew", "until_s"),
    [
        (NOBODY, ["p_1"], False, 105.0),  # the first player: the wait begins
        (Awaited(("p_1",), 101.0), ["p_1", "p_2"], False, 101.0),  # who comes does not prolong it
        (Awaited(("p_1", "p_2"), 101.0), ["p_2"], False, 101.0),  # nor does who goes
        (Awaited(("p_1",), 101.0), ["p_2"], False, 105.0),  # another's turn, because the first has left
        (Awaited(("p_1",), 101.0), ["p_1"], True, 105.0),  # a tick has run
        (Awaited((), 101.0), [], False, 101.0),
        (Awaited((), 101.0), ["p_2"], False, 105.0),
    ],
)
def test_when_a_wait_begins_anew(before: Awaited, to_act: list[str], anew: bool, until_s: float) -> None:
    after = await_players(before, to_act, seated=3, deadline_s=5.0, now_s=100.0, anew=anew)
    assert after == Awaited(tuple(to_act), until_s)


def test_nobody_is_awaited_where_nobody_sits() -> None:
    assert await_players(Awaited(("p_1",), 9.0), [], seated=0, deadline_s=5.0, now_s=1.0, anew=False) == NOBODY


@given(
    awaited=st.lists(st.sampled_from(PLAYERS), unique=True),
    acted=st.sets(st.sampled_from(PLAYERS)),
    until_s=st.floats(0, 100),
    now_s=st.floats(0, 100),
)
def test_a_tick_never_waits_beyond_its_deadline_nor_punishes_who_has_acted(
    awaited: list[str], acted: set[str], until_s: float, now_s: float
) -> None:
    decision = decide(Awaited(tuple(awaited), until_s), acted, now_s)
    if isinstance(decision, Wait):
        assert now_s < until_s
        assert not awaited or set(awaited) - acted
    else:
        assert set(decision.silent) == set(awaited) - acted
