"""Worlds tick at their own rates, never skip a tick, and give up time only when they are far behind."""

from hypothesis import given
from hypothesis import strategies as st

from server.shard.scheduler import CATCH_UP_S, Scheduler


def run(
    scheduler: Scheduler, until_s: float, costs_s: dict[str, float], now_s: float = 0.0
) -> tuple[dict[str, int], float]:
    """Play a shard with a simulated clock. Returns the ticks of each world and the time given up in all."""
    ticks = dict.fromkeys(costs_s, 0)
    lost_s = 0.0
    while (deadline_s := scheduler.next_deadline_s()) is not None and max(deadline_s, now_s) < until_s:
        now_s = max(now_s, deadline_s)
        for world, due_s in scheduler.take_due(now_s):
            now_s += costs_s[world]
            ticks[world] += 1
            lost_s += scheduler.ran(world, due_s, now_s)
    return ticks, lost_s


def test_each_world_ticks_at_its_own_rate() -> None:
    scheduler = Scheduler()
    scheduler.add("slow", 10, 0.0)
    scheduler.add("fast", 60, 0.0)
    ticks, lost_s = run(scheduler, 10.005, {"slow": 0.0001, "fast": 0.0001})
    assert ticks == {"slow": 100, "fast": 600}
    assert lost_s == 0.0


def test_worlds_of_one_rate_fall_due_together() -> None:
    scheduler = Scheduler()
    scheduler.add("a", 60, 0.0)
    scheduler.add("b", 60, 0.0101)
    scheduler.take_due(scheduler.next_deadline_s() or 0.0)
    assert {world for world, _ in scheduler.take_due(1.0)} <= {"a", "b"}
    scheduler = Scheduler()
    scheduler.add("a", 60, 0.2)
    scheduler.add("b", 60, 0.2101)
    assert {world for world, _ in scheduler.take_due(0.2167)} == {"a", "b"}


def test_a_short_pause_is_made_good() -> None:
    scheduler = Scheduler()
    scheduler.add("w", 60, 0.0)
    _, lost_s = run(scheduler, 1.0, {"w": 0.0001})
    ticks, more_lost_s = run(scheduler, 2.0, {"w": 0.0001}, now_s=1.0 + CATCH_UP_S * 0.9)
    assert lost_s == more_lost_s == 0.0
    assert ticks["w"] in (60, 61)


def test_an_overloaded_world_runs_slower_and_the_lost_time_is_counted() -> None:
    scheduler = Scheduler()
    scheduler.add("burns", 60, 0.0)
    ticks, lost_s = run(scheduler, 30.0, {"burns": 0.3})
    assert ticks["burns"] in (92, 93, 94, 95, 96, 97, 98, 99, 100)
    assert abs(ticks["burns"] / 60 + lost_s - 30.0) < 2 * 0.3 + CATCH_UP_S


def test_a_removed_world_ticks_no_more() -> None:
    scheduler = Scheduler()
    scheduler.add("w", 60, 0.0)
    (due,) = scheduler.take_due(0.02)
    scheduler.remove("w")
    assert scheduler.ran(due[0], due[1], 0.03) == 0.0
    assert scheduler.next_deadline_s() is None
    assert len(scheduler) == 0


@given(
    st.lists(st.sampled_from([1.0, 7.0, 10.0, 30.0, 60.0, 144.0]), min_size=1, max_size=12),
    st.floats(0.0, 0.02),
)
def test_time_is_never_lost_uncounted(rates_hz: list[float], cost_s: float) -> None:
    """What a world has ticked and what it gave up add up to the time that has passed, whatever the load."""
    scheduler = Scheduler()
    costs_s = {}
    lost_s = dict.fromkeys(range(len(rates_hz)), 0.0)
    ticks = dict.fromkeys(range(len(rates_hz)), 0)
    for number, hz in enumerate(rates_hz):
        scheduler.add(str(number), hz, 0.0)
        costs_s[str(number)] = cost_s
    now_s = 0.0
    while now_s < 5.0:
        now_s = max(now_s, scheduler.next_deadline_s() or 0.0)
        for world, due_s in scheduler.take_due(now_s):
            now_s += cost_s
            ticks[int(world)] += 1
            lost_s[int(world)] += scheduler.ran(world, due_s, now_s)
    for number, hz in enumerate(rates_hz):
        behind_s = now_s - (ticks[number] / hz + lost_s[number])
        assert -1.0 / hz - 1e-6 <= behind_s <= CATCH_UP_S + 1.0 / hz + len(rates_hz) * cost_s + 1e-6


def test_a_world_without_a_rate_is_due_when_it_was_woken_for_last() -> None:
    scheduler = Scheduler()
    scheduler.wake("w", 10.0)
    scheduler.wake("w", 4.0)
    assert scheduler.next_deadline_s() == 4.0
    scheduler.wake("w", 7.0)
    assert scheduler.take_due(6.9) == []
    assert scheduler.take_due(20.0) == [("w", 7.0)], "once, however often it was woken"
    assert scheduler.take_due(20.0) == []
    scheduler.wake("w", 30.0)
    scheduler.wake("w", None)
    assert scheduler.next_deadline_s() is None


def test_deadlines_that_were_given_up_are_cleared_away() -> None:
    scheduler = Scheduler()
    scheduler.add("ticks", 60, 0.0)
    for number in range(10_000):
        scheduler.wake("w", 1000.0 + number)
    assert len(scheduler._heap) < 100
    scheduler.remove("ticks")
    scheduler.remove("w")
    assert scheduler.next_deadline_s() is None
