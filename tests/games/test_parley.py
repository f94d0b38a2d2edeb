"""The rules of Parley, what each player may know, and a bot that trades well."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from games.code import GameCode
from games.parley.bot import GOODS, decide
from games.runtime.effects import Input, Join, Leave, Silence
from games.runtime.snapshots import state_hash
from games.runtime.world import TickResult, World
from games.skill import update_skill

CODE = GameCode.load(Path(__file__).parents[2] / "games" / "parley")


class Table:
    """A world with so many players round it."""

    def __init__(self, players: int, seed: int = 1, rounds: int = 12) -> None:
        self.world = World.load(CODE, world_id="w_parley", seed=seed, settings={"rounds": rounds})
        for _ in range(players):
            player, seat = self.world.next_player_id(), self.world.free_seat()
            assert seat is not None
            self.world.apply([Join(player, seat, f"a_{player}", player)], step=False)

    def seen(self, player: str) -> dict[str, Any]:
        """What a player sees."""
        data: dict[str, Any] = msgspec.msgpack.decode(self.world.observe(player, "data").data or b"")
        return data

    def move(self, name: str | None = None, **args: Any) -> TickResult:
        """The move of the one whose turn it is; None: it is silent."""
        (player,) = self.world.to_act()
        if name is None:
            default, its_args = CODE.manifest.default_input
            return self.world.apply([Silence(player, default, its_args)], step=True)
        checked = CODE.manifest.check_input(name, args)
        return self.world.apply([Input(player, self.world.players[player].next_seq, name, checked)], step=True)

    def offer(self, to: str, give: str, give_count: int, want: str, want_count: int) -> TickResult:
        """An offer of the one whose turn it is."""
        return self.move("offer", to=to, give=give, give_count=give_count, want=want, want_count=want_count)


def test_a_trade_moves_goods_between_two_and_nobody_else_hears_of_it() -> None:
    table = Table(3)
    assert table.offer("p_2", "wood", 2, "gold", 1).outcomes[0].status == "applied"
    (offer,) = table.seen("p_2")["offers"]
    assert table.seen("p_1")["offers"] == [offer]
    assert table.seen("p_3")["offers"] == []
    table.move("accept", offer=offer["id"])
    assert [table.seen(player)["hand"]["wood"] for player in ("p_1", "p_2", "p_3")] == [0, 4, 2]
    assert [table.seen(player)["hand"]["gold"] for player in ("p_1", "p_2", "p_3")] == [3, 1, 2]
    assert table.seen("p_2")["offers"] == []
    heard = {player: [event.kind for event in table.world.events(player, 1).items] for player in table.world.players}
    assert heard == {"p_1": ["traded"], "p_2": ["offered", "traded"], "p_3": []}


@pytest.mark.parametrize(
    ("name", "args", "code"),
    [
        ("offer", {"to": "p_1", "give": "wood", "give_count": 1, "want": "gold", "want_count": 1}, "nobody"),
        ("offer", {"to": "p_9", "give": "wood", "give_count": 1, "want": "gold", "want_count": 1}, "nobody"),
        ("offer", {"to": "p_2", "give": "wood", "give_count": 1, "want": "wood", "want_count": 1}, "same_good"),
        ("offer", {"to": "p_2", "give": "wood", "give_count": 3, "want": "gold", "want_count": 1}, "too_few"),
        ("accept", {"offer": "o_1"}, "no_offer"),
    ],
)
def test_what_the_rules_forbid_costs_the_turn(name: str, args: dict[str, Any], code: str) -> None:
    table = Table(2)
    outcome = table.move(name, **args).outcomes[0]
    assert (outcome.status, outcome.code) == ("rejected", code)
    assert table.world.to_act() == ["p_2"]


def test_an_offer_is_open_until_its_makers_next_turn_and_can_fail() -> None:
    table = Table(3)
    table.offer("p_3", "wood", 2, "gold", 2)
    table.offer("p_3", "wood", 2, "gold", 2)
    table.move("accept", offer="o_1")
    assert [offer["id"] for offer in table.seen("p_3")["offers"]] == ["o_2"], "that of p_1 is used up"
    table.move()
    table.move()
    outcome = table.move("accept", offer="o_2").outcomes[0]
    assert (outcome.status, outcome.code) == ("rejected", "no_offer"), "p_2 had its turn meanwhile"
    table.offer("p_3", "stone", 2, "wood", 3)
    assert table.move("accept", offer="o_3").outcomes[0].code == "no_offer"


def test_turns_go_round_the_silent_pass_and_twelve_rounds_end_the_game() -> None:
    table = Table(3)
    turns = []
    while table.world.finished is None:
        turns += table.world.to_act()
        table.move()
    assert turns == ["p_1", "p_2", "p_3"] * 12
    assert table.world.finished == {"scores": {"p_1": 0, "p_2": 0, "p_3": 0}}


def test_who_leaves_passes_the_turn_on_and_takes_its_offers_along() -> None:
    table = Table(3)
    table.offer("p_3", "wood", 1, "gold", 1)
    assert table.world.to_act() == ["p_2"]
    table.world.apply([Leave("p_2", "left")], step=False)
    assert table.world.to_act() == ["p_3"]
    table.world.apply([Leave("p_1", "left")], step=False)
    assert table.seen("p_3")["offers"] == []
    assert table.world.to_act() == ["p_3"]


def test_what_is_said_is_heard_by_all_and_what_is_held_is_seen_by_none() -> None:
    table = Table(4)
    table.move("say", text="gold for wood?")
    for player in table.world.players:
        (said,) = table.world.events(player, 1).items
        assert msgspec.msgpack.decode(said.data) == {"by": "p_1", "text": "gold for wood?"}
        seen = table.seen(player)
        assert set(seen["players"][0]) == {"id", "name", "seat"}
        assert seen["you"] == player
        assert table.world.misfit(player) is None


Strategy = Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]


def sensibly(data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The sample bot's move."""
    decision = decide(data)
    return decision.name, decision.args


