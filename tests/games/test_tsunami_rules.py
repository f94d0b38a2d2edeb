"""Promise: the five inputs of Tsunami do what SKILL.md says, and whatever they refuse they explain: a code of its own,
what is the matter, and what to do next."""

from __future__ import annotations

import math
import re

import pytest

from games.errors import ArgumentProblem
from tests.games.tsunami_driver import FOLDER, TICK_HZ, Facts, Table, laid_out, rich, shipped

SPEEDS = [
    (0, 16),
    (100, 22),
    (300, 30),
    (700, 40),
    (1_500, 52),
    (3_500, 66),
    (8_000, 82),
    (18_000, 100),
    (40_000, 120),
    (90_000, 140),
    (200_000, 158),
    (450_000, 175),
    (1_000_000, 188),
    (2_500_000, 196),
    (5_000_000, 200),
]
"""What each level costs and the units per second it gives."""


def some_relic(table: Table, zone: str = "common") -> Facts:
    """A free relic of that zone."""
    relics = [relic for relic in table.nodes("relic") if str(relic["label"]).startswith(zone)]
    assert relics, f"no {zone} relic lies free"
    return relics[0]


# --- seats and homes ---------------------------------------------------------------------------------


def test_each_seat_has_its_home_and_starts_there() -> None:
    table = Table(8)
    for seat in range(1, 9):
        seen = table.observe(f"p_{seat}")
        assert (seen["x"], seen["z"]) == (475, -84 + 24 * (seat - 1))
        assert seen["at_home"]
    assert len(table.nodes("base")) == 8


def test_there_is_no_ninth_seat() -> None:
    assert Table(8).world.free_seat() is None


def test_who_leaves_gives_the_home_back_empty_and_drops_the_relic_for_anyone() -> None:
    table = Table(2)
    nodes = table.world.inspection.statistics().nodes - len(table.nodes("relic"))
    table.own("p_1")
    taken = table.fetch("p_1")
    x, z = table.observe("p_1")["x"], table.observe("p_1")["z"]
    table.leave("p_1")
    dropped = [relic for relic in table.nodes("relic") if relic["name"] == taken["relic"]]
    assert [(relic["x"], relic["z"]) for relic in dropped] == [(x, z)]
    left_over = table.world.inspection.statistics().nodes - len(table.nodes("relic"))
    assert left_over == nodes - 1, "all that stood for the player is gone"
    newcomer = table.join()
    seen = table.observe(newcomer)
    assert (newcomer, seen["x"], seen["z"]) == ("p_3", 475, -84)
    assert (seen["coins"], seen["income"], seen["slots"], seen["speed"]) == (0, 0, [], 16)


# --- move --------------------------------------------------------------------------------------------


def test_a_walk_takes_as_long_as_its_outcome_says_and_ends_with_an_event() -> None:
    table = Table()
    result = table.do("p_1", "move", x=355, z=-124 + 40)
    assert result == {"x": 355, "z": -84, "walk_s": 7.5, "safe": True}
    table.step(int(7.5 * TICK_HZ) - 1)
    assert table.events("p_1") == []
    table.step(1)
    assert table.events("p_1") == [("arrived", {"x": 355, "z": -84})]
    assert (table.observe("p_1")["x"], table.observe("p_1")["z"]) == (355, -84)


def test_a_walk_is_straight_and_even() -> None:
    table = Table()
    table.do("p_1", "move", x=400, z=100)
    length = math.hypot(75, 184)
    for second in range(1, 8):
        table.step(TICK_HZ)
        seen = table.observe("p_1")
        assert seen["x"] == pytest.approx(475 - 75 * 16 * second / length, abs=0.06)
        assert seen["z"] == pytest.approx(-84 + 184 * 16 * second / length, abs=0.06)


def test_a_new_move_replaces_the_walk() -> None:
    table = Table()
    table.do("p_1", "move", x=400, z=0)
    table.step(TICK_HZ)
    table.do("p_1", "move", to="home")
    table.step(3 * TICK_HZ)
    assert table.events("p_1") == [("arrived", {"x": 475, "z": -84, "to": "home"})]


