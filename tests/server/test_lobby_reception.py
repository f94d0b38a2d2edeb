"""Promise: every question of a gateway gets exactly one answer, and a join none before its world is durably open."""

from __future__ import annotations

import itertools

from server import messages
from server.listed import LobbyGame
from server.lobby import Lobby
from server.reception import PAGE_LIMIT, Reception


class Desk:
    """A reception with a shard and a gateway that only note what they are told."""

    def __init__(self) -> None:
        counter = itertools.count(1)
        self.requests = itertools.count(1)
        self.now_s = 0.0
        self.orders: list[tuple[int, messages.FromSupervisor]] = []
        self.answers: list[messages.FromSupervisor] = []
        games = {"duel": LobbyGame(name="duel", max_players=2, clock="realtime", digest="d")}
        lobby = Lobby(games, max_worlds=256, name_world=lambda: f"w_{next(counter):010}")
        self.reception = Reception(
            lobby, lambda shard, message: self.orders.append((shard, message)), clock=lambda: self.now_s
        )
        self.reception.shard_up(0)

    def join(self, agent: str, *, game: str | None = "duel", world: str | None = None) -> int:
        request = next(self.requests)
        question = messages.AskPlace(request=request, agent=agent, game=None if world else game, world=world)
        self.reception.ask(question, self.answers.append)
        return request

    def opened_world(self) -> str:
        self.join("a_first")
        (_, order), *_ = self.orders
        assert isinstance(order, messages.OpenWorld)
        self.reception.tell(messages.WorldOpened(world=order.world))
        return order.world

    def worlds(self) -> list[str]:
        request = next(self.requests)
        self.reception.ask(messages.AskWorlds(request=request, limit=10_000), self.answers.append)
        found = self.answers.pop()
        assert isinstance(found, messages.WorldsFound) and found.request == request
        return [world.world for world in found.worlds]


def test_joins_wait_until_their_world_is_open_and_then_all_are_answered() -> None:
    desk = Desk()
    first, second = desk.join("a_ada"), desk.join("a_bob")
    assert desk.answers == []
    ((shard, order),) = desk.orders
    assert isinstance(order, messages.OpenWorld) and shard == 0 and order.game == "duel"
    assert 0 <= order.seed < 2**53
    desk.reception.tell(messages.WorldOpened(world=order.world))
    assert desk.answers == [
        messages.Placed(request=request, world=order.world, game="duel", shard=0) for request in (first, second)
    ]
    third = desk.join("a_ada")  # the world is open: answered at once
    assert desk.answers[2:] == [messages.Placed(request=third, world=order.world, game="duel", shard=0)]


def test_who_waits_for_a_world_that_cannot_be_made_is_told() -> None:
    desk = Desk()
    desk.join("a_ada")
    desk.join("a_bob")
    (_, order), *_ = desk.orders
    assert isinstance(order, messages.OpenWorld)
    desk.reception.tell(messages.WorldNotOpened(world=order.world, reason="main.lua:3: setup raised"))
    assert [type(answer) for answer in desk.answers] == [messages.Refused] * 2
    for answer in desk.answers:
        assert isinstance(answer, messages.Refused)
        assert answer.error.code == "internal" and "main.lua:3" in answer.error.message
        assert answer.error.data == {"reference": order.world} and answer.error.retry_after_ms
    desk.join("a_ada")
    assert len(desk.orders) == 2, "asking again tries again"


def test_who_waits_for_a_world_on_a_shard_that_dies_is_told() -> None:
    desk = Desk()
    desk.join("a_ada")
    assert desk.reception.lose_shard(0) == []  # no player knew of the world
    (answer,) = desk.answers
    assert isinstance(answer, messages.Refused)
    assert answer.error.code == "internal" and answer.error.retry_after_ms


def test_a_lost_shard_names_the_worlds_whose_players_must_be_told() -> None:
    desk = Desk()
    world = desk.opened_world()
    desk.join("a_ada")
    desk.join("a_bob")  # opens a second world, which nobody knows of yet
    assert desk.reception.lose_shard(0) == [world]


def test_a_server_that_stops_places_nobody() -> None:
    desk = Desk()
    world = desk.opened_world()
    desk.answers.clear()
    desk.reception.draining = True
    for request in (desk.join("a_ada"), desk.join("a_first"), desk.join("a_bob", world=world)):
        answer = desk.answers.pop(0)
        assert isinstance(answer, messages.Refused) and answer.request == request
        assert answer.error.code == "draining" and answer.error.retry_after_ms
    assert len(desk.orders) == 1


