"""Promise: an observation of Tsunami is small, matches what the manifest declares, and its verdicts are right: whoever
follows a "safe" one at once gets home, and the wave has whoever follows the other when it says so."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
import pytest

from games.code import GameCode
from tests.games.tsunami_driver import (
    TICK_HZ,
    Facts,
    Table,
    at_random,
    laid_out,
    play,
    rich,
    sensibly,
    shipped,
    variant,
)

MAX_DATA_BYTES = 4096
MAX_TEXT_CHARACTERS = 1200


JSON_KINDS: dict[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def is_a(value: Any, kind: str) -> bool:
    """Whether a decoded value is of this JSON type. True and false are no numbers."""
    return isinstance(value, JSON_KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def fits(value: Any, schema: Facts, path: str = "data") -> list[str]:
    """What is wrong with ``value`` by this JSON Schema (of the kinds that manifests produce)."""
    kind = schema["type"]
    if not is_a(value, kind):
        return [f"{path}: {value!r} is no {kind}"]
    wrong = []
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{path}: {value!r} is not one of {schema['enum']}")
    if kind in ("number", "integer") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        wrong.append(f"{path}: {value} is out of bounds")
    longest = schema.get("maxLength", schema.get("maxItems"))
    if longest is not None and len(value) > longest:
        wrong.append(f"{path}: {value!r} is longer than {longest}")
    if kind == "array":
        for i, item in enumerate(value):
            wrong += fits(item, schema["items"], f"{path}[{i}]")
    if kind == "object":
        known = schema["properties"]
        wrong += [f"{path}.{key} is not declared" for key in value.keys() - known.keys()]
        wrong += [f"{path}.{key} is missing" for key in set(schema["required"]) - value.keys()]
        for key in value.keys() & known.keys():
            wrong += fits(value[key], known[key], f"{path}.{key}")
    return wrong


@pytest.mark.parametrize(
    "broken",
    [
        {"x": "east"},
        {"x": 501},
        {"speed_level": 2.5},
        {"at_home": 1},
        {"secret": 1},
        {"slots": [{"slot": 1, "zone": "golden", "income": 1}]},
        {"slots": [{"slot": 1, "zone": "rare"}]},
        {"slots": [{"slot": 1, "zone": "rare", "income": 8}] * 11},
        {"you": "p" * 41},
    ],
)
def test_what_does_not_fit_the_declaration_is_noticed(broken: Facts) -> None:
    seen = Table().observe("p_1")
    schema = shipped().manifest.observation_schema()
    assert fits(seen, schema) == []
    assert len(fits(seen | broken, schema)) >= 1
    assert fits({key: seen[key] for key in seen if key != "x"}, schema) == ["data.x is missing"]


class Gauge:
    """Looks at observations of a game that goes on and keeps the worst."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.schema = shipped().manifest.observation_schema()
        self.most_bytes = 0
        self.most_characters = 0

    def look(self, player: str) -> Facts:
        seen = self.table.observe(player)
        text = self.table.text(player)
        self.most_bytes = max(self.most_bytes, len(msgspec.json.encode(seen)))
        self.most_characters = max(self.most_characters, len(text))
        assert fits(seen, self.schema) == []
        assert self.most_bytes <= MAX_DATA_BYTES, seen
        assert self.most_characters <= MAX_TEXT_CHARACTERS, text
        return seen


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("code", [shipped(), rich()], ids=["shipped", "rich"])
def test_observations_stay_small_and_are_what_the_manifest_declares(code: Any, seed: int) -> None:
    table = Table(8, seed=seed, code=code)
    gauge = Gauge(table)

    def watched(number: int) -> Any:
        chooser = sensibly if number % 4 else at_random(number)
        return lambda _seen: chooser(gauge.look(f"p_{number}"))

    play(table, {f"p_{n}": watched(n) for n in range(1, 9)}, seconds=240, seed=seed)
    assert gauge.most_bytes > 1000, "players with slots, relics and neighbours were looked at"


def test_events_are_what_the_manifest_declares_and_each_of_them_happens() -> None:
    table = Table(8, seed=3)
    schemas = shipped().manifest.event_schemas()
    seen: set[str] = set()

    def watched(number: int) -> Any:
        chooser = sensibly if number % 4 else at_random(number)

        def choose(facts: Facts) -> Any:
            for kind, data in table.events(f"p_{number}"):
                assert fits(data, schemas[kind], kind) == []
                seen.add(kind)
            return chooser(facts)

        return choose

    play(table, {f"p_{n}": watched(n) for n in range(1, 9)}, seconds=300)
    assert seen == set(schemas)