def at_random(choice: random.Random) -> Strategy:
    """A strategy that does not look at its goals."""

    def move(data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        mine = [offer for offer in data["offers"] if offer["to"] == data["you"]]
        if mine and choice.random() < 0.5:
            return "accept", {"offer": choice.choice(mine)["id"]}
        give, want = choice.sample(GOODS, 2)
        to = choice.choice([one["id"] for one in data["players"] if one["id"] != data["you"]])
        return "offer", {"to": to, "give": give, "give_count": 1, "want": want, "want_count": 1}

    return move


def average(strategy: Strategy, games: int) -> float:
    """The average score at tables of four who all play so."""
    scores: list[float] = []
    for seed in range(games):
        table = Table(4, seed)
        while table.world.finished is None:
            (player,) = table.world.to_act()
            name, args = strategy(table.seen(player))
            table.move(name, **args)
        scores += [player.score for player in table.world.players.values()]
    return sum(scores) / len(scores)


def test_bots_score_three_times_what_random_players_do() -> None:
    sensible, wild = average(sensibly, 20), average(at_random(random.Random(3)), 20)
    assert sensible >= 3 * wild, (sensible, wild)
    assert sensible >= 8, "they meet their goals more often than not"


def test_a_game_is_the_same_again_from_any_snapshot() -> None:
    table, other = Table(4, 9), Table(4, 9)
    while table.world.finished is None:
        (player,) = table.world.to_act()
        name, args = sensibly(table.seen(player))
        if table.world.tick % 7 == 3:
            other.world = World.restore(CODE, other.world.snapshot())
        table.move(name, **args)
        other.move(name, **args)
    assert state_hash(table.world.snapshot()) == state_hash(other.world.snapshot())
    assert table.world.fingerprint() == other.world.fingerprint()


def test_the_guide_is_up_to_date() -> None:
    assert update_skill(CODE.skill, CODE.manifest) == CODE.skill