def test_a_move_names_a_relic_or_home() -> None:
    table = Table()
    relic = some_relic(table)
    assert table.do("p_1", "move", to=relic["name"])["x"] == relic["x"]
    assert table.observe("p_1")["walking"]["to"] == relic["name"]
    assert table.do("p_1", "move", to="home")["x"] == 475


def test_whoever_walks_to_a_relic_that_is_taken_is_told_and_stops() -> None:
    table = Table(2)
    relic = some_relic(table)
    table.do("p_1", "move", x=relic["x"], z=relic["z"])
    table.step(TICK_HZ)
    table.do("p_2", "move", to=relic["name"])
    table.until(lambda: "walking" not in table.observe("p_1"))
    table.events("p_2")
    table.do("p_1", "collect")
    assert table.events("p_2") == [("missed", {"relic": relic["name"], "by": "p_1"})]
    assert "walking" not in table.observe("p_2")


# --- collect, deposit, discard -----------------------------------------------------------------------


def test_a_relic_goes_from_the_land_into_the_hands_into_a_slot() -> None:
    table = Table()
    taken = table.fetch("p_1")
    assert (taken["zone"], taken["value"]) == ("common", 10)
    assert table.observe("p_1")["carrying"] == {"id": taken["relic"], "zone": "common", "value": 10}
    assert taken["relic"] not in [relic["name"] for relic in table.nodes("relic")]
    table.walk("p_1", to="home")
    assert table.do("p_1", "deposit") == {"slot": 1, "value": 10, "income": 1}
    seen = table.observe("p_1")
    assert "carrying" not in seen
    assert seen["slots"] == [{"slot": 1, "zone": "common", "income": 1}]
    assert (seen["slots_free"], seen["income"]) == (9, 1)
    kinds = [kind for kind, _ in table.events("p_1")]
    assert kinds == ["arrived", "collected", "arrived", "deposited"]


def test_collect_without_a_name_takes_the_most_valuable_in_reach() -> None:
    laid = laid_out(("a1", "common", 10, 300, -84), ("a2", "rare", 80, 303, -84), ("a3", "epic", 200, 306, -84))
    table = Table(code=laid, settings={"relic_limit": 1})
    table.walk("p_1", x=300, z=-84)
    assert table.do("p_1", "collect")["relic"] == "a2"


@pytest.mark.parametrize(("distance", "reached"), [(0, True), (5, True), (5.1, False), (6, False)])
def test_a_player_reaches_five_units_far(distance: float, reached: bool) -> None:
    for args in ({}, {"relic": "a1"}):
        table = Table(code=laid_out(("a1", "common", 10, 300, -84)), settings={"relic_limit": 1})
        table.walk("p_1", x=300 + distance, z=-84)
        assert (table.act("p_1", "collect", **args).status == "applied") is reached


def test_a_deposit_works_anywhere_in_the_home_and_nowhere_else() -> None:
    table = Table(2)
    table.fetch("p_1")
    table.walk("p_1", x=459.9, z=-84)
    assert table.act("p_1", "deposit").code == "not_home"
    table.walk("p_1", x=475, z=-60)  # the home of p_2
    assert table.act("p_1", "deposit").code == "not_home"
    table.walk("p_1", x=460, z=-94)
    assert table.act("p_1", "deposit").status == "applied"


def test_a_discarded_slot_is_free_again_and_pays_no_more() -> None:
    table = Table()
    table.own("p_1")
    before = table.observe("p_1")["coins"]
    nodes = table.world.inspection.statistics().nodes
    assert table.do("p_1", "discard", slot=1) == {"slot": 1, "value": 10, "income": 0}
    assert table.world.inspection.statistics().nodes == nodes - 1
    assert table.observe("p_1")["slots_free"] == 10
    table.step(5 * TICK_HZ)
    assert table.observe("p_1")["coins"] == before
    assert table.world.players["p_1"].score == 0


