"""Every error of the gateway, each with a hint that helps a program and a model alike.

In a hint, text between backquotes is JSON that works: an object with ``type`` is a whole message to send instead,
anything else is a value for the error's ``path``. An error means: nothing happened.

Not here: the errors of shards (``server/shard/replies.py``), and those about places in worlds that gateways share with
shards and the lobby (``server/refusals.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from server import refusals as shared
from server.gateway.admission import Wait
from server.refusals import nearest_names, quoted
from worldline import protocol

SHOWN_CHARACTERS: Final = 60  # of a client's own value, when a message repeats it
MOMENT_MS: Final = 250  # for what passes by itself: an open request gets its reply, a stuck shard catches up
SOON_MS: Final = 1_000


class Refused(Exception):
    """The request is refused with ``error``."""

    def __init__(self, error: protocol.Error) -> None:
        super().__init__(error.code)
        self.error = error


def shown(value: Any) -> str:
    """A client's own value for a message, as JSON, cut short."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        text = str(type(value).__name__)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _refused(
    *,
    re: int | None,
    code: str,
    message: str,
    hint: str,
    path: str | None = None,
    valid: list[str] | None = None,
    data: dict[str, Any] | None = None,
    retry_after_ms: int | None = None,
) -> Refused:
    return Refused(
        protocol.Error(
            re=re,
            code=code,
            message=message,
            hint=hint,
            path=path,
            valid=valid,
            data=data,
            retry_after_ms=retry_after_ms,
        )
    )


def _about(re: int, error: protocol.Error) -> protocol.Error:
    """A shared refusal as the answer to this request."""
    error.re = re
    return error


