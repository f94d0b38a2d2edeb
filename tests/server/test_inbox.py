"""The inbox keeps arrival order, is bounded, and knows which seqs wait in it."""

from typing import Any, cast

from server.shard.inbox import (
    INBOX_LIMIT,
    INBOX_LIMIT_BYTES,
    Asker,
    Inbox,
    InputAsker,
    JoinAsker,
    Pending,
    PendingInput,
    PendingJoin,
    PendingLeave,
)

NOBODY = Asker(cast(Any, None), 0)


def an_input(player: str, seq: int, size_bytes: int = 10) -> PendingInput:
    return PendingInput(player, seq, "move", {}, None, None, 0, [InputAsker(NOBODY, False, 1)], size_bytes)


def a_join(agent: str) -> PendingJoin:
    return PendingJoin([JoinAsker(NOBODY, "s_1", False, ())], agent, "s_1", agent)


def test_what_comes_first_is_applied_first() -> None:
    inbox = Inbox()
    arrived: list[Pending] = [
        a_join("a_1"),
        an_input("p_1", 1),
        PendingLeave(None, "p_1", "timeout"),
        an_input("p_2", 1),
    ]
    for pending in arrived:
        inbox.put(pending)
    assert inbox.drain() == arrived
    assert inbox.drain() == []


def test_the_expected_seq_counts_what_waits() -> None:
    inbox = Inbox()
    assert inbox.expected_seq("p_1", next_seq=5) == 5
    inbox.put(an_input("p_1", 5))
    inbox.put(an_input("p_2", 1))
    assert inbox.expected_seq("p_1", next_seq=5) == 6
    assert inbox.expected_seq("p_2", next_seq=1) == 2
    assert inbox.waiting("p_1", 5) is not None
    assert inbox.waiting("p_1", 6) is None
    inbox.drain()
    assert inbox.expected_seq("p_1", next_seq=6) == 6
    assert inbox.waiting("p_1", 5) is None


def test_a_full_inbox_says_so() -> None:
    inbox = Inbox()
    for seq in range(1, INBOX_LIMIT + 1):
        assert not inbox.full
        inbox.put(an_input("p_1", seq))
    assert inbox.full


def test_an_inbox_full_of_bytes_says_so() -> None:
    inbox = Inbox()
    for seq in range(1, INBOX_LIMIT_BYTES // 65_536 + 1):
        assert not inbox.full
        inbox.put(an_input("p_1", seq, size_bytes=65_536))
    assert inbox.full
    inbox.drain()
    assert not inbox.full


def test_who_is_about_to_come_or_go_is_known() -> None:
    inbox = Inbox()
    inbox.put(a_join("a_1"))
    inbox.put(PendingLeave(None, "p_1", "timeout"))
    assert inbox.joins_waiting == 1
    assert len(inbox.joins_of("a_1")) == 1
    assert inbox.joins_of("a_2") == []
    assert inbox.leave_waiting("p_1")
    assert not inbox.leave_waiting("p_2")
