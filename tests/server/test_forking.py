"""Promise: a fork asked for with a key is made once; one that did not come to be is made when asked for again."""

from __future__ import annotations

from pathlib import Path

from server import forkkeys, messages
from server.forking import Forks, Noted
from server.lobby import WORLDS_PER_AGENT, Lobby

MAX_WORLDS = WORLDS_PER_AGENT + 5


class Server:
    """The forks of a server whose replayers and shards do what a test says."""

    def __init__(self) -> None:
        names = iter(f"w_{number:02}" for number in range(100))
        self.lobby = Lobby({}, max_worlds=MAX_WORLDS, name_world=lambda: next(names))
        self.orders: list[messages.MakeFork] = []
        self.restoring: list[str] = []
        self.answers: list[messages.FromSupervisor] = []
        self.noted: list[tuple[str, str, str]] = []
        self.disk_problem: OSError | None = None
        self.forks = Forks(self.lobby, self.to_replayer, self.restoring.append, self.note)

    def note(self, agent: str, key: str, world: str, noted: Noted) -> None:
        assert not any(order.fork == world for order in self.orders), "first the note, then the fork"
        self.noted.append((agent, key, world))
        noted(self.disk_problem)

    def to_replayer(self, world: str, order: messages.FromSupervisor) -> int:
        assert isinstance(order, messages.MakeFork) and order.world == world
        self.orders.append(order)
        return int(world.removeprefix("w_of_"))

    def ask(self, request: int, key: str | None = "k", agent: str = "ada", replayer: int = 0) -> None:
        question = messages.AskFork(
            request=request, agent=agent, role="developer", world=f"w_of_{replayer}", tick=3, key=key
        )
        self.forks.ask(question, self.answers.append)

    def made(self) -> str:
        """The replayer has made the last fork that it was asked for."""
        self.forks.made(messages.ForkMade(request=self.orders[-1].request, game="echo", digest="d"))
        return self.orders[-1].fork

    def take(self) -> list[tuple[int, str]]:
        """What was answered since: the world, or the code of the refusal."""
        found = [
            (answer.request, answer.world if isinstance(answer, messages.WorldMade) else answer.error.code)
            for answer in self.answers
            if isinstance(answer, messages.WorldMade | messages.Refused)
        ]
        assert len(found) == len(self.answers)
        self.answers.clear()
        return found


def test_one_key_is_one_fork_and_everybody_who_asks_is_answered() -> None:
    server = Server()
    server.ask(1)
    server.ask(2)
    fork = server.made()
    assert server.restoring == [fork] and server.take() == []
    server.forks.restored(fork)
    assert server.take() == [(1, fork), (2, fork)]
    server.ask(3)
    assert server.take() == [(3, fork)]
    assert len(server.orders) == 1


def test_a_fork_that_no_shard_could_go_on_with_is_made_anew_for_the_same_key() -> None:
    server = Server()
    server.ask(1)
    lost = server.made()
    server.lobby.not_restored(lost, "damaged", "its log is damaged")
    server.forks.not_restored(lost, "its log is damaged")
    assert server.take() == [(1, "internal")]
    server.ask(2)
    fork = server.made()
    server.forks.restored(fork)
    assert fork != lost and server.take() == [(2, fork)]


def test_a_fork_whose_replayer_died_is_made_anew_for_the_same_key() -> None:
    server = Server()
    server.ask(1)
    server.ask(2, key=None)
    server.ask(9, key=None, agent="bob", replayer=1)
    server.forks.replayer_lost(0)
    assert server.take() == [(1, "overloaded"), (2, "overloaded")], "the other replayer lives"
    server.forks.restored(server.made())
    assert server.take() == [(9, server.orders[-1].fork)]
    server.ask(3)
    server.forks.restored(server.made())
    assert server.take() == [(3, server.orders[-1].fork)]


def test_forks_that_are_being_made_count_as_worlds_of_who_makes_them() -> None:
    server = Server()
    for request in range(WORLDS_PER_AGENT + 1):
        server.ask(request, key=None)
    assert server.take() == [(WORLDS_PER_AGENT, "too_many_worlds")]
    for request in range(MAX_WORLDS - WORLDS_PER_AGENT + 1):
        server.ask(request, key=None, agent=f"bob-{request // WORLDS_PER_AGENT}")
    assert server.take() == [(MAX_WORLDS - WORLDS_PER_AGENT, "too_many_worlds")]
    server.made()
    server.ask(50, key=None, agent="eve")
    assert server.take() == [(50, "too_many_worlds")], "it is listed now, and counts once"
    server.forks.replayer_lost(0)
    server.take()
    server.ask(51, key=None, agent="eve")
    assert server.take() == [], "what was not made counts no more"


def test_a_key_that_cannot_be_noted_makes_no_fork() -> None:
    server = Server()
    server.disk_problem = OSError(28, "No space left on device")
    server.ask(1)
    assert (server.take(), server.orders) == ([(1, "internal")], [])
    server.disk_problem = None
    server.ask(2)
    server.forks.restored(server.made())
    assert server.take() == [(2, server.noted[-1][2])]


def test_what_was_noted_is_known_to_the_next_server(tmp_path: Path) -> None:
    forkkeys.note(tmp_path, "a_ada", "k", "w_1")
    forkkeys.note(tmp_path, "a_ada", "k", "w_2")  # the first one did not come to be
    forkkeys.note(tmp_path, "a_bob", "k", "w_3")
    forkkeys.note(tmp_path, "a_bob", "other", "w_4")
    kept = {("a_ada", "k"): "w_2", ("a_bob", "k"): "w_3"}
    assert forkkeys.take_over(tmp_path, {"w_1", "w_2", "w_3"}) == kept
    with (tmp_path / forkkeys.FILE_NAME).open("ab") as file:
        file.write(b'{"agent":"a_ada","ke')  # a full disk
    forkkeys.note(tmp_path, "a_ada", "later", "w_5")
    assert forkkeys.take_over(tmp_path, {"w_2", "w_3", "w_5"}) == kept | {("a_ada", "later"): "w_5"}
    assert forkkeys.take_over(tmp_path, {"w_5"}) == {("a_ada", "later"): "w_5"}
    assert (tmp_path / forkkeys.FILE_NAME).read_text() == '{"agent":"a_ada","key":"later","world":"w_5"}\n'


def test_a_folder_without_forks_has_no_keys(tmp_path: Path) -> None:
    assert forkkeys.take_over(tmp_path, set()) == {}
    assert list(tmp_path.iterdir()) == []
