"""Resume tokens: what a client shows to go on with its session on another connection. Pure functions.

A token is ``BODY.SIGNATURE`` in ASCII: both unpadded base64url; the body is one MessagePack array [format, session,
agent, name, guest, expires_s], the signature HMAC-SHA256 of the body's text with the data folder's secret. Nothing is
stored and nothing rotates: any gateway, and any later process with the same secret, accepts a token until it expires.

Not here: what the session drives (the lobby knows), what its agent may do (``identity``), and who keeps the secret
(``server/startup.py``).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Literal

import msgspec

TOKEN_FORMAT: Final = 2
TOKEN_LIFE_S: Final = 24 * 3600
"""How long after a welcome its token is accepted. Each welcome brings a new one; older ones keep their own time."""

_encode = msgspec.msgpack.Encoder().encode


class Identity(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a token says, in the order in which it is written. ``guest``: the agent has no token of its own to prove it.
    ``expires_s`` is Unix time."""

    format: Literal[2] = TOKEN_FORMAT
    session: str
    agent: str
    name: str
    guest: bool
    expires_s: int


_decode = msgspec.msgpack.Decoder(Identity).decode


def sign(identity: Identity, secret: bytes) -> str:
    """Write a token."""
    body = _text(_encode(identity))
    return f"{body}.{_signature(body, secret)}"


def read(token: str, secret: bytes, now_s: float) -> Identity | None:
    """What a token says; None if it is not one of ours, was changed, or has expired. ``now_s`` is Unix time."""
    body, _, signature = token.partition(".")
    # Compared as text: of the several spellings that base64 allows for the same bytes only ours is right.
    if not hmac.compare_digest(_bytes(_signature(body, secret)), _bytes(signature)):
        return None
    try:
        identity = _decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, msgspec.DecodeError):
        return None  # signed by a version with another format
    return identity if now_s < identity.expires_s else None


def _signature(body: str, secret: bytes) -> str:
    return _text(hmac.digest(secret, _bytes(body), "sha256"))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    # A token comes from outside: whatever it holds, it has bytes to compare.
    return text.encode("utf-8", "surrogatepass")