def test_every_declared_field_is_used() -> None:
    table = Table(8)
    declared = set(shipped().manifest.observation_schema()["properties"])
    used: set[str] = set()

    def watched() -> Any:
        def choose(seen: Facts) -> Any:
            used.update(seen)
            return sensibly(seen)

        return choose

    play(table, {f"p_{n}": watched() for n in range(1, 9)}, seconds=120)
    assert used == declared


def test_positions_are_relative_and_north_is_negative() -> None:
    table = Table(2)
    seen = table.observe("p_1")
    places = {relic["name"]: relic for relic in table.nodes("relic")}
    for relic in seen["relics"]:
        assert relic["dx"] == places[relic["id"]]["x"] - 475
        assert relic["dz"] == places[relic["id"]]["z"] - -84
    assert [(other["id"], other["dx"], other["dz"]) for other in seen["players"]] == [("p_2", 0, 24)]
    table.walk("p_1", x=455, z=-72)
    assert ", home 20 east 12 north · " in table.text("p_1")


# --- the text ----------------------------------------------------------------------------------------

YOU = re.compile(
    r"tick \d+ · you p_\d at \(-?\d+,-?\d+\), (at home|home \d+ (east|west|north|south)( \d+ (north|south))?)"
    r"( · walking to (r\d+|home|\(-?\d+,-?\d+\)), there in \d+ s)? · carrying (nothing|r\d+ [a-z]+ \d+)"
    r" · speed \d+ units/s · income \d+ coins/s"
    r" · \d+ coins(: buy_speed \(\d+\) gives \d+ units/s|, buy_speed costs \d+ for \d+ units/s|, top speed)"
    r"( · \d+ of 10 slots used)?"
)
VERDICT = (
    r"(home at \d+ s, safe( by \d+ s)?"
    r"|(home at \d+ s with -?[\d.]+ s to spare|the wave has you at \d+ s), NOT safe( now, safe in \d+ s)?)"
)
PLACE = r"(\d+ (west|east|north|south)( \d+ (north|south))?|right here)"
RELIC = re.compile(rf"r\d+ [a-z]+ \d+, {PLACE}: walk \d+ s, {VERDICT}")
WAVE = re.compile(
    r"wave: (starts in \d+ s at x=-500, 35/s|at x=-?\d+, 35/s, ends in \d+ s)(, reaches this place in \d+ s)?"
)
HOME = re.compile(
    r"home: walk \d+ s(, safe( by \d+ s)?| with -?[\d.]+ s to spare, NOT safe|, the wave has you at \d+ s, NOT safe)"
)
OTHER = re.compile(rf"p_\d {PLACE}( with [a-z]+ \d+)?, income \d+")


def check_text(text: str) -> None:
    """Every part of the text has its form."""
    lines = text.split("\n")
    assert YOU.fullmatch(lines[0]), lines[0]
    wave, _, relics = lines[1].partition(" · relics: ")
    parts = wave.split(" · ")
    assert WAVE.fullmatch(parts[0]), parts[0]
    assert [part for part in parts[1:] if not HOME.fullmatch(part)] == []
    for part in relics.split(" · ") if relics else []:
        assert RELIC.fullmatch(part) or re.fullmatch(r"\d+ more", part), part
    if len(lines) > 2:
        assert [part for part in lines[2].removeprefix("others: ").split(" · ") if not OTHER.fullmatch(part)] == []
    assert len(lines) <= 3


def test_the_text_has_its_form_in_every_situation() -> None:
    table = Table(8, code=rich())

    def watched(number: int) -> Any:
        chooser = sensibly if number % 2 else at_random(number)

        def choose(seen: Facts) -> Any:
            check_text(table.text(f"p_{number}"))
            return chooser(seen)

        return choose

    play(table, {f"p_{n}": watched(n) for n in range(1, 9)}, seconds=120)