# --- rejections --------------------------------------------------------------------------------------


def prepared(case: str) -> Table:
    """A table where p_1 is in the situation that the case needs."""
    table = Table(2, code=rich() if case in ("top_speed", "slots_full") else None)
    if case in ("hands_full", "not_home"):
        table.fetch("p_1")
    elif case == "slots_full":
        table.own("p_1")
        for _ in range(4):
            table.step(TICK_HZ)
            for _ in range(14):
                table.act("p_1", "buy_speed")
        for _ in range(9):
            table.own("p_1")
        table.fetch("p_1")
        table.walk("p_1", to="home")
    elif case == "top_speed":
        table.own("p_1")
        table.step(12 * TICK_HZ)
        for _ in range(14):
            table.do("p_1", "buy_speed")
    elif case == "relic_gone":
        table.fetch("p_2")
    return table


REJECTIONS = [
    ("no_target", "move", {}, "move {to:"),
    ("no_target", "move", {"x": 1}, "move {to:"),
    ("two_targets", "move", {"x": 1, "to": "home"}, "leave out x and z"),
    ("unknown_target", "move", {"to": "r99"}, "move {to:"),
    ("hands_full", "collect", {}, "deposit"),
    ("no_relic_here", "collect", {}, "move {to:"),
    ("relic_gone", "collect", {"relic": "TAKEN"}, "move {to:"),
    ("out_of_reach", "collect", {"relic": "FREE"}, "move {to:"),
    ("nothing_to_deposit", "deposit", {}, "collect"),
    ("not_home", "deposit", {}, 'move {to: "home"}'),
    ("slots_full", "deposit", {}, "discard {slot:"),
    ("too_few_coins", "buy_speed", {}, "deposit a relic"),
    ("top_speed", "buy_speed", {}, "better relics"),
    ("slot_empty", "discard", {"slot": 3}, "empty"),
]


@pytest.mark.parametrize(("code", "name", "args", "hint"), REJECTIONS)
def test_what_is_rejected_says_why_and_what_to_do_next(code: str, name: str, args: Facts, hint: str) -> None:
    table = prepared(code)
    if args.get("relic") == "FREE":
        args = {"relic": some_relic(table)["name"]}
    elif args.get("relic") == "TAKEN":
        args = {"relic": table.observe("p_2")["carrying"]["id"]}
    before = table.observe("p_1")
    outcome = table.act("p_1", name, **args)
    assert (outcome.status, outcome.code) == ("rejected", code)
    assert outcome.message
    assert hint in str(outcome.hint)
    assert table.observe("p_1") == before, "a rejection changes nothing"


def test_every_code_in_the_source_is_tested_and_in_the_skill() -> None:
    source = (FOLDER / "inputs.lua").read_text()
    codes = set(re.findall(r'world\.reject\("(\w+)"', source))
    documented = set(re.findall(r"^\| (\w+) \| (?:move|collect|deposit|buy_speed|discard) \|", skill(), re.MULTILINE))
    assert codes == {case[0] for case in REJECTIONS}
    assert codes == documented


def skill() -> str:
    return (FOLDER / "SKILL.md").read_text()


def test_the_skill_names_what_each_result_holds() -> None:
    table = Table(code=rich())
    results = {"move": table.do("p_1", "move", x=400, z=0)}
    table.until(lambda: any(relic["safe"] for relic in table.observe("p_1")["relics"]))
    results["collect"] = table.fetch("p_1")
    table.walk("p_1", to="home")
    results["deposit"] = table.do("p_1", "deposit")
    table.step(2 * TICK_HZ)
    results["buy_speed"] = table.do("p_1", "buy_speed")
    results["discard"] = table.do("p_1", "discard", slot=1)
    section = skill().split("| input | result |")[1].split("\n\n")[0]
    for name, result in results.items():
        row = next(line for line in section.splitlines() if line.startswith(f"| {name} |"))
        assert set(re.findall(r"`(\w+)`", row)) - {"hit_s"} == set(result), name


