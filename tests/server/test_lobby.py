"""Promise: everybody who can play is placed, in as few worlds as possible, and a refusal says what to do instead."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from eventlog.index import PlayerListing, WorldListing
from eventlog.summary import WorldInfo
from server import messages
from server.bygone import bygones
from server.directory import ENDED_KEPT
from server.listed import LobbyGame
from server.lobby import RESERVATION_S, Lobby, OpenNew, Place, Refusal
from server.messages import NO_SHARD, PlayerStanding, WorldPulse
from worldline import protocol

GAMES = {
    "tsunami": LobbyGame(name="tsunami", max_players=8, clock="realtime", digest="d1"),
    "duel": LobbyGame(name="duel", max_players=2, clock="realtime", digest="d2"),
}


class Driver:
    """A lobby with a clock, and shards that do at once what they are told."""

    def __init__(self, *, shards: int = 2, max_worlds: int = 256) -> None:
        counter = itertools.count(1)
        self.now_s = 1000.0
        self.lobby = Lobby(GAMES, max_worlds=max_worlds, name_world=lambda: f"w_{next(counter):010}")
        self.players = itertools.count(1)
        for shard in range(shards):
            self.lobby.shard_up(shard)

    def place(self, agent: str, game: str | None = "tsunami", world: str | None = None) -> Place | OpenNew | Refusal:
        return self.lobby.place(agent, game=None if world else game, world=world, now_s=self.now_s)

    def world_for(self, agent: str, game: str = "tsunami") -> str:
        """Where the agent is placed; a new world opens at once."""
        decision = self.place(agent, game)
        assert not isinstance(decision, Refusal), decision
        if isinstance(decision, OpenNew):
            self.lobby.opened(decision.world, now_s=self.now_s)
        return decision.world

    def seat(self, agent: str, game: str = "tsunami") -> tuple[str, str]:
        """Place and seat an agent; its world and player."""
        world = self.world_for(agent, game)
        player = f"p_{next(self.players)}"
        self.lobby.player_joined(world, player, agent, f"s_{agent}", agent.upper(), 1)
        return world, player

    def end(self, world: str, status: protocol.WorldStatus = "closed", reason: str = "idle") -> None:
        self.lobby.changed(world, status, 99, reason)


def refusal(decision: Place | OpenNew | Refusal) -> Refusal:
    assert isinstance(decision, Refusal), decision
    return decision


# --- placement -------------------------------------------------------------------------------------


def test_a_hundred_agents_at_once_make_thirteen_worlds_twelve_full_and_one_of_four() -> None:
    driver = Driver()
    decisions = [driver.place(f"a_{number}") for number in range(100)]  # before any world has opened
    worlds: dict[str, int] = {}
    for decision in decisions:
        assert isinstance(decision, OpenNew | Place)
        worlds[decision.world] = worlds.get(decision.world, 0) + 1
    assert sorted(worlds.values()) == [4] + [8] * 12
    assert sum(isinstance(decision, OpenNew) for decision in decisions) == 13
    assert all(decision.opening for decision in decisions if isinstance(decision, Place))


def test_an_agent_that_asks_again_gets_the_same_place() -> None:
    driver = Driver()
    first = driver.world_for("a_ada")
    for number in range(7):
        driver.world_for(f"a_{number}")
    driver.world_for("a_last")  # in a second world
    assert driver.world_for("a_ada") == first
    driver.lobby.player_joined(first, "p_1", "a_ada", "s_1", "ada", 1)
    driver.now_s += 2 * RESERVATION_S
    assert driver.world_for("a_ada") == first
    assert driver.place("a_ada", world=first) == Place(world=first, game="tsunami", shard=0)


def test_who_plays_goes_back_to_that_world_even_if_an_older_one_has_room() -> None:
    driver = Driver()
    older = [driver.seat(f"a_{number}") for number in range(8)]
    world, _ = driver.seat("a_ada")
    assert world != older[0][0]
    driver.lobby.player_left(*older[0], "left", 5)
    assert driver.world_for("a_ada") == world
    assert driver.world_for("a_new") == older[0][0]


def test_an_agent_may_play_one_world_of_each_game() -> None:
    driver = Driver()
    assert driver.world_for("a_ada", "tsunami") != driver.world_for("a_ada", "duel")


def test_the_oldest_world_with_a_free_seat_is_filled_first() -> None:
    driver = Driver()
    seated = [driver.seat(f"a_{number}", "duel") for number in range(6)]
    for number in (4, 2):
        driver.lobby.player_left(*seated[number], "left", 5)
    assert driver.world_for("a_x", "duel") == seated[2][0]
    assert driver.world_for("a_y", "duel") == seated[4][0]


def test_a_new_world_goes_to_the_shard_with_the_fewest() -> None:
    driver = Driver(shards=3)
    shards = [driver.place(f"a_{number}", "duel") for number in range(12)]
    opened = [decision.shard for decision in shards if isinstance(decision, OpenNew)]
    assert sorted(opened) == [0, 0, 1, 1, 2, 2]
    first_on_one = next(decision for decision in shards if isinstance(decision, OpenNew) and decision.shard == 1)
    driver.lobby.opened(first_on_one.world, now_s=driver.now_s)
    driver.end(first_on_one.world)
    following = driver.place("a_next", "duel")
    assert isinstance(following, OpenNew) and following.shard == 1


def test_a_world_by_name_takes_who_fits() -> None:
    driver = Driver()
    world, _ = driver.seat("a_ada", "duel")
    assert driver.place("a_bob", world=world) == Place(world=world, game="duel", shard=0)
    full = refusal(driver.place("a_eve", world=world))
    assert full.code == "world_full" and '"game":"duel"' in (full.hint or "")


# --- reservations ----------------------------------------------------------------------------------


def test_a_reservation_that_is_not_used_expires() -> None:
    driver = Driver()
    world, _ = driver.seat("a_ada", "duel")
    driver.world_for("a_gone", "duel")
    driver.now_s += RESERVATION_S - 0.001
    assert driver.world_for("a_bob", "duel") != world
    driver.now_s += 0.001
    assert driver.world_for("a_eve", "duel") == world


def test_asking_again_renews_a_reservation() -> None:
    driver = Driver()
    world, _ = driver.seat("a_ada", "duel")
    driver.world_for("a_bob", "duel")
    driver.now_s += RESERVATION_S - 1
    driver.world_for("a_bob", "duel")
    driver.now_s += RESERVATION_S - 1
    assert driver.world_for("a_eve", "duel") != world


def test_a_reservation_in_an_opening_world_begins_when_it_is_open() -> None:
    driver = Driver()
    decision = driver.place("a_ada", "duel")
    assert isinstance(decision, OpenNew)
    driver.now_s += RESERVATION_S - 1
    driver.lobby.opened(decision.world, now_s=driver.now_s)
    driver.now_s += RESERVATION_S - 1
    found = driver.lobby.find(decision.world)
    assert found is not None and found[0].seats_free == 1


def test_who_waits_for_a_world_to_open_keeps_the_seat_however_long_it_takes() -> None:
    driver = Driver()
    decision = driver.place("a_ada", "duel")
    assert isinstance(decision, OpenNew)
    driver.now_s += 10 * RESERVATION_S
    assert driver.world_for("a_bob", "duel") == decision.world
    driver.now_s += 10 * RESERVATION_S
    assert isinstance(driver.place("a_eve", "duel"), OpenNew)


def test_a_refused_join_frees_the_seat_at_once() -> None:
    driver = Driver()
    world, _ = driver.seat("a_ada", "duel")
    driver.world_for("a_bob", "duel")
    driver.lobby.join_refused(world, "a_bob")
    assert driver.world_for("a_eve", "duel") == world


def test_the_shard_has_the_last_word_on_who_sits_where() -> None:
    driver = Driver()
    world, _ = driver.seat("a_ada", "duel")
    driver.world_for("a_late", "duel")
    driver.now_s += RESERVATION_S  # a_late's reservation is over when the shard seats it after all
    assert driver.world_for("a_bob", "duel") == world
    driver.lobby.player_joined(world, "p_2", "a_late", "s_1", "late", 2)
    found = driver.lobby.find(world)
    assert found is not None
    assert [player.agent for player in found[0].players] == ["a_ada", "a_late"]
    assert found[0].seats_free == 0


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected", "nearest"),
    [
        ({"game": "tsunmi"}, "unknown_game", "tsunami"),
        ({"game": ""}, "unknown_game", "duel"),
        ({"world": "w_0000000001x"}, "unknown_world", "w_0000000001"),
        ({"world": "nonsense"}, "unknown_world", "w_0000000001"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(asked: dict[str, Any], expected: str, nearest: str) -> None:
    driver = Driver()
    driver.seat("a_ada", "duel")
    error = refusal(driver.place("a_bob", **asked))
    assert error.code == expected
    assert error.valid is not None and error.valid[0] == nearest
    assert nearest in (error.hint or "")
    assert error.retry_after_ms is None


def test_an_unknown_world_where_there_is_none_points_to_the_list() -> None:
    driver = Driver()
    error = refusal(driver.place("a_ada", world="w_x"))
    assert error.valid == []
    assert '`{"type":"worlds","id":1}`' in (error.hint or "") and "worldline log ls" in (error.hint or "")


def test_at_most_twenty_valid_names_are_listed() -> None:
    driver = Driver()
    for number in range(30):
        driver.seat(f"a_{number}", "duel")
        driver.seat(f"b_{number}", "duel")
    error = refusal(driver.place("a_x", world="w_0000000017z"))
    assert error.valid is not None and len(error.valid) == 20 and error.valid[0] == "w_0000000017"


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("closed", "idle", "world_closed"),
        ("closed", "shard_lost", "world_closed"),
        ("finished", None, "world_closed"),
        ("faulted", "tick raised", "world_faulted"),
    ],
)
def test_an_ended_world_says_why(status: protocol.WorldStatus, reason: str | None, code: str) -> None:
    driver = Driver()
    world, _ = driver.seat("a_ada")
    driver.lobby.changed(world, status, 99, reason)
    error = refusal(driver.place("a_ada", world=world))
    assert error.code == code and (reason or status) in error.message
    assert driver.world_for("a_ada") != world  # by game it gets another


def test_more_worlds_than_allowed_are_refused_until_one_ends() -> None:
    driver = Driver(max_worlds=2)
    worlds = [driver.seat(f"a_{number}", "duel")[0] for number in range(4)]
    error = refusal(driver.place("a_x", "duel"))
    assert error.code == "too_many_worlds" and (error.retry_after_ms or 0) > 0
    driver.end(worlds[0])
    driver.world_for("a_x", "duel")


def test_without_a_shard_a_join_is_to_be_tried_later() -> None:
    driver = Driver(shards=0)
    error = refusal(driver.place("a_x"))
    assert error.code == "overloaded" and (error.retry_after_ms or 0) > 0
    driver.lobby.shard_up(7)
    decision = driver.place("a_x")
    assert isinstance(decision, OpenNew) and decision.shard == 7


# --- shards that die -------------------------------------------------------------------------------


def test_the_worlds_of_a_lost_shard_recover_and_only_those() -> None:
    driver = Driver(shards=2)
    on_zero, _ = driver.seat("a_ada", "duel")
    driver.seat("a_bob", "duel")
    on_one, _ = driver.seat("a_eve", "duel")
    driver.seat("a_fay", "duel")
    opening = driver.place("a_new", "duel")
    assert isinstance(opening, OpenNew) and opening.shard == 0
    lost = driver.lobby.lose_shard(0)
    assert (lost.recovering, lost.opening) == ([on_zero], [opening.world])
    found = driver.lobby.find(on_zero)
    assert found is not None and (found[0].status, found[1]) == ("recovering", None)
    assert driver.lobby.find(opening.world) is None
    still = driver.lobby.find(on_one)
    assert still is not None and still[0].status == "waiting"
    waits = driver.place("a_ada", "duel")
    assert isinstance(waits, Place) and (waits.world, waits.opening) == (on_zero, True)
    assert driver.lobby.assign(on_zero) == 1
    driver.lobby.restored(restored(on_zero, "a_ada"), 1)
    back = driver.place("a_ada", "duel")
    assert isinstance(back, Place) and (back.world, back.shard, back.opening) == (on_zero, 1, False)
    found = driver.lobby.find(on_zero)
    assert found is not None and (found[0].status, found[0].tick) == ("running", 90)
    assert [(player.agent, player.connected) for player in found[0].players] == [("a_ada", False)]


def test_a_session_that_comes_back_first_is_not_sent_to_a_shard_that_only_restores_its_world() -> None:
    """That shard would not know the player yet, and say that it is gone."""
    driver = Driver(shards=2)
    world, player = driver.seat("a_ada", "duel")
    driver.lobby.lose_shard(0)
    assert driver.lobby.assign(world) == 1
    (waiting,) = driver.lobby.session_players("s_a_ada", "a_ada")
    assert (waiting.world, waiting.player, waiting.shard) == (world, player, NO_SHARD)
    driver.lobby.restored(restored(world, "a_ada"), 1)
    (back,) = driver.lobby.session_players("s_1", "a_1")
    assert (back.world, back.shard) == (world, 1)


def test_a_world_that_does_not_come_back_has_ended() -> None:
    driver = Driver(shards=1)
    world, _ = driver.seat("a_ada", "duel")
    driver.lobby.lose_shard(0)
    driver.lobby.not_restored(world, "damaged", "its log is damaged")
    error = refusal(driver.place("a_ada", world=world))
    assert (error.code, error.data) == ("world_damaged", {"reason": "its log is damaged"})


def restored(world: str, agent: str) -> messages.WorldRestored:
    player = messages.RestoredPlayer(player="p_1", agent=agent, session="s_1", name=agent, seat=1, score=0)
    return messages.WorldRestored(
        world=world,
        game="duel",
        digest="d",
        clock="realtime",
        max_players=2,
        seats_per_agent=1,
        status="running",
        tick=90,
        players=[player],
    )


def test_a_world_that_could_not_be_made_never_was() -> None:
    driver = Driver(max_worlds=1)
    decision = driver.place("a_ada")
    assert isinstance(decision, OpenNew)
    driver.lobby.not_opened(decision.world)
    assert driver.lobby.find(decision.world) is None
    assert isinstance(driver.place("a_ada"), OpenNew)


# --- listings --------------------------------------------------------------------------------------


def test_a_world_is_listed_once_it_is_open() -> None:
    driver = Driver()
    decision = driver.place("a_ada")
    assert isinstance(decision, OpenNew)
    assert driver.lobby.summaries() == [] and driver.lobby.shard_of(decision.world) is None
    assert driver.lobby.counts() == ({"tsunami": 0, "duel": 0}, {"tsunami": 0, "duel": 0})
    assert refusal(driver.place("a_bob", world=decision.world)).code == "unknown_world"
    driver.lobby.opened(decision.world, now_s=driver.now_s)
    assert [world.world for world in driver.lobby.summaries()] == [decision.world]
    assert driver.lobby.shard_of(decision.world) == 0


def test_pages_hold_every_world_once_newest_first() -> None:
    driver = Driver()
    for number in range(25):
        driver.seat(f"a_{number}", "duel")
        driver.seat(f"b_{number}", "duel")
    seen: list[str] = []
    after: str | None = None
    while True:
        page = driver.lobby.page(limit=7, after=after)
        seen += [world.world for world in page.worlds]
        after = page.next
        if after is None:
            break
    assert seen == sorted({world.world for world in driver.lobby.summaries()}, reverse=True)
    assert len(seen) == 25


def test_pages_are_filtered_by_game_status_and_agent() -> None:
    driver = Driver()
    tsunami, _ = driver.seat("a_ada", "tsunami")
    duel, _ = driver.seat("a_ada", "duel")
    driver.end(duel)

    def listed(**filters: Any) -> list[str]:
        return [world.world for world in driver.lobby.page(limit=10, **filters).worlds]

    assert listed(game="tsunami") == [tsunami]
    assert listed(status="closed") == [duel]
    assert listed(agent="a_ada") == [duel, tsunami]
    assert listed(agent="a_bob") == []
    assert listed(world=duel) == [duel]
    assert listed(world="w_nowhere") == []
    assert listed(world=duel, game="tsunami") == []
    exact = driver.lobby.page(limit=2)
    assert len(exact.worlds) == 2 and exact.next is None


def test_a_summary_shows_the_world_as_its_shard_last_told() -> None:
    driver = Driver()
    world, player = driver.seat("a_ada")
    driver.lobby.changed(world, "running", 0, None)
    standing = PlayerStanding(player=player, score=12.5, connected=False)
    driver.lobby.pulse(WorldPulse(world=world, clock="realtime", tick=60, players=[standing]))
    found = driver.lobby.find(world)
    assert found is not None
    assert found[0] == protocol.WorldSummary(
        world=world,
        game="tsunami",
        status="running",
        tick=60,
        clock="realtime",
        players=[
            protocol.PlayerSummary(player=player, agent="a_ada", name="A_ADA", seat=1, score=12.5, connected=False)
        ],
        seats_free=7,
        digest="d1",
    )


def test_a_summary_tells_how_far_the_world_was_computed_again_and_where_it_came_out_otherwise() -> None:
    driver = Driver()
    world, _ = driver.seat("a_ada")

    def told() -> tuple[int | None, int | None]:
        found = driver.lobby.find(world)
        assert found is not None
        return found[0].verified_tick, found[0].diverged_tick

    assert told() == (None, None)
    driver.lobby.checked(world, 600, same=True)
    assert told() == (600, None)
    driver.end(world)  # the last stretch is checked afterwards
    driver.lobby.checked(world, 700, same=False)
    driver.lobby.checked("w_forgotten", 700, same=True)
    assert told() == (600, 700)


def test_games_are_counted() -> None:
    driver = Driver()
    driver.seat("a_ada", "duel")
    world, _ = driver.seat("a_bob", "tsunami")
    driver.end(world)
    assert driver.lobby.counts() == ({"tsunami": 0, "duel": 1}, {"tsunami": 0, "duel": 1})


def test_the_lobby_forgets_old_worlds_but_never_unfinished_ones() -> None:
    driver = Driver()
    kept, _ = driver.seat("a_keeper", "duel")
    driver.seat("a_keeper_2", "duel")
    first = ""
    for number in range(ENDED_KEPT + 1):
        world, _ = driver.seat(f"a_{number}", "tsunami")
        first = first or world
        driver.end(world)
    assert len(driver.lobby.summaries()) == ENDED_KEPT + 1
    assert driver.lobby.find(first) is None and driver.lobby.find(kept) is not None
    assert refusal(driver.place("a_0", world=first)).code == "unknown_world"


def bygone(number: int, ended_ms: int, **fields: Any) -> WorldInfo:
    """A world that ended before the server began."""
    known: dict[str, Any] = {"status": "closed", "reason": "idle", "digest": "d", "clock": "realtime", "created_ms": 1}
    known |= {"last_tick": 9, "bytes": 1, "archived": False} | fields
    return WorldInfo(world=f"w_{number:010}", game="tsunami", ended_ms=ended_ms, **known)


def test_of_the_worlds_of_earlier_servers_those_that_ended_last_are_listed_in_the_order_of_their_names() -> None:
    driver = Driver()
    went_on = GAMES["duel"]
    driver.lobby.broke_off("w_0000000003", went_on)
    infos = [bygone(number, ended_ms=-number) for number in range(ENDED_KEPT + 5)]
    infos[3] = bygone(3, ended_ms=0, status="open", reason=None)
    driver.lobby.ended_before(bygones(infos, ENDED_KEPT))
    names = [row.world for row in driver.lobby.summaries()]
    assert names == [f"w_{number:010}" for number in range(ENDED_KEPT, -1, -1)]
    driver.lobby.not_restored("w_0000000003", "damaged", "its log is damaged")
    names = [row.world for row in driver.lobby.summaries()]
    assert len(names) == ENDED_KEPT and f"w_{ENDED_KEPT:010}" not in names, "the one that ended first"
    assert driver.lobby.find("w_0000000003") is not None
    driver.lobby.removed("w_0000000003")
    assert driver.lobby.find("w_0000000003") is None


def test_players_of_a_bygone_world_are_those_who_were_there_at_its_end() -> None:
    driver = Driver()
    closed, broken = bygone(1, 1), bygone(2, 2, status="faulted", reason="tick")
    driver.lobby.ended_before(bygones([closed, broken], ENDED_KEPT))
    fields: dict[str, Any] = {"agent": "a_1", "name": "ada", "joined_tick": 1}
    players = [
        PlayerListing(player="p_1", seat=1, score=2.5, **fields),
        PlayerListing(player="p_2", seat=2, left_tick=4, left_reason="left", score=1.0, **fields),
        PlayerListing(player="p_3", seat=3, **fields),
    ]
    for info in (closed, broken):
        driver.lobby.read_again(WorldListing(info=info, result=None, players=players))
    found = {row.world: [(each.player, each.score) for each in row.players] for row in driver.lobby.summaries()}
    assert found == {closed.world: [("p_1", 2.5)], broken.world: [("p_1", 2.5), ("p_3", 0)]}, (
        "kicked ones have no score"
    )


def test_reports_on_ended_worlds_change_nothing() -> None:
    driver = Driver()
    world, player = driver.seat("a_ada")
    driver.end(world, "finished", "rules")
    before = driver.lobby.find(world)
    driver.lobby.changed(world, "running", 5, None)
    driver.lobby.player_left(world, player, "left", 5)
    driver.lobby.player_joined(world, "p_9", "a_bob", "s_1", "bob", 2)
    driver.lobby.pulse(WorldPulse(world=world, clock="realtime", tick=1, players=[]))
    driver.lobby.opened(world, now_s=driver.now_s)
    driver.lobby.not_opened(world)
    assert driver.lobby.find(world) == before


def test_a_session_has_its_players_in_worlds_that_run_and_its_losses_elsewhere() -> None:
    driver = Driver()
    kept, kept_player = driver.seat("a_ada", "tsunami")
    lost, lost_player = driver.seat("a_ada", "duel")
    driver.lobby.pulse(WorldPulse(world=kept, clock="realtime", tick=60, players=[]))
    (player, _) = driver.lobby.session_players("s_a_ada", "a_ada")
    assert (player.world, player.player, player.shard, player.tick) == (kept, kept_player, 0, 60)
    driver.end(lost, "closed", "shard_lost")
    assert [one.world for one in driver.lobby.session_players("s_a_ada", "a_ada")] == [kept]
    assert driver.lobby.session_lost("s_a_ada") == [
        protocol.LostPlayer(world=lost, player=lost_player, reason="shard_lost", tick=99)
    ]
    driver.lobby.player_left(kept, kept_player, "left", 70)
    assert driver.lobby.session_players("s_a_ada", "a_ada") == []
    assert len(driver.lobby.session_lost("s_a_ada")) == 1
