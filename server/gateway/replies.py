"""From a message to bytes, and what becomes of a message that is too much for its reader.

An outcome is never withheld: it has happened. What can be asked for again - an observation, a list - gives way instead.
"""

from __future__ import annotations

from typing import Final

import msgspec

from server.gateway import refusals
from server.gateway.decoding import Encoding
from worldline import protocol

_encoders: Final = {"json": msgspec.json.Encoder().encode, "msgpack": msgspec.msgpack.Encoder().encode}


_CAN_BE_ASKED_FOR_AGAIN: Final = (
    protocol.Observation,
    protocol.WorldsReply,
    protocol.GamesReply,
    protocol.RulesReply,
    protocol.LogReply,
    protocol.StateReply,
)


def encode(message: protocol.Reply, encoding: Encoding) -> bytes:
    """A message as it goes out."""
    return _encoders[encoding](message)


def fitting(message: protocol.Reply, encoding: Encoding, limit_bytes: int) -> bytes:
    """A reply as it goes out, at most ``limit_bytes`` long: else without its observation, or `too_large` instead."""
    data = encode(message, encoding)
    if len(data) <= limit_bytes:
        return data
    error = refusals.reply_too_large(len(data), limit_bytes)
    error.re = message.re
    if isinstance(message, protocol.Outcome):
        # It is in the log already: the agent must learn of it, if need be without its details.
        message.observation, message.result = None, None
        message.hint = error.hint
        return encode(message, encoding)
    if isinstance(message, protocol.Joined | protocol.Acted) and _without_observations(message):
        message.hint = error.hint
        return encode(message, encoding)
    return encode(error, encoding)


def without_waiting(message: protocol.Reply) -> protocol.Reply:
    """The smallest form of a reply to a client that does not read: what can be asked for again is left out."""
    if isinstance(message, protocol.Outcome | protocol.Joined | protocol.Acted):
        if _without_observations(message):
            message.hint = message.hint or "replies waited unread: the observation was left out; observe again"
        return message
    if isinstance(message, _CAN_BE_ASKED_FOR_AGAIN):
        return refusals.overloaded("too many replies wait unread on this connection", message.re or 0)
    return message


def _without_observations(message: protocol.Outcome | protocol.Joined | protocol.Acted) -> bool:
    """Leave out what was seen; whether there was anything."""
    if isinstance(message, protocol.Acted):
        seen, message.observations = message.observations, None
        return seen is not None
    seated = message.players or [] if isinstance(message, protocol.Joined) else []
    had = message.observation is not None or any(player.observation is not None for player in seated)
    message.observation = None
    for player in seated:
        player.observation = None
    return had
