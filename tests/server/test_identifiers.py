"""Promise: names are well formed, worlds are named in the order of time and never twice, seeds are exact everywhere."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.identifiers import BITS, EPOCH_MS, WorldNames, decode, encode, new_agent, new_seed, new_session

NAME = re.compile(r"[was]_[0-9abcdefghjkmnpqrstvwxyz]{10}")
numbers = st.integers(0, 2**BITS - 1)


@given(numbers, numbers)
def test_the_order_of_names_is_the_order_of_numbers(one: int, other: int) -> None:
    assert (encode(one) < encode(other)) == (one < other)
    assert decode(encode(one)) == one


@pytest.mark.parametrize("number", [-1, 2**BITS])
def test_what_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="an id holds"):
        encode(number)


@pytest.mark.parametrize("text", ["", "0123", "0123456789a", "0123456o89"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)


@given(st.lists(st.integers(EPOCH_MS, EPOCH_MS + 10_000), min_size=2, max_size=40))
def test_each_world_is_named_after_all_before_it_however_the_clock_jumps(clock_ms: list[int]) -> None:
    names = WorldNames()
    given_names = [names.next(now_ms) for now_ms in clock_ms]
    assert all(earlier < later for earlier, later in itertools.pairwise(given_names))


def test_a_thousand_worlds_of_one_millisecond_have_different_names() -> None:
    names = WorldNames()
    assert len({names.next(EPOCH_MS + 5) for _ in range(3000)}) == 3000


def test_names_of_an_earlier_run_are_not_given_again() -> None:
    before = WorldNames()
    names = [before.next(EPOCH_MS + 1_000_000) for _ in range(10)]
    assert WorldNames(["w_foreign!", *names, "lost+found"]).next(EPOCH_MS) > max(names)


def test_a_name_holds_the_time() -> None:
    name = WorldNames().next(EPOCH_MS + 123_456_789)
    assert decode(name.removeprefix("w_")) >> 10 == 123_456_789


def test_names_look_as_promised() -> None:
    for name in (WorldNames().next(), new_agent(), new_session()):
        assert NAME.fullmatch(name), name
    assert len({new_agent() for _ in range(1000)} | {new_session() for _ in range(1000)}) == 2000


def test_seeds_are_exact_in_every_language() -> None:
    assert all(0 <= new_seed() < 2**53 for _ in range(1000))
