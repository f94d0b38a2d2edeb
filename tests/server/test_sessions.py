"""Promise: the book of sessions knows exactly who has what, tells each loss nobody asked for, and stays bounded."""

from __future__ import annotations

from server.sessions import LOST_KEPT, SESSIONS_KEPT, SessionBook
from worldline import protocol


def lost(world: str, player: str, reason: str, tick: int) -> protocol.LostPlayer:
    return protocol.LostPlayer(world=world, player=player, reason=reason, tick=tick)


def test_a_session_has_what_was_seated_for_it() -> None:
    book = SessionBook()
    book.seated("s_1", "w_1", "p_1")
    book.seated("s_2", "w_1", "p_2")
    book.seated("s_1", "w_2", "p_1")
    assert book.players("s_1") == [("w_1", "p_1"), ("w_2", "p_1")]
    assert book.players("s_3") == []


def test_who_left_by_itself_has_lost_nothing() -> None:
    book = SessionBook()
    book.seated("s_1", "w_1", "p_1")
    book.unseated("w_1", "p_1", "left", 7)
    assert (book.players("s_1"), book.lost("s_1")) == ([], [])


def test_losses_are_told_again_until_newer_ones_push_them_out() -> None:
    book = SessionBook()
    for number in range(LOST_KEPT + 2):
        book.seated("s_1", f"w_{number}", "p_1")
        book.unseated(f"w_{number}", "p_1", "timeout", number)
    assert book.players("s_1") == []
    assert book.lost("s_1") == [lost(f"w_{number}", "p_1", "timeout", number) for number in range(2, LOST_KEPT + 2)]
    assert book.lost("s_1") == book.lost("s_1")


def test_the_end_of_a_world_is_a_loss_for_everyone_in_it_once() -> None:
    book = SessionBook()
    book.seated("s_1", "w_1", "p_1")
    book.seated("s_2", "w_1", "p_2")
    book.seated("s_2", "w_2", "p_1")
    book.world_ended("w_1", "finished", 99)
    book.unseated("w_1", "p_1", "timeout", 100)
    assert book.lost("s_1") == [lost("w_1", "p_1", "finished", 99)]
    assert book.lost("s_2") == [lost("w_1", "p_2", "finished", 99)]
    assert book.players("s_2") == [("w_2", "p_1")]


def test_the_sessions_with_the_latest_losses_are_remembered() -> None:
    book = SessionBook()
    for number in range(SESSIONS_KEPT + 1):
        book.seated(f"s_{number}", "w_1", f"p_{number}")
        book.unseated("w_1", f"p_{number}", "timeout", number)
    assert book.lost("s_0") == []
    assert len(book.lost("s_1")) == len(book.lost(f"s_{SESSIONS_KEPT}")) == 1