def test_a_text_that_would_be_too_long_leaves_whole_parts_out() -> None:
    table = Table(8, code=variant(("local RELICS, OTHERS = 5, 3", "local RELICS, OTHERS = 30, 7"), file="describe.lua"))
    play(table, {f"p_{n}": sensibly for n in range(1, 9)}, seconds=60)
    for player in table.world.players:
        text = table.text(player)
        assert 1100 < len(text) <= MAX_TEXT_CHARACTERS
        check_text(text)


def sample() -> GameCode:
    """A variant with two relics and a player who has bought a speed and owns what pays 8 a second."""
    two_relics = laid_out(("r12", "rare", 80, 100, -96), ("r07", "epic", 200, -50, -84))
    rich_player = variant(
        ("    level = 1,\n    coins = 0,\n    income = 0,", "    level = 2,\n    coins = 220,\n    income = 8,"),
        file="players.lua",
    )
    files = two_relics.files | {"players.lua": rich_player.files["players.lua"]}
    return GameCode.from_files("tsunami", files)


def test_the_text_reads_like_the_sample() -> None:
    table = Table(code=sample(), settings={"wave_interval_s": 26, "relic_limit": 1})
    table.walk("p_1", x=455, z=-84)
    table.step_to(900)
    assert table.text("p_1") == (
        "tick 900 · you p_1 at (455,-84), home 20 east · carrying nothing · speed 22 units/s · income 8 coins/s"
        " · 340 coins: buy_speed (300) gives 30 units/s\n"
        "wave: starts in 11 s at x=-500, 35/s"
        " · relics: r12 rare 80, 355 west 12 north: walk 16 s, home at 33 s, safe by 7 s"
        " · r07 epic 200, 505 west: walk 23 s, the wave has you at 25 s, NOT safe"
    )


# --- verdicts ----------------------------------------------------------------------------------------


class Follower:
    """Follows one verdict at once: walks to the relic, takes it in the tick of the arrival and walks straight home.

    A relic that was there when the verdict was given may be gone on arrival; the way back is the same."""

    def __init__(self, table: Table, player: str, relic: Facts) -> None:
        self.table, self.player, self.relic = table, player, relic
        self.started_tick = table.now
        self.over = False
        self.hit_s: float | None = None
        table.events(player)
        place = next(node for node in table.nodes("relic") if node["name"] == relic["id"])
        table.do(player, "move", x=place["x"], z=place["z"])

    def follow(self) -> None:
        """What this player does after a tick."""
        if self.over:
            return
        for kind, data in self.table.events(self.player):
            if kind == "hit_by_wave":
                self.over, self.hit_s = True, (self.table.now - self.started_tick) / TICK_HZ
            elif kind == "arrived" and data.get("to") == "home":
                self.over = True
            elif kind == "arrived":
                self.table.act(self.player, "collect", relic=self.relic["id"])
                self.table.do(self.player, "move", to="home")

    def check(self) -> None:
        """The verdict was right."""
        if self.relic["safe"]:
            assert self.hit_s is None, f"{self.relic} was called safe; hit at {self.hit_s} s"
        elif "hit_s" in self.relic:
            assert self.hit_s is not None, f"the wave was to have {self.player}: {self.relic}"
            assert self.hit_s == pytest.approx(self.relic["hit_s"], abs=0.2)


def bring_to_levels(table: Table, levels: dict[str, int]) -> None:
    """Give each player the money and the speed of a level."""
    for player in levels:
        table.own(player)
    table.step(12 * TICK_HZ)
    for player, level in levels.items():
        for _ in range(level - 1):
            table.do(player, "buy_speed")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_verdicts_come_true(seed: int) -> None:
    """Players of eight speeds follow verdicts of all kinds, from home and from where the last ones left them."""
    levels = {"p_1": 1, "p_2": 2, "p_3": 3, "p_4": 4, "p_5": 5, "p_6": 7, "p_7": 9, "p_8": 15}
    table = Table(8, seed=seed, code=rich())
    bring_to_levels(table, levels)
    kinds = {"safe": 0, "hit": 0}
    for round_number in range(36):
        table.step(97 + 211 * round_number % 1800)
        for player in levels:
            if round_number % 3 == 0:
                # Start somewhere else than at home, where it is safe to stand.
                table.do(player, "move", x=357 + 13 * (round_number % 7), z=20 * (round_number % 5) - 40)
        table.step(3 * TICK_HZ)
        followers = []
        for player in levels:
            relics = table.observe(player)["relics"]
            safe = [relic for relic in relics if relic["safe"]]
            doomed = [relic for relic in relics if "hit_s" in relic]
            # The tightest of the safe ones, or the farthest that the wave prevents.
            tight = sorted(safe, key=lambda relic: relic.get("spare_s", 99.0))
            choice = (tight if round_number % 2 or not doomed else doomed[::-1]) or relics
            followers.append(Follower(table, player, choice[0]))
            kinds["safe" if choice[0]["safe"] else "hit"] += 1

        def all_over(followers: list[Follower] = followers) -> bool:
            for follower in followers:
                follower.follow()
            return all(follower.over for follower in followers)

        table.until(all_over, limit_s=200)
        for follower in followers:
            follower.check()
            if "carrying" in table.observe(follower.player):
                table.walk(follower.player, to="home")
                if table.act(follower.player, "deposit").code == "slots_full":
                    table.do(follower.player, "discard", slot=1)
                    table.do(follower.player, "deposit")
    assert kinds["safe"] >= 40
    assert kinds["hit"] >= 40


