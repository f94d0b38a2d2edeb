"""Who is it that says hello: a token's agent, a session that goes on, or a guest.

A token proves an agent. A session that is resumed keeps its agent, as long as that agent still has its token, or guests
are still let in; so what an operator takes away is gone at the next hello at the latest.

Not here: what a role may do (``permissions``), and what a session gets back (``greeting``).
"""

from __future__ import annotations

import hmac
from typing import Final

import msgspec

from server.config import Guests
from server.gateway import resume
from server.identifiers import new_agent
from server.tokens import TokenBook, TokenRecord
from worldline import protocol

UNKNOWN_TOKEN: Final = "this token is not known here: it is mistyped, revoked, or another server's"
_BEARER: Final = "bearer"


class Unauthorized(Exception):
    """Nobody is let in like this; the argument says why, for the client."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who it is. ``session`` is the one that goes on, None for a new one."""

    agent: str
    name: str
    role: protocol.Role
    guest: bool
    session: str | None = None


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads over plain HTTP. ``agent`` is proved by a token, None for guests; ``role`` is None where there are no
    guests."""

    agent: str | None
    role: protocol.Role | None


class Door:
    """Lets people in: with the tokens of a data folder, and as guests if ``guests`` says so."""

    def __init__(self, tokens: TokenBook, guests: Guests, secret: bytes, bots_token: str = "") -> None:
        """``bots_token``: what the server's own bots show; empty if it has none."""
        self._bots_token = bots_token.encode()
        self._tokens = tokens
        self._guests = guests
        self._secret = secret
        self._changes_seen = 0

    def identify(self, hello: protocol.Hello, header: str | None, now_s: float) -> Person:
        """Who says this hello. ``header`` is the upgrade's Authorization; a token in the hello goes before it.

        Raises Unauthorized.
        """
        self._tokens.refresh()  # a token that was made just now is good, one that was revoked just now is not
        token = hello.token if hello.token is not None else bearer(header)
        earlier = None if hello.resume is None else resume.read(hello.resume, self._secret, now_s)
        if token is not None and self._bots_token and hmac.compare_digest(token.encode(), self._bots_token):
            return _bot(hello, earlier)
        if token is not None:
            record = self._tokens.find(token)
            if record is None:
                raise Unauthorized(UNKNOWN_TOKEN)
            return _proved(record, earlier)
        if earlier is not None and not earlier.guest:
            record = self._tokens.of_agent(earlier.agent)
            if record is not None:
                return _proved(record, earlier)
            earlier = None  # its token was revoked: as good as expired
        if self._guests == "none":
            raise Unauthorized("nobody is let in here without a token")
        if earlier is not None:
            return Person(
                agent=earlier.agent, name=earlier.name, role=self._guests, guest=True, session=earlier.session
            )
        agent = new_agent()
        return Person(agent=agent, name=hello.name or f"guest-{agent[-4:]}", role=self._guests, guest=True)

    def visitor(self, header: str | None) -> Visitor:
        """Who sends a plain HTTP request with this Authorization header. Raises Unauthorized for an unknown token."""
        token = bearer(header)
        if token is None:
            return Visitor(agent=None, role=None if self._guests == "none" else self._guests)
        self._tokens.refresh()
        record = self._tokens.find(token)
        if record is None:
            raise Unauthorized(UNKNOWN_TOKEN)
        return Visitor(agent=record.agent, role=record.role)

    def changed(self) -> bool:
        """Look for new and revoked tokens; whether there were any since this was asked last."""
        self._tokens.refresh()
        before, self._changes_seen = self._changes_seen, self._tokens.changes
        return self._changes_seen != before

    def role_now(self, agent: str) -> protocol.Role | None:
        """What the agent of a token may be now; None if the token was revoked."""
        record = self._tokens.of_agent(agent)
        return None if record is None else record.role


def bearer(header: str | None) -> str | None:
    """The token in an Authorization header. Other schemes are a proxy's business."""
    scheme, _, token = (header or "").strip().partition(" ")
    return token.strip() if scheme.lower() == _BEARER else None


def _bot(hello: protocol.Hello, earlier: resume.Identity | None) -> Person:
    """One of the server's own bots: each connection is an agent of its own, or goes on as the one it was."""
    if earlier is not None and earlier.guest:
        return Person(agent=earlier.agent, name=earlier.name, role="agent", guest=True, session=earlier.session)
    agent = new_agent()
    return Person(agent=agent, name=hello.name or f"bot-{agent[-4:]}", role="agent", guest=True)


def _proved(record: TokenRecord, earlier: resume.Identity | None) -> Person:
    """The agent of a token; its session goes on only if it is its own."""
    mine = earlier is not None and earlier.agent == record.agent
    return Person(
        agent=record.agent,
        name=record.name,
        role=record.role,
        guest=False,
        session=earlier.session if mine and earlier is not None else None,
    )