def close_match(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


# --- mend the message --------------------------------------------------------------------------------


def malformed(reason: str, *, re: int | None = None, path: str | None = None, hint: str | None = None) -> Refused:
    """The frame is no message."""
    example = quoted(protocol.Ping(id=1 if re is None else re))
    return _refused(
        re=re, code="malformed", message=reason, path=path, hint=hint or f"a message is one object, like {example}"
    )


def wrong_frame(text_frame: bool) -> Refused:
    """Text where binary belongs, or the other way round."""
    got, wanted = ("text", "binary") if text_frame else ("binary", "text")
    spoken, other = (
        (protocol.MSGPACK_SUBPROTOCOL, protocol.JSON_SUBPROTOCOL)
        if text_frame
        else (protocol.JSON_SUBPROTOCOL, protocol.MSGPACK_SUBPROTOCOL)
    )
    example = quoted(protocol.Ping(id=1))
    return malformed(
        f"this connection speaks {spoken}: {wanted} frames, got a {got} frame",
        hint=f"send {example} in a {wanted} frame, or connect with the subprotocol {other} for {got} frames",
    )


def unknown_type(name: str, re: int | None) -> Refused:
    """There is no such request."""
    valid = nearest_names(name, protocol.REQUEST_TYPES)
    meant = close_match(name, protocol.REQUEST_TYPES) or str(protocol.Ping.__struct_config__.tag)
    return _refused(
        re=re,
        code="unknown_type",
        message=f"there is no request of type {shown(name)}",
        hint=f"did you mean {quoted(meant)}?",
        path="type",
        valid=valid,
    )


def invalid(path: str, message: str, example: Any, *, re: int | None = None, valid: list[str] | None = None) -> Refused:
    """One value of the request is wrong; ``example`` works there."""
    return _refused(re=re, code="invalid_args", message=message, hint=f"try {quoted(example)}", path=path, valid=valid)


def unknown_watch(watch: str, mine: list[str], re: int) -> Refused:
    """This client watches no such stream; ``mine`` are those that it does."""
    running = quoted(protocol.Worlds(id=re, status="running"))
    hint = f"did you mean {quoted(nearest_names(watch, mine)[0])}?" if mine else f"watch one of these first: {running}"
    return _refused(
        re=re,
        code="unknown_watch",
        message=f"you watch nothing under the name {shown(watch)}",
        hint=hint,
        path="watch",
        valid=nearest_names(watch, mine),
    )


def replayer_died(retry_after_ms: int) -> protocol.Error:
    """What shows what has been has died while it looked for that, more than once."""
    return protocol.Error(
        code="overloaded",
        message="the process that shows what has been has died while it looked for that",
        hint="send the same request again after retry_after_ms; if it stays so, tell the operator",
        retry_after_ms=retry_after_ms,
    )


def too_many_watches(most: int, mine: list[str], re: int) -> Refused:
    """This client watches as much as one connection may."""
    stop = quoted(protocol.Control(id=re, watch=mine[0], action="stop"))
    return _refused(
        re=re,
        code="too_many_open",
        message=f"this connection watches {most} streams, as many as it may",
        hint=f"end one of them first: {stop}",
        valid=mine,
        retry_after_ms=SOON_MS,
    )


def input_like(path: str, message: str, example: protocol.Input) -> Refused:
    """Name or args of an input are wrong; ``example`` is a whole input that works."""
    return _refused(
        re=example.id, code="invalid_args", message=message, hint=f"this works: {quoted(example)}", path=path
    )


def join_first(message: str, game: str, re: int) -> Refused:
    """The request needs a world, and this client plays in none."""
    return _refused(
        re=re,
        code="invalid_args",
        message=message,
        hint=f"join one first: {quoted(protocol.Join(id=re, game=game))}",
        path="world",
    )


def note_too_large(size_bytes: int, re: int, path: str = "note") -> Refused:
    """The note does not fit."""
    return _refused(
        re=re,
        code="too_large",
        message=f"{path} has {size_bytes} bytes of UTF-8; at most {protocol.MAX_NOTE_BYTES} are kept",
        hint=f"say it shorter: {quoted('in short: …')}",
        path=path,
        data={"limit_bytes": protocol.MAX_NOTE_BYTES},
    )


def reply_too_large(size_bytes: int, limit_bytes: int) -> protocol.Error:
    """The answer does not fit into one message."""
    return protocol.Error(
        code="too_large",
        message=f"the reply would have {size_bytes} bytes; at most {limit_bytes} are sent",
        hint='ask for less: a smaller "limit", or "format":"text"',
        data={"limit_bytes": limit_bytes},
    )


def hello_required(re: int) -> Refused:
    """Requests before `hello`."""
    return _refused(
        re=re,
        code="hello_required",
        message="the first message of a connection is hello",
        hint=f"send {quoted(protocol.Hello(id=re))} first",
    )


def unauthorized(why: str, re: int) -> Refused:
    """Nobody is let in like this."""
    return _refused(
        re=re,
        code="unauthorized",
        message=why,
        hint="connect again with a token of this server; its operator makes one: worldline tokens create NAME",
        path="token",
    )


def forbidden(what: str, role: str, needed: str, re: int) -> Refused:
    """One of this role may not do this."""
    return _refused(
        re=re,
        code="forbidden",
        message=f"{what} needs the role {needed}, and you are {role} here",
        hint=f"connect with a token of that role; meanwhile see who plays: {quoted(protocol.Worlds(id=re))}",
        path="type",
        data={"needs_role": needed},
    )


def second_hello(re: int) -> Refused:
    """One connection, one hello."""
    return _refused(
        re=re,
        code="invalid_args",
        message="this connection has said hello already",
        hint=f"go on with {quoted(protocol.Games(id=re))}; for another name, open another connection",
        path="type",
    )


def id_in_use(number: int, free: int) -> Refused:
    """Two open requests with one id. The reply's `re` is that id: the first one's reply still comes, too."""
    return invalid("id", f"a request with id {number} is still open", free, re=number)


def unknown_game(name: str, known: Iterable[str], re: int, path: str = "game") -> Refused:
    """There is no such game here."""
    return Refused(_about(re, shared.unknown_game(name, known, path=path)))


def unknown_world(name: str, near: list[str], re: int) -> protocol.Error:
    """There is no such world here, and there was none that is still remembered."""
    return _about(re, shared.unknown_world(name, near, re))


def unknown_player(name: str, world: str, mine: list[str], re: int, path: str = "player") -> Refused:
    """You drive no such player in this world."""
    return _refused(
        re=re,
        code="unknown_player",
        message=f"you have no player {shown(name)} in world {world}",
        hint=f"did you mean {quoted(nearest_names(name, mine)[0])}? (leave it out when you drive only one)",
        path=path,
        valid=nearest_names(name, mine),
    )


# --- not possible as things stand --------------------------------------------------------------------


def not_joined(world: str, re: int) -> protocol.Error:
    """The world exists, but this client has no seat in it."""
    return protocol.Error(
        re=re,
        code="not_joined",
        message=f"you have no seat in world {world}",
        hint=f"join it first: {quoted(protocol.Join(id=re, world=world))}",
        path="world",
    )


def world_ended(world: str, status: str, reason: str, game: str, re: int) -> protocol.Error:
    """The world takes nothing more."""
    return _about(re, shared.world_ended(world, game, status, reason, re))


def place_lost(game: str, re: int) -> protocol.Error:
    """The world that the lobby chose has ended or filled up before the agent was seated."""
    return protocol.Error(
        re=re,
        code="overloaded",
        message=f"the world of {game} that was chosen for you has just gone",
        hint=f"send the same again in {MOMENT_MS} ms: you get another",
        retry_after_ms=MOMENT_MS,
    )


def fate_unknown(world: str, re: int) -> protocol.Error:
    """The shard died with this input, which had no seq: it can be neither answered nor repeated."""
    return protocol.Error(
        re=re,
        code="internal",
        message="the process that had this request has died; without seq or at_tick nobody can say whether it was done",
        hint=f"look first: {quoted(protocol.Observe(id=re, world=world))}; an input with a seq is repeated for you",
        data={"reference": world},
    )


# --- the same may succeed later ----------------------------------------------------------------------


def rate_limited(wait: Wait, re: int) -> Refused:
    """Too many requests."""
    where = "over all connections of your agent" if wait.of_agent else "here"
    return _refused(
        re=re,
        code="rate_limited",
        message=f"at most {wait.rate_hz:g} requests a second {where}, {wait.burst} at once after a pause",
        hint=f"send the same again in {wait.wait_ms} ms",
        retry_after_ms=wait.wait_ms,
    )


def too_many_connections(limit: int, re: int) -> Refused:
    """The agent has as many connections as one may have."""
    return _refused(
        re=re,
        code="overloaded",
        message=f"{limit} connections of this agent are open, as many as one may have",
        hint=f"close one, or drive several players over one; then send the same again in {SOON_MS} ms",
        retry_after_ms=SOON_MS,
    )


def too_many_open(limit: int, re: int) -> Refused:
    """Too many requests wait for their reply."""
    return _refused(
        re=re,
        code="too_many_open",
        message=f"{limit} of your requests wait for their replies",
        hint="read replies before you send more; then send the same again",
        retry_after_ms=MOMENT_MS,
    )


def overloaded(what: str, re: int) -> protocol.Error:
    """Something is behind with its work."""
    return protocol.Error(
        re=re,
        code="overloaded",
        message=what,
        hint=f"send the same again in {SOON_MS} ms",
        retry_after_ms=SOON_MS,
    )


def draining(re: int, wait_ms: int) -> protocol.Error:
    """The server is about to stop."""
    return protocol.Error(
        re=re,
        code="draining",
        message="the server is about to stop",
        hint=f"connect again in {wait_ms} ms",
        retry_after_ms=wait_ms,
    )


def internal(reference: str, re: int | None) -> protocol.Error:
    """Something of ours failed; ``reference`` finds it in the server's log."""
    return protocol.Error(
        re=re,
        code="internal",
        message="the server failed to handle this",
        hint=f"send the same again in {SOON_MS} ms; if it fails again, tell the operator the reference {reference}",
        data={"reference": reference},
        retry_after_ms=SOON_MS,
    )
