"""Promise: a wave starts every 30 seconds, washes home whoever it meets, and flattens the land, which is raised again:
at least 1,500 nodes change and come back each time, and at least 2,000 live throughout."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from games.code import GameCode
from tests.games.tsunami_driver import TICK_HZ, Facts, Table, at_random, play, variant

WAVE_TICKS = 1458
"""From the tick in which a wave starts to the one in which it ends: 850 units at 35 a second, rounded up."""


def land_shown() -> GameCode:
    """A variant whose view shows every hut, fence and tree instead of villages and groves."""
    return variant(('tagged("place")', 'tagged("land")'), file="view.lua")


FLAT_COLOURS = {"#6f665c", "#5b6b5c"}


def flat_nodes(table: Table) -> set[int]:
    return {node["id"] for node in table.view()["nodes"] if node["colour"] in FLAT_COLOURS}


# --- when and where ----------------------------------------------------------------------------------


def test_waves_start_every_thirty_seconds_and_are_announced() -> None:
    table = Table()
    table.step(100 * TICK_HZ)
    events = table.world.events("p_1", 1).items
    told = [(event.kind, event.tick) for event in events if event.kind.startswith("wave")]
    assert told == [
        (kind, tick)
        for start in (1800, 3600, 5400)
        for kind, tick in (("wave_warning", start - 5 * TICK_HZ), ("wave_started", start))
    ]


def test_the_front_runs_from_the_far_west_to_the_edge_of_the_homes_at_its_speed() -> None:
    table = Table()
    table.step_to(1799)
    assert not table.observe("p_1")["wave"]["running"]
    assert table.observe("p_1")["wave"]["starts_in_s"] == pytest.approx(0, abs=0.02)
    for second in range(25):
        table.step_to(1800 + second * TICK_HZ)
        assert table.observe("p_1")["wave"]["x"] == -500 + 35 * second
        assert table.nodes("wave")[0]["x"] == -500 + 35 * second
    table.step_to(1800 + WAVE_TICKS - 1)
    assert table.observe("p_1")["wave"]["running"]
    table.step()
    assert not table.observe("p_1")["wave"]["running"]
    assert table.nodes("wave") == []


@pytest.mark.parametrize("interval_s", [26, 45])
def test_a_world_may_have_another_interval(interval_s: float) -> None:
    table = Table(settings={"wave_interval_s": interval_s})
    table.step(100 * TICK_HZ)
    starts = [event.tick for event in table.world.events("p_1", 1).items if event.kind == "wave_started"]
    assert starts == list(range(int(interval_s * TICK_HZ), 6001, int(interval_s * TICK_HZ)))


# --- what it does to players -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "hit"), [(354.9, True), (355.1, False), (449, False), (475, False), (300, True), (340, True)]
)
def test_a_wave_hits_within_five_units_of_its_front(x: float, hit: bool) -> None:
    table = Table()
    table.step_to(1700)
    table.walk("p_1", x=x, z=-84)
    table.events("p_1")
    table.step_to(1800 + WAVE_TICKS)
    kinds = [kind for kind, _ in table.events("p_1")]
    assert ("hit_by_wave" in kinds) is hit
    assert table.observe("p_1")["x"] == (475 if hit else x)


def test_a_hit_comes_in_the_tick_in_which_the_front_is_within_reach() -> None:
    table = Table()
    table.step_to(1800 - 11 * TICK_HZ)
    table.walk("p_1", x=300, z=-84)
    table.events("p_1")
    table.until(lambda: table.observe("p_1")["at_home"])
    front = min(350.0, -500 + 35 * (table.now - 1800) / TICK_HZ)
    assert 300 - 5 <= front < 300 - 5 + 35 / TICK_HZ
    hit = dict(table.events("p_1"))["hit_by_wave"]
    assert hit == {"x": 300, "z": -84}


def test_a_hit_ends_the_walk_drops_the_relic_there_and_costs_nothing_else() -> None:
    table = Table(2)
    table.own("p_1")
    table.step_to(3600 + 8 * TICK_HZ)
    taken = table.fetch("p_1")
    lost = table.observe("p_1")
    table.do("p_1", "move", x=lost["x"] - 60, z=lost["z"])
    table.events("p_1")
    table.until(lambda: table.observe("p_1")["at_home"])
    now = table.observe("p_1")
    events = dict(table.events("p_1"))
    assert "walking" not in now
    assert "carrying" not in now
    assert (now["x"], now["z"]) == (475, -84)
    assert (now["income"], now["speed"], now["coins"] >= lost["coins"]) == (1, 16, True)
    dropped = events["dropped"]
    assert (dropped["relic"], dropped["value"]) == (taken["relic"], 10)
    there = next(relic for relic in table.nodes("relic") if relic["name"] == taken["relic"])
    assert math.hypot(there["x"] - dropped["x"], there["z"] - dropped["z"]) < 0.1
    assert events["hit_by_wave"] == {"x": dropped["x"], "z": dropped["z"]}


def test_what_was_dropped_is_free_for_anyone() -> None:
    table = Table(2)
    table.step_to(1800 + 3 * TICK_HZ)
    taken = table.fetch("p_1")
    table.until(lambda: table.observe("p_1")["at_home"])
    table.step_to(1800 + WAVE_TICKS + 2)
    table.walk("p_2", to=taken["relic"])
    assert table.do("p_2", "collect", relic=taken["relic"])["value"] == 10


# --- what it does to the land ------------------------------------------------------------------------


def test_each_wave_flattens_at_least_1500_nodes_and_all_are_raised_again() -> None:
    table = Table(8, code=land_shown())
    land = (
        len(table.view()["nodes"]) - len(table.nodes("base")) - len(table.nodes("relic")) - len(table.nodes("player"))
    )
    assert land >= 2000
    for start in (1800, 3600):
        flattened: set[int] = set()
        raised_again: set[int] = set()
        before = flat_nodes(table)
        for tick in range(start, start + 33 * TICK_HZ, 60):
            table.step_to(tick)
            now = flat_nodes(table)
            flattened |= now - before
            raised_again |= before - now
            before = now
            if tick >= start + 1799:
                break
        assert len(flattened) >= 1500
        assert len(raised_again) >= 1500


def test_the_land_is_whole_again_before_a_wave_reaches_it() -> None:
    """What lies east of a new wave's front and was passed by the rebuilding one stands."""
    table = Table(1, code=land_shown(), settings={"wave_interval_s": 60})
    assert len(flat_nodes(table)) >= 2000, "a world begins in the wake of a wave"
    for rebuilt_tick in (WAVE_TICKS + 1, 3600 + 9 * TICK_HZ + WAVE_TICKS + 1):
        table.step_to(rebuilt_tick)
        assert flat_nodes(table) == set()
        table.step(5 * TICK_HZ)


