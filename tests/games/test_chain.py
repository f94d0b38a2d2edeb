"""Promise: a chain that was saved goes on as if it had not been, and cares for bytes and records, not for pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from games.runtime.chain import BLOCK_BYTES, Chain

PIECES = st.lists(st.integers(0, BLOCK_BYTES * 2), max_size=6)


def fed(stream: bytes, cuts: list[int], *, save: bool = False) -> Chain:
    """A chain that got the stream in pieces of these sizes, saved and restored between them if asked."""
    chain, at = Chain(), 0
    for size in [*cuts, len(stream)]:
        chain.add(stream[at : at + size])
        at += size
        if save:
            assert len(chain.pending) < BLOCK_BYTES
            chain = Chain(chain.digest, bytes(chain.pending))
    return chain


@given(st.integers(0, BLOCK_BYTES * 3), PIECES)
def test_pieces_and_saving_change_nothing(length: int, cuts: list[int]) -> None:
    stream = bytes(range(256)) * (length // 256) + bytes(range(length % 256))
    whole, pieces, saved = fed(stream, []), fed(stream, cuts), fed(stream, cuts, save=True)
    for _ in range(2):
        assert whole.end_record() == pieces.end_record() == saved.end_record()


def test_every_byte_and_every_end_of_a_record_counts() -> None:
    stream = b"x" * (BLOCK_BYTES * 2 + 100)
    digests = {fed(stream, []).end_record()}
    for at in (0, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES * 2, len(stream) - 1):
        digests.add(fed(stream[:at] + b"y" + stream[at + 1 :], []).end_record())
    ended = Chain()
    ended.add(stream[:10])
    ended.end_record()
    ended.add(stream[10:])
    digests |= {ended.end_record(), fed(stream + b"x", []).end_record(), fed(stream[:-1], []).end_record()}
    assert len(digests) == 9
