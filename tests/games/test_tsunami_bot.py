"""Promise: the sample bot plays sensibly with nothing but what an agent sees: it earns at least three times what a bot
earns that acts at random, and its notes say why it does what it does."""

from __future__ import annotations

import pytest

from games.tsunami.bot import Decision, decide
from tests.games.tsunami_driver import Facts, Table, at_random, play, sensibly

FIVE_MINUTES_S = 300


def total_score(table: Table) -> float:
    return sum(player.score for player in table.world.players.values())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_bot_scores_three_times_a_random_one(seed: int) -> None:
    sensible, random = Table(8, seed=seed), Table(8, seed=seed)
    play(sensible, {f"p_{n}": sensibly for n in range(1, 9)}, FIVE_MINUTES_S, seed)
    play(random, {f"p_{n}": at_random(n) for n in range(1, 9)}, FIVE_MINUTES_S, seed)
    assert total_score(random) > 0 or total_score(sensible) >= 8 * 3
    assert total_score(sensible) >= 3 * total_score(random)
    assert all(player.score > 0 for player in sensible.world.players.values())


def test_the_bot_is_never_rejected_but_when_somebody_was_faster() -> None:
    table = Table(8, seed=4)
    play(table, {f"p_{n}": sensibly for n in range(1, 9)}, FIVE_MINUTES_S)
    rejected = [outcome.code for outcome in table.outcomes if outcome.status == "rejected"]
    assert set(rejected) <= {"relic_gone", "unknown_target", "out_of_reach"}
    assert len(rejected) <= len(table.outcomes) / 20


def test_at_least_half_of_the_decisions_are_inputs() -> None:
    table = Table(8, seed=5)
    counts = {True: 0, False: 0}

    def counted(seen: Facts) -> Decision:
        decision = decide(seen)
        counts[decision.name is not None] += 1
        assert 10 <= len(decision.note) <= 200
        return decision

    play(table, {f"p_{n}": counted for n in range(1, 9)}, FIVE_MINUTES_S)
    assert counts[True] >= counts[False]


def situation(**changes: object) -> Facts:
    """A player at home with empty hands, one safe relic and one that is not."""
    relics = [relic("r1", "rare", 80, safe=True), relic("r2", "secret", 1500, safe=False)]
    seen: Facts = {
        "x": 475,
        "z": -84,
        "at_home": True,
        "home": {"dx": 0, "dz": 0, "distance": 0, "walk_s": 0, "safe": True},
        "speed": 22,
        "next_speed": 30,
        "next_speed_cost": 300,
        "coins": 10,
        "income": 1,
        "slots": [],
        "slots_free": 10,
        "wave": {"running": False, "starts_in_s": 20},
        "relics": relics,
        "players": [],
    }
    return seen | changes


def relic(id: str, zone: str, value: int, *, safe: bool, distance: float = 300.0, spare_s: float = 20.0) -> Facts:
    facts: Facts = {"id": id, "zone": zone, "value": value, "dx": -distance, "dz": 0, "distance": distance}
    facts |= {"walk_s": distance / 22, "home_s": 2 * distance / 22, "safe": safe}
    return facts | ({"spare_s": spare_s} if safe else {"hit_s": 12})


FAR_OUT = {"x": 100, "at_home": False, "home": {"dx": 375, "dz": 0, "distance": 375, "walk_s": 17, "safe": True}}
CARRYING = {"carrying": {"id": "r7", "zone": "epic", "value": 200}}
FULL = {"slots_free": 0, "slots": [{"slot": n, "zone": "epic", "income": 20 + n} for n in range(1, 11)]}


@pytest.mark.parametrize(
    ("seen", "name", "args"),
    [
        (situation(), "move", {"to": "r1"}),
        (situation(coins=300), "buy_speed", {}),
        (situation(**CARRYING), "deposit", {}),
        (situation(**CARRYING, **FULL), "discard", {"slot": 1}),
        (situation(**CARRYING, **FAR_OUT), "move", {"to": "home"}),
        (situation(**CARRYING, **FAR_OUT, walking={"to": "home", "x": 475, "z": -84, "left_s": 6}), None, {}),
        (situation(**FAR_OUT, relics=[relic("r3", "rare", 80, safe=True, distance=3)]), "collect", {"relic": "r3"}),
        (situation(**FAR_OUT | {"home": {"walk_s": 17, "safe": False, "hit_s": 9}}), "move", {"to": "home"}),
        (situation(**FAR_OUT | {"home": {"walk_s": 17, "safe": True, "spare_s": 2.0}}), "move", {"to": "home"}),
        (situation(relics=[relic("r2", "secret", 1500, safe=False)]), "move", {"x": 362, "z": -84}),
        (situation(relics=[relic("r4", "rare", 80, safe=True, spare_s=2.0)]), "move", {"x": 362, "z": -84}),
        (situation(x=362, z=-84, at_home=False, relics=[relic("r2", "rare", 80, safe=False)]), None, {}),
        (situation(**FULL, relics=[relic("r1", "rare", 80, safe=True)]), None, {}),
        (situation(next_speed_cost=None, coins=10**9), "move", {"to": "r1"}),
    ],
)
def test_what_the_bot_does_in_each_situation(seen: Facts, name: str | None, args: Facts) -> None:
    decision = decide(seen)
    assert (decision.name, decision.args) == (name, args)
    assert decision.note
