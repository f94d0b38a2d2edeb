"""The chain behind a world's fingerprint: a digest of a stream of bytes that can be stopped, saved and gone on with.

hashlib cannot save a digest half-way, so the stream is cut into blocks at fixed places: what came before the current
block is one digest, the block itself is kept as it is. Invariant: the result depends on the bytes and on where records
end, not on the pieces in which the bytes came.
"""

from __future__ import annotations

import hashlib
from typing import Final

DIGEST_BYTES: Final = 8
BLOCK_BYTES: Final = 65536
"""A snapshot holds less than this of the stream; records are rarely longer."""


class Chain:
    """``digest`` covers all blocks and records before, ``pending`` is what came after them."""

    def __init__(self, digest: bytes = b"", pending: bytes = b"") -> None:
        self.digest = digest
        self.pending = bytearray(pending)

    def add(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self.pending += data
        while len(self.pending) >= BLOCK_BYTES:
            self.digest = self._digest_of(self.pending[:BLOCK_BYTES])
            del self.pending[:BLOCK_BYTES]

    def end_record(self) -> bytes:
        """Return the digest of everything up to here, and begin a new record after it."""
        self.digest = self._digest_of(self.pending)
        self.pending.clear()
        return self.digest

    def _digest_of(self, block: bytearray) -> bytes:
        digest = hashlib.blake2b(self.digest, digest_size=DIGEST_BYTES)
        digest.update(block)
        return digest.digest()
