"""The code with which a private world is joined: proof that its owner has given it away.

It is made of the world's name and the data folder's secret, so nothing is stored, and any gateway knows it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

CODE_CHARACTERS: Final = 10  # 50 bits: nobody guesses it at the rate at which one may ask


def join_code(world: str, secret: bytes) -> str:
    """Return the code of a world."""
    digest = hmac.new(secret, f"join {world}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:CODE_CHARACTERS]


def opens(code: str | None, world: str, secret: bytes) -> bool:
    """Whether this is the code of ``world``."""
    return code is not None and hmac.compare_digest(code.encode(), join_code(world, secret).encode())