def test_time_to_spare_is_time_to_spare() -> None:
    """Whoever tarries at the relic almost as long as is to spare gets home; who tarries longer does not."""
    for extra_s, survives in ((-0.3, True), (+0.3, False)):
        table = Table(1, seed=5)
        table.step_to(1300)
        seen = table.observe("p_1")
        relic = next(relic for relic in seen["relics"] if relic["safe"] and relic["spare_s"] > 2)
        table.events("p_1")
        table.walk("p_1", to=relic["id"])
        table.step(int((relic["spare_s"] + extra_s) * TICK_HZ))
        table.walk("p_1", to="home")
        kinds = [kind for kind, _ in table.events("p_1")]
        assert ("hit_by_wave" not in kinds) is survives


def test_safe_after_waiting_is_safe_after_waiting() -> None:
    table = Table(1, seed=3)
    checked = 0
    for tick in range(1800 + 600, 9 * 1800, 1800):
        table.step_to(tick)
        later = [relic for relic in table.observe("p_1")["relics"] if "safe_in_s" in relic]
        if later:
            table.step(math.ceil(later[0]["safe_in_s"] * TICK_HZ))
            now = {relic["id"]: relic for relic in table.observe("p_1")["relics"]}
            assert now[later[0]["id"]]["safe"]
            checked += 1
    assert checked >= 6


def test_the_way_home_has_the_same_verdict() -> None:
    table = Table(1, seed=4)
    table.step_to(1200)
    table.do("p_1", "move", x=200, z=0)
    table.until(lambda: not table.observe("p_1")["home"]["safe"])
    seen = table.observe("p_1")
    assert seen["home"].get("spare_s") is None
    table.step(4 * TICK_HZ)
    table.events("p_1")
    promised = table.observe("p_1")["home"]["hit_s"]
    started = table.now
    table.walk("p_1", to="home")
    assert dict(table.events("p_1")).get("hit_by_wave") is not None
    assert (table.now - started) / TICK_HZ == pytest.approx(promised, abs=0.2)


# --- what spectators get -----------------------------------------------------------------------------


def test_the_view_shows_the_land_and_what_matters_within_bounds() -> None:
    table = Table(8)
    play(table, {f"p_{n}": sensibly for n in range(1, 9)}, seconds=40)
    view = table.view()
    assert view["size"] == {"x": 1000, "z": 228}
    kinds = {node["kind"] for node in view["nodes"]}
    assert kinds >= {"base", "relic", "player", "village", "grove", "wave", "hut", "tree", "fence"}
    for node in view["nodes"]:
        assert set(node) <= {"id", "kind", "name", "x", "z", "sx", "sz", "colour", "shape", "tags", "label"}
        assert abs(node["x"]) <= 500
        assert abs(node["z"]) <= 114
    detail = sum("detail" in node.get("tags", []) for node in view["nodes"])
    assert len(view["nodes"]) - detail < 250, "small pictures leave the detail out"
    assert len(table.world.view()) < 256_000


def test_looking_changes_nothing() -> None:
    watched, alone = Table(4, seed=9), Table(4, seed=9)
    for _ in range(50):
        for table in (watched, alone):
            table.step(60)
        for player in ("p_1", "p_4"):
            watched.observe(player)
            watched.text(player)
        watched.view()
    assert watched.world.fingerprint() == alone.world.fingerprint()