def test_reports_of_a_shard_show_in_the_answers() -> None:
    desk = Desk()
    world = desk.opened_world()
    assert desk.worlds() == [world]
    desk.reception.tell(
        messages.PlayerJoined(world=world, player="p_1", agent="a_first", session="s_first", name="first", seat=1),
    )
    desk.reception.tell(messages.WorldChanged(world=world, status="running", tick=0))
    standing = messages.PlayerStanding(player="p_1", score=3, connected=True)
    desk.reception.tell(messages.WorldPulse(world=world, clock="realtime", tick=60, players=[standing]))
    desk.answers.clear()
    desk.reception.ask(messages.AskWorld(request=50, world=world), desk.answers.append)
    desk.reception.ask(messages.AskGameCounts(request=51), desk.answers.append)
    found, counts = desk.answers
    assert isinstance(found, messages.WorldFound) and found.request == 50 and found.world is not None
    assert (found.world.status, found.world.tick, found.world.players[0].score) == ("running", 60, 3)
    assert counts == messages.GameCounts(request=51, players={"duel": 1}, worlds={"duel": 1})
    desk.reception.tell(messages.PlayerLeft(world=world, player="p_1", reason="left", tick=70))
    desk.reception.tell(messages.WorldChanged(world=world, status="closed", tick=99, reason="idle"))
    desk.reception.ask(messages.AskWorld(request=52, world=world), desk.answers.append)
    ended = desk.answers.pop()
    assert isinstance(ended, messages.WorldFound) and ended.world is not None
    assert (ended.world.status, ended.reason, ended.world.players) == ("closed", "idle", [])


def test_a_refused_join_gives_its_seat_to_the_next() -> None:
    desk = Desk()
    world = desk.opened_world()
    desk.join("a_bob")
    desk.reception.tell(messages.JoinRefused(world=world, agent="a_bob"))
    desk.answers.clear()
    desk.join("a_eve")
    (answer,) = desk.answers
    assert isinstance(answer, messages.Placed) and answer.world == world


def test_a_reservation_that_ran_out_shows_as_a_free_seat() -> None:
    desk = Desk()
    desk.opened_world()
    desk.now_s += 1000
    desk.answers.clear()
    desk.reception.ask(messages.AskWorlds(request=9, limit=1), desk.answers.append)
    (page,) = desk.answers
    assert isinstance(page, messages.WorldsFound) and page.worlds[0].seats_free == 2


def test_an_unknown_world_is_answered_with_the_nearest() -> None:
    desk = Desk()
    world = desk.opened_world()
    desk.answers.clear()
    desk.reception.ask(messages.AskWorld(request=7, world=world + "x"), desk.answers.append)
    assert desk.answers == [messages.WorldFound(request=7, nearest=[world])]


def test_a_page_is_bounded_whatever_the_gateway_asks() -> None:
    desk = Desk()
    for number in range(2 * PAGE_LIMIT + 2):
        desk.join(f"a_{number}")
    for _, order in desk.orders:
        assert isinstance(order, messages.OpenWorld)
        desk.reception.tell(messages.WorldOpened(world=order.world))
    assert len(desk.worlds()) == PAGE_LIMIT < len(desk.orders)


def test_a_session_is_told_what_it_has_and_what_it_lost() -> None:
    desk = Desk()
    world = desk.opened_world()
    desk.reception.tell(
        messages.PlayerJoined(world=world, player="p_1", agent="a_first", session="s_1", name="first", seat=1)
    )
    desk.answers.clear()
    desk.reception.ask(messages.AskSession(request=60, session="s_1", agent="a_s_1"), desk.answers.append)
    desk.reception.tell(messages.PlayerLeft(world=world, player="p_1", reason="timeout", tick=70))
    desk.reception.ask(messages.AskSession(request=61, session="s_1", agent="a_s_1"), desk.answers.append)
    desk.reception.ask(messages.AskSession(request=62, session="s_other", agent="a_s_other"), desk.answers.append)
    has, lost, nothing = desk.answers
    assert isinstance(has, messages.SessionFound)
    assert isinstance(lost, messages.SessionFound)
    assert [(player.world, player.player) for player in has.players] == [(world, "p_1")]
    assert (lost.players, [(one.reason, one.tick) for one in lost.lost]) == ([], [("timeout", 70)])
    assert nothing == messages.SessionFound(request=62, players=[], lost=[])
