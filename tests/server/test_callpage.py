"""A world that does not come back is found by its processor time; a machine that pauses costs nobody a world."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.callpage import (
    KINDS,
    LOOK_COUNTS_S,
    RESTORE_FACTOR,
    WALL_FACTOR,
    Call,
    CallPage,
    CallReader,
    CallWatch,
)
from server.process import cpu_seconds_of

TIMEOUT_S = 2.0
STUCK = Call(number=7, world="w_0123456789", tick=812, kind="tick")


def test_the_page_says_which_call_is_under_way(tmp_path: Path) -> None:
    reader = CallReader(tmp_path / "page")
    page = CallPage(tmp_path / "page")
    assert reader.read() is None
    for tick, kind in enumerate(KINDS):
        with page.during("w_0123456789", tick, kind):
            assert reader.read() == Call(number=tick + 1, world="w_0123456789", tick=tick, kind=kind)
        assert reader.read() is None


def test_a_call_that_raises_is_over(tmp_path: Path) -> None:
    reader = CallReader(tmp_path / "page")
    page = CallPage(tmp_path / "page")
    with pytest.raises(ValueError, match="game"), page.during("w_0123456789", 1, "tick"):
        raise ValueError("the game")
    assert reader.read() is None


def test_one_call_that_uses_too_much_processor_time_is_named() -> None:
    watch = CallWatch(TIMEOUT_S)
    assert watch.judge(STUCK, 10.0, 100.0) is None
    assert watch.judge(STUCK, 11.9, 101.9) is None
    verdict = watch.judge(STUCK, 12.1, 102.1)
    assert verdict is not None
    assert verdict.busy
    assert "w_0123456789@812" in verdict.why
    assert "tick" in verdict.why


def test_many_short_calls_are_no_long_one() -> None:
    watch = CallWatch(TIMEOUT_S)
    for number in range(1, 100):
        call = Call(number=number, world="w_0123456789", tick=number, kind="tick")
        assert watch.judge(call, float(number), float(number)) is None
        assert watch.judge(None, float(number), float(number)) is None


def test_a_pause_of_the_machine_kills_nobody() -> None:
    watch = CallWatch(TIMEOUT_S)
    assert watch.judge(STUCK, 10.0, 100.0) is None
    # The watch was paused with it: however long that was, it has seen nothing of it.
    assert watch.judge(STUCK, 10.1, 100.0 + 100 * WALL_FACTOR * TIMEOUT_S) is None
    assert watch.judge(STUCK, 10.2, 100.1 + 100 * WALL_FACTOR * TIMEOUT_S) is None


def test_a_call_that_stands_still_is_ended_but_its_world_was_not_busy() -> None:
    watch = CallWatch(TIMEOUT_S)
    looks = int(WALL_FACTOR * TIMEOUT_S / LOOK_COUNTS_S)
    assert [watch.judge(STUCK, 10.0, 100.0 + look * LOOK_COUNTS_S) for look in range(looks)] == [None] * looks
    stuck = watch.judge(STUCK, 10.1, 101.0 + looks * LOOK_COUNTS_S)
    while stuck is None:
        looks += 1
        stuck = watch.judge(STUCK, 10.1, 101.0 + looks * LOOK_COUNTS_S)
    assert not stuck.busy


def test_ticks_that_ran_before_may_run_again_many_at_a_time() -> None:
    watch = CallWatch(TIMEOUT_S)
    restoring = Call(number=7, world="w_0123456789", tick=812, kind="restore")
    assert watch.judge(restoring, 10.0, 100.0) is None
    assert watch.judge(restoring, 9.9 + RESTORE_FACTOR * TIMEOUT_S, 100.1) is None
    assert watch.judge(restoring, 10.1 + RESTORE_FACTOR * TIMEOUT_S, 100.2) is not None


def test_the_kernel_says_how_much_a_process_has_used() -> None:
    before_s = cpu_seconds_of(os.getpid())
    while sum(os.times()[:2]) < before_s + 0.1:
        pass
    assert 0.05 <= cpu_seconds_of(os.getpid()) - before_s <= 0.5
    with pytest.raises(OSError, match="No such"):
        cpu_seconds_of(2**22 + 1)
