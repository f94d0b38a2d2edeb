"""Names that the server gives: ``w_`` worlds, ``a_`` agents, ``s_`` sessions, ``v_`` streams to watch, and 10
characters of Crockford base32.

Agents, sessions and streams are random, so that nobody can guess another's. Worlds are named in the order of time: 40
bits of milliseconds since 2024-01-01 and 10 bits that start at random and count. So a list sorted by name is sorted by
age, and no world is named twice while one server runs.

Not here: players (``p_1``, ``p_2`` … are counted by their world).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Final

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u
assert len(ALPHABET) == 32

CHARACTERS: Final = 10
BITS: Final = 5 * CHARACTERS
EPOCH_MS: Final = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_COUNTER_BITS: Final = 10
_RANDOM_BELOW: Final = 1 << (_COUNTER_BITS - 1)  # leaves half of the counter to count in
assert BITS == 40 + _COUNTER_BITS

SEED_LIMIT: Final = 2**53  # seeds are 0 … 2^53-1: exact in every language that reads the log


def encode(number: int) -> str:
    """Write ``number`` (0 … 2^50-1) as 10 characters whose order is the order of the numbers."""
    if not 0 <= number < 1 << BITS:
        raise ValueError(f"an id holds numbers from 0 to 2^{BITS}-1, got {number}")
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(BITS - 5, -1, -5))


def decode(text: str) -> int:
    """Read what `encode` wrote. Raises ValueError for anything else."""
    if len(text) != CHARACTERS:
        raise ValueError(f"an id has {CHARACTERS} characters, got {text!r}")
    number = 0
    for character in text:
        number = number << 5 | ALPHABET.index(character)
    return number


class WorldNames:
    """Gives names to worlds, each later in order than all before it.

    ``existing`` are the names of earlier runs: a clock that was set back then repeats none of them.
    """

    def __init__(self, existing: Iterable[str] = ()) -> None:
        self._last = max(map(_number_of, existing), default=-1)

    def next(self, now_ms: int | None = None) -> str:
        """Return a new name. ``now_ms`` is Unix time in milliseconds, by default the clock's."""
        milliseconds = (time.time_ns() // 1_000_000 if now_ms is None else now_ms) - EPOCH_MS
        candidate = milliseconds << _COUNTER_BITS | secrets.randbelow(_RANDOM_BELOW)
        # Within one millisecond count on; a full counter or a clock set back runs ahead of the clock.
        self._last = max(self._last + 1, candidate)
        return "w_" + encode(self._last)


def _number_of(world: str) -> int:
    """The number in a world's name; -1 for a name that is not ours, which we cannot repeat either."""
    try:
        return decode(world.removeprefix("w_"))
    except ValueError:
        return -1


def new_agent() -> str:
    """Return a new agent's id: 50 random bits."""
    return "a_" + encode(secrets.randbits(BITS))


def agent_from(random_bytes: bytes) -> str:
    """Return the agent's id that follows from bytes as good as random: always the same from the same ones."""
    return "a_" + encode(int.from_bytes(random_bytes[:8], "big") >> (64 - BITS))


def new_session() -> str:
    """Return a new session's id: 50 random bits."""
    return "s_" + encode(secrets.randbits(BITS))


def new_watch() -> str:
    """Return a new stream's id: 50 random bits."""
    return "v_" + encode(secrets.randbits(BITS))


def new_seed() -> int:
    """Return a random seed for a world, 0 … 2^53-1."""
    return secrets.randbelow(SEED_LIMIT)