def test_who_walks_tramples_fences_and_they_are_raised_with_the_rest() -> None:
    table = Table(1, seed=2, code=land_shown(), settings={"wave_interval_s": 60})
    table.step_to(WAVE_TICKS + 2)
    fence = next(node for node in table.nodes("fence") if node["x"] > 320)
    table.walk("p_1", x=fence["x"], z=fence["z"])
    flat = flat_nodes(table)
    assert fence["id"] in flat
    assert {node["kind"] for node in table.view()["nodes"] if node["id"] in flat} == {"fence"}
    table.step_to(3600 + 9 * TICK_HZ + WAVE_TICKS + 2)
    assert fence["id"] not in flat_nodes(table)


def test_the_wave_flattens_exactly_what_it_has_passed() -> None:
    table = Table(1, code=land_shown())
    table.step_to(1800 + 8 * TICK_HZ)
    front = -500 + 35 * 8
    flat = flat_nodes(table)
    for node in table.view()["nodes"]:
        if node["kind"] in ("hut", "fence", "tree"):
            assert (node["id"] in flat) == (node["x"] <= front + 0.06), node


def test_at_least_two_thousand_nodes_live_at_any_time_and_every_tick_has_work() -> None:
    table = Table(8)
    play(table, {f"p_{n}": at_random(n) for n in range(1, 9)}, seconds=30)
    idle: Counter[bool] = Counter()
    for _ in range(1800):
        before = table.world.inspection.statistics()
        table.step()
        now = table.world.inspection.statistics()
        assert now.nodes >= 2000
        idle[now.spatial_queries == before.spatial_queries] += 1
    assert idle[True] == 0, "a wave flattens or a front raises in every tick from the first wave on"


# --- relics ------------------------------------------------------------------------------------------

ZONES = {
    "common": (250, 350, 10, 40),
    "uncommon": (150, 250, 30, 25),
    "rare": (0, 150, 80, 15),
    "epic": (-150, 0, 200, 10),
    "legendary": (-300, -150, 500, 7),
    "secret": (-500, -300, 1500, 3),
}
"""Zone → from x, to x, value, per cent of new relics."""


def test_ten_relics_lie_there_at_first_and_one_more_every_second_and_a_half_up_to_thirty() -> None:
    table = Table()
    assert len(table.nodes("relic")) == 10
    for spawned in range(1, 21):
        table.step_to(90 * spawned - 1)
        assert len(table.nodes("relic")) == 10 + spawned - 1
        table.step()
        assert len(table.nodes("relic")) == 10 + spawned
    table.step(90 * 4)
    assert len(table.nodes("relic")) == 30


def all_relics(worlds: int) -> list[Facts]:
    found: list[Facts] = []
    for seed in range(worlds):
        table = Table(seed=seed)
        table.step(90 * 20)
        found += table.nodes("relic")
    return found


def test_relics_appear_by_the_weights_of_their_zones_inside_them() -> None:
    relics = all_relics(40)
    assert len(relics) == 1200
    counts = Counter(str(relic["label"]).split()[0] for relic in relics)
    for zone, (low, high, value, percent) in ZONES.items():
        expected = len(relics) * percent / 100
        tolerance = 4 * math.sqrt(expected * (1 - percent / 100))
        assert abs(counts[zone] - expected) <= tolerance, (zone, counts[zone], expected)
        for relic in relics:
            if str(relic["label"]).startswith(zone + " "):
                assert relic["label"] == f"{zone} {value}"
                assert low + 5 <= relic["x"] <= high - 5
                assert abs(relic["z"]) <= 109
                assert relic["x"] == int(relic["x"])


def test_the_land_differs_by_seed_and_is_the_same_for_the_same_one() -> None:
    def places(seed: int) -> list[Facts]:
        return [node for node in Table(seed=seed).view()["nodes"] if node["kind"] in ("village", "relic")]

    assert places(1) == places(1)
    assert places(1) != places(2)
