"""Promise: random numbers are a function of the seed, spread evenly, and independent from stream to stream."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from tests.games.small import error_of, run

WORD = 2**32 - 1
TEN = "local list = {} for i = 1, 10 do list[i] = world.random(1000) end return list"


def mix(x: int) -> int:
    """The finaliser of MurmurHash3."""
    x ^= x >> 16
    x = x * 0x85EBCA6B & WORD
    x ^= x >> 13
    x = x * 0xC2B2AE35 & WORD
    return x ^ (x >> 16)


def seeded(name: str, seed: int) -> list[int]:
    """The first state of a stream: four words drawn from an FNV-1a hash of its name, mixed with the world's seed."""
    x = 0x811C9DC5
    for byte in name.encode():
        x = (x ^ byte) * 16777619 & WORD
    x = mix(x ^ seed & WORD) ^ (seed >> 32)
    return [mix(x := x + 0x9E3779B9 & WORD) for _ in range(4)]


def fractions(name: str, seed: int) -> Iterator[float]:
    """xoshiro128**, as Blackman and Vigna publish it; two words make a fraction of 53 bits."""
    s = seeded(name, seed)

    def rotated(x: int, by: int) -> int:
        return (x << by | x >> 32 - by) & WORD

    def word() -> int:
        result, t = rotated(s[1] * 5 & WORD, 7) * 9 & WORD, s[1] << 9 & WORD
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotated(s[3], 11)
        return result

    while True:
        yield ((word() >> 5) * 2**26 + (word() >> 6)) / 2**53


@pytest.mark.parametrize("seed", [0, 1, 77, 2**31, 2**32, 2**53 - 1])
def test_the_numbers_are_those_of_a_second_implementation(seed: int) -> None:
    lua = "local list, draw = {}, world.stream(v.name) for i = 1, 1000 do list[i] = draw() end return list"
    for name in ("main", "relics", "ä"):
        assert run(lua, seed=seed, name=name) == list(islice(fractions(name, seed), 1000))
    assert run(TEN, seed=seed) == [1 + int(fraction * 1000) for fraction in islice(fractions("main", seed), 10)]


def test_the_numbers_of_a_seed_never_change() -> None:
    """Every log ever written depends on these."""
    assert run(TEN, seed=1) == [179, 18, 797, 613, 515, 241, 863, 349, 758, 850]


def test_another_seed_gives_other_numbers() -> None:
    found = {tuple(run(TEN, seed=seed)) for seed in [0, 1, 2, 3, 2**32, 2**32 + 1, 2**53 - 1]}
    assert len(found) == 7


def test_math_random_is_world_random() -> None:
    mixed = (
        "local list = {} for i = 1, 10 do list[i] = (i % 2 == 0 and math.random or world.random)(1000) end return list"
    )
    assert run(mixed) == run(TEN)


def test_streams_are_independent_of_each_other() -> None:
    lua = """
    local relics, list = world.stream("relics"), {}
    for i = 1, 10 do
      for _ = 1, v.disturb do world.random() world.stream("other")(6) end
      list[i] = relics(1000)
    end
    return list
    """
    assert run(lua, disturb=0) == run(lua, disturb=3)
    assert run(lua, disturb=0) != run(TEN)


def test_a_stream_goes_on_where_it_was() -> None:
    lua = "local list = {} for i = 1, 4 do list[i] = world.stream('s'):random(1000) end return list"
    assert len(set(run(lua))) == 4


def test_numbers_are_spread_evenly() -> None:
    counts = run("local c = {0,0,0,0,0,0} for i = 1, 60000 do local n = world.random(6) c[n] = c[n] + 1 end return c")
    # Five standard deviations around 10,000.
    assert all(abs(count - 10_000) < 460 for count in counts)
    low, high, mean = run(
        """
        local low, high, sum = 1, 0, 0
        for i = 1, 100000 do local r = world.random() low, high, sum = math.min(low, r), math.max(high, r), sum + r end
        return {low, high, sum / 100000}
        """
    )
    assert 0 <= low < 0.001
    assert 0.999 < high < 1
    assert abs(mean - 0.5) < 0.005


def test_ranges_hold_both_ends() -> None:
    found = run("local s = {} for i = 1, 500 do s[tostring(world.random(-2, 2))] = true end return s")
    assert set(found) == {"-2", "-1", "0", "1", "2"}


def test_shuffle_keeps_what_is_in_the_list() -> None:
    shuffled = run("local l = {} for i = 1, 50 do l[i] = i end return world.shuffle(l)")
    assert sorted(shuffled) == list(range(1, 51))
    assert shuffled != list(range(1, 51))


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("world.random(0)", "no number in that range"),
        ("world.random(3, 2)", "no number in that range"),
        ("world.random(1.5)", "whole numbers"),
        ("world.random('6')", "whole numbers"),
        ("math.randomseed(1)", "attempt to call"),
        ("world.stream()", "wants a name"),
        ("world.stream('s').foo()", "a stream has no foo"),
        ("world.shuffle(5)", "wants a table"),
    ],
)
def test_wrong_use_is_named(lua: str, says: str) -> None:
    assert says in error_of(lua)
