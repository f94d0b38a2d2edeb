"""Promise: the first observation of a new connection goes on from what the agent has proved to have heard, no later."""

from __future__ import annotations

from server.shard.heard import SHOWN_KEPT, Heard


def test_what_was_only_sent_may_not_have_arrived() -> None:
    heard = Heard()
    heard.shown(10, 4)
    assert heard.since == 1


def test_an_input_proves_the_observation_that_it_was_decided_on() -> None:
    heard = Heard()
    heard.shown(10, 4)
    heard.shown(20, 6)
    heard.saw(10)
    assert heard.since == 4
    heard.saw(20)
    assert heard.since == 6
    heard.saw(10)  # an older look proves no less
    assert heard.since == 6


def test_a_tick_that_was_never_shown_proves_nothing() -> None:
    heard = Heard()
    heard.shown(10, 4)
    heard.saw(11)
    heard.saw(9)
    assert heard.since == 1


def test_two_looks_at_one_tick_prove_the_smaller_one() -> None:
    heard = Heard()
    heard.shown(10, 4)
    heard.shown(10, 5)
    heard.saw(10)
    assert heard.since == 4


def test_the_agent_may_name_where_to_go_on() -> None:
    heard = Heard()
    heard.named(9)
    assert heard.since == 9
    heard.named(2)  # it wants to read again
    assert heard.since == 2
    heard.named(0)
    assert heard.since == 1


def test_what_is_remembered_is_bounded() -> None:
    heard = Heard()
    for tick in range(SHOWN_KEPT + 1):
        heard.shown(tick, tick + 2)
    heard.saw(0)
    assert heard.since == 1
    heard.saw(1)
    assert heard.since == 3
