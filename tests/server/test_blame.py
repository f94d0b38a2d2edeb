"""Promise: a world that takes its shard down does not get that tick again; a world that did nothing is never blamed."""

from __future__ import annotations

import pytest

from server.blame import Blame, Death, Verdict
from server.callpage import KINDS, Call, Kind

WORLD = "w_0123456789"
STUCK = Death("stuck", "it does not come back")
CRASHED = Death("crashed", "its shard ended with signal 11")
UNCLEAR = Death("unclear", "its shard ended with signal 9")
KILLED = Death("killed", "its shard ended with signal 9")


def during(kind: Kind, tick: int) -> Call:
    return Call(number=1, world=WORLD, tick=tick, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_world_that_only_ran_when_its_shard_was_killed_is_never_blamed(kind: Kind) -> None:
    blame = Blame()
    for _ in range(100):
        blame.died(during(kind, 812), KILLED)
    assert blame.verdict(WORLD) is None


@pytest.mark.parametrize("death", [STUCK, CRASHED])
def test_what_took_its_shard_down_by_itself_is_blamed_at_once(death: Death) -> None:
    for kind, not_run in (("tick", 812), ("entries", 813), ("observe", 813), ("view", 813)):
        blame = Blame()
        blame.died(during(kind, 812), death)  # type: ignore[arg-type]
        assert blame.verdict(WORLD) == Verdict(not_run, death.why), kind


def test_an_unclear_death_needs_a_second_one_in_the_same_tick() -> None:
    blame = Blame()
    blame.died(during("tick", 812), UNCLEAR)
    blame.died(during("tick", 813), UNCLEAR)
    assert blame.verdict(WORLD) is None
    blame.died(during("tick", 813), UNCLEAR)
    assert blame.verdict(WORLD) == Verdict(813, UNCLEAR.why)


def test_a_tick_that_ran_well_the_second_time_was_not_to_blame() -> None:
    blame = Blame()
    blame.died(during("tick", 812), UNCLEAR)
    blame.back(WORLD, 811)
    blame.back(WORLD, 812)
    blame.died(during("tick", 812), UNCLEAR)
    assert blame.verdict(WORLD) is None


def test_a_tick_that_has_not_run_again_is_still_suspected() -> None:
    blame = Blame()
    blame.died(during("tick", 812), UNCLEAR)
    blame.back(WORLD, 811)
    blame.died(during("tick", 812), UNCLEAR)
    assert blame.verdict(WORLD) == Verdict(812, UNCLEAR.why)


def test_ticks_that_ran_once_are_not_taken_back_because_they_cannot_be_run_again() -> None:
    """The world is set aside with its log as it is: to end it before such a tick would undo what people saw."""
    blame = Blame()
    blame.died(during("restore", 500), STUCK)
    verdict = blame.verdict(WORLD)
    assert verdict is not None
    assert verdict.tick is None
    assert STUCK.why in verdict.reason


def test_restoring_twice_without_memory_sets_a_world_aside() -> None:
    blame = Blame()
    blame.died(during("restore", 500), UNCLEAR)
    assert blame.verdict(WORLD) is None
    blame.died(during("restore", 700), UNCLEAR)
    verdict = blame.verdict(WORLD)
    assert verdict is not None
    assert verdict.tick is None


def test_a_world_that_was_never_made_is_no_matter() -> None:
    blame = Blame()
    blame.died(during("setup", 0), STUCK)
    assert blame.verdict(WORLD) is None