def test_the_hint_of_full_slots_works_when_followed() -> None:
    table = prepared("slots_full")
    hint = str(table.act("p_1", "deposit").hint)
    slot = re.search(r"discard \{slot: (\d+)\}", hint)
    assert slot
    table.do("p_1", "discard", slot=int(slot.group(1)))
    assert table.do("p_1", "deposit")["slot"] == int(slot.group(1))


def test_the_hint_of_a_relic_out_of_reach_works_when_followed() -> None:
    table = Table()
    relic = some_relic(table)
    assert table.act("p_1", "collect", relic=relic["name"]).code == "out_of_reach"
    table.walk("p_1", to=relic["name"])
    assert table.act("p_1", "collect", relic=relic["name"]).status == "applied"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("move", {"x": 501, "z": 0}),
        ("move", {"x": 0, "z": -115}),
        ("move", {"to": "x" * 17}),
        ("move", {"y": 3}),
        ("collect", {"relic": 3}),
        ("discard", {}),
        ("discard", {"slot": 0}),
        ("discard", {"slot": 11}),
        ("discard", {"slot": 1.5}),
        ("fly", {}),
    ],
)
def test_what_the_manifest_does_not_allow_never_reaches_the_game(name: str, args: Facts) -> None:
    with pytest.raises(ArgumentProblem):
        shipped().manifest.check_input(name, args)


# --- speed -------------------------------------------------------------------------------------------


def test_the_ladder_of_speeds() -> None:
    table = Table(code=rich())
    assert table.observe("p_1")["speed"] == SPEEDS[0][1]
    table.own("p_1")
    table.step(12 * TICK_HZ)
    for level, (cost, speed) in enumerate(SPEEDS[1:], start=2):
        before = table.observe("p_1")
        assert (before["next_speed"], before["next_speed_cost"]) == (speed, cost)
        result = table.do("p_1", "buy_speed")
        assert (result["level"], result["speed"], result["paid"]) == (level, speed, cost)
        assert result["coins"] == before["coins"] - cost
        table.do("p_1", "move", x=table.observe("p_1")["x"] - 8, z=-84)
        assert table.observe("p_1")["speed"] == speed
    assert "next_speed" not in table.observe("p_1")


def test_a_bought_speed_counts_at_once() -> None:
    table = Table(code=rich())
    table.own("p_1")
    table.step(2 * TICK_HZ)
    table.do("p_1", "move", x=400, z=-84)
    table.do("p_1", "buy_speed")
    table.step(TICK_HZ)
    assert table.observe("p_1")["x"] == pytest.approx(475 - 22, abs=0.06)


def test_too_few_coins_says_how_long_it_takes() -> None:
    table = Table()
    table.own("p_1")
    coins = table.observe("p_1")["coins"]
    outcome = table.act("p_1", "buy_speed")
    assert outcome.code == "too_few_coins"
    assert f"{100 - coins} seconds" in str(outcome.hint)


# --- income ------------------------------------------------------------------------------------------


def test_a_relic_pays_a_tenth_of_its_value_each_second_and_counts_as_score() -> None:
    table = Table()
    table.own("p_1", "common")
    start = table.observe("p_1")["coins"]
    table.step(30 * TICK_HZ)
    assert table.observe("p_1")["coins"] == start + 30
    assert table.world.players["p_1"].score == 1


def test_income_is_told_every_ten_seconds_with_the_sum() -> None:
    table = Table()
    table.own("p_1", "common")
    table.events("p_1")
    start = table.observe("p_1")["coins"]
    table.step(60 * TICK_HZ)
    paid = [data for kind, data in table.events("p_1") if kind == "income"]
    assert len(paid) == 6
    assert start + 50 <= paid[-1]["total"] <= start + 60
    assert [event["coins"] for event in paid[1:]] == [10] * 5
