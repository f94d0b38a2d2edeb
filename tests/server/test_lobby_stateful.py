"""Promise: whatever agents, shards and the clock do, no seat is given twice, no world opened while one has room."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.listed import LobbyGame
from server.lobby import RESERVATION_S, Lobby, OpenNew, Place, Refusal

SEATS = {"trio": 3, "duel": 2}
MAX_WORLDS = 6
agents = st.sampled_from([f"a_{number}" for number in range(14)])
games = st.sampled_from(sorted(SEATS))


class LobbyMachine(RuleBasedStateMachine):
    """Drives a lobby against shards that seat, refuse, open, end and die in any order.

    The model is what the shards know (who sits where, which worlds are open) and who was promised a seat until when.
    """

    def __init__(self) -> None:
        super().__init__()
        counter = itertools.count(1)
        self.numbers = itertools.count(1)
        self.now_s = 0.0
        self.lobby = Lobby(
            {
                name: LobbyGame(name=name, max_players=seats, clock="realtime", digest="")
                for name, seats in SEATS.items()
            },
            max_worlds=MAX_WORLDS,
            name_world=lambda: f"w_{next(counter):010}",
        )
        self.shards: dict[int, set[str]] = {}
        self.game_of: dict[str, str] = {}
        self.opening: set[str] = set()
        self.seated: dict[str, dict[str, str]] = {}  # world → player → agent
        self.promised: dict[str, dict[str, float]] = {}  # world → agent → until when
        self.asked: list[tuple[str, str]] = []  # (world, agent): placed, and the shard has not decided yet
        self.ended: set[str] = set()

    @initialize()
    def first_shard(self) -> None:
        self.shard_comes_up()

    def unfinished(self) -> list[str]:
        return [world for worlds in self.shards.values() for world in worlds]

    def free(self, world: str) -> int:
        return SEATS[self.game_of[world]] - len(self.seated[world]) - len(self.promised[world])

    # --- what agents do ---

    @rule(agent=agents, game=games)
    def join_by_game(self, agent: str, game: str) -> None:
        open_before = [world for world in self.unfinished() if self.game_of[world] == game]
        mine = [world for world in open_before if agent in self.seated[world].values()]
        decision = self.lobby.place(agent, game=game, now_s=self.now_s)
        roomy = [world for world in open_before if self.free(world) > 0 or agent in self.promised[world]]
        if mine:
            assert isinstance(decision, Place) and decision.world in mine
        elif isinstance(decision, OpenNew):
            assert not roomy, f"{decision.world} was opened while {roomy} had room"
            assert len(self.unfinished()) < MAX_WORLDS
            fewest = min(len(worlds) for worlds in self.shards.values())
            assert len(self.shards[decision.shard]) == fewest
            self.shards[decision.shard].add(decision.world)
            self.game_of[decision.world] = game
            self.seated[decision.world] = {}
            self.promised[decision.world] = {}
            self.opening.add(decision.world)
        elif isinstance(decision, Refusal):
            assert not roomy
            assert decision.code == ("too_many_worlds" if self.shards else "overloaded")
            return
        self._asked(decision, agent)

    @precondition(lambda self: self.game_of)
    @rule(agent=agents, data=st.data())
    def join_by_world(self, agent: str, data: st.DataObject) -> None:
        world = data.draw(st.sampled_from(sorted(self.game_of)))
        decision = self.lobby.place(agent, world=world, now_s=self.now_s)
        if isinstance(decision, Refusal):
            if world in self.ended:
                assert decision.code == "world_closed"
            elif world in self.opening or world not in self.unfinished():
                assert decision.code == "unknown_world"
            else:
                assert decision.code == "world_full" and self.free(world) == 0
                assert agent not in self.seated[world].values() and agent not in self.promised[world]
            return
        assert decision.world == world and world in self.unfinished() and world not in self.opening
        self._asked(decision, agent)

    def _asked(self, decision: Place | OpenNew | Refusal, agent: str) -> None:
        assert not isinstance(decision, Refusal)
        self.asked.append((decision.world, agent))
        if agent not in self.seated[decision.world].values():
            self.promised[decision.world][agent] = self.now_s + RESERVATION_S

    # --- what shards do ---

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), refuse=st.booleans())
    def shard_decides(self, data: st.DataObject, refuse: bool) -> None:
        world, agent = self.asked.pop(data.draw(st.integers(0, len(self.asked) - 1)))
        if world not in self.unfinished() or world in self.opening:
            return
        if agent in self.seated[world].values():
            return
        if refuse or len(self.seated[world]) >= SEATS[self.game_of[world]]:
            self.lobby.join_refused(world, agent)
            self.promised[world].pop(agent, None)
            return
        player = f"p_{next(self.numbers)}"
        self.seated[world][player] = agent
        self.lobby.player_joined(world, player, agent, f"s_{agent}", agent, len(self.seated[world]))
        self.promised[world].pop(agent, None)
        if self.free(world) < 0:  # seated after its promise had run out: the youngest promise is broken
            self.promised[world].popitem()

    @precondition(lambda self: any(self.seated[world] for world in self.unfinished()))
    @rule(data=st.data())
    def player_leaves(self, data: st.DataObject) -> None:
        places = sorted((world, player) for world in self.unfinished() for player in self.seated[world])
        world, player = data.draw(st.sampled_from(places))
        del self.seated[world][player]
        self.lobby.player_left(world, player, "timeout", 5)

    @precondition(lambda self: self.opening)
    @rule(data=st.data(), fails=st.booleans())
    def world_opens(self, data: st.DataObject, fails: bool) -> None:
        world = data.draw(st.sampled_from(sorted(self.opening)))
        self.opening.discard(world)
        if fails:
            self.lobby.not_opened(world)
            self._gone(world)
        else:
            self.lobby.opened(world, now_s=self.now_s)
            self.promised[world] = dict.fromkeys(self.promised[world], self.now_s + RESERVATION_S)

    @precondition(lambda self: set(self.unfinished()) - self.opening)
    @rule(data=st.data())
    def world_ends(self, data: st.DataObject) -> None:
        world = data.draw(st.sampled_from(sorted(set(self.unfinished()) - self.opening)))
        self.lobby.changed(world, "closed", 7, "idle")
        self._gone(world)
        self.ended.add(world)

    @rule()
    def shard_comes_up(self) -> None:
        if len(self.shards) < 3:
            number = next(self.numbers)
            self.shards[number] = set()
            self.lobby.shard_up(number)

    @precondition(lambda self: self.shards)
    @rule(data=st.data())
    def shard_dies(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.shards)))
        worlds = self.shards[number]
        lost = self.lobby.lose_shard(number)
        assert sorted(lost.recovering) == sorted(worlds - self.opening)
        for world in lost.recovering:
            self.lobby.not_restored(world, "closed", "the test says so")
        assert sorted(lost.opening) == sorted(worlds & self.opening)
        self.ended |= worlds - self.opening
        self.opening -= worlds
        del self.shards[number]

    def _gone(self, world: str) -> None:
        for worlds in self.shards.values():
            worlds.discard(world)

    # --- what time does ---

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.lobby.expire(self.now_s)
        for world in set(self.unfinished()) - self.opening:
            promised = self.promised[world].items()
            self.promised[world] = {agent: until_s for agent, until_s in promised if until_s > self.now_s}

    # --- what must always be true ---

    @invariant()
    def no_seat_is_given_twice(self) -> None:
        for world in set(self.unfinished()) - self.opening:
            found = self.lobby.find(world)
            assert found is not None
            summary, _ = found
            assert {player.player: player.agent for player in summary.players} == self.seated[world]
            assert summary.seats_free == self.free(world) >= 0

    @invariant()
    def what_is_listed_is_what_is_open(self) -> None:
        listed = {world.world for world in self.lobby.summaries() if world.status in ("waiting", "running")}
        assert listed == set(self.unfinished()) - self.opening
        players, worlds = self.lobby.counts()
        assert sum(worlds.values()) == len(listed)
        assert sum(players.values()) == sum(len(self.seated[world]) for world in listed)


TestLobbyMachine = LobbyMachine.TestCase
TestLobbyMachine.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
