"""May this input be taken? The rules that stand between a request and the inbox: seats, arguments, `seq`, and
whose turn it is.

Decisions about one world and its inbox. A refusal here is before the log: nothing happened, the seq is free.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec

from games.errors import ArgumentProblem
from games.runtime.players import InputOutcome, input_digest
from games.runtime.world import World
from server import messages
from server.shard import replies
from server.shard.inbox import Inbox, InputAsker, PendingInput
from server.shard.pace import Pace
from worldline import protocol

_encode = msgspec.msgpack.Encoder().encode


class Taken(NamedTuple):
    """A new input, for the next tick."""

    seq: int
    args: dict[str, Any]


class Waiting(NamedTuple):
    """The same input waits already: this request gets its outcome too."""

    pending: PendingInput


class Again(NamedTuple):
    """The same input was applied before, with this outcome."""

    outcome: InputOutcome


Verdict = Taken | Waiting | Again | protocol.Error


def pending_input(message: messages.PlayerInput, taken: Taken, asker: InputAsker) -> PendingInput:
    """An input that has been taken, as it waits for its tick."""
    return PendingInput(
        player=message.player,
        seq=taken.seq,
        name=message.name,
        args=taken.args,
        note=message.note,
        seen_tick=message.seen_tick,
        received_ms=time.time_ns() // 1_000_000,
        askers=[asker],
        size_bytes=len(_encode(taken.args)) + 4 * len(message.note or ""),
    )


def judge(
    world: World,
    inbox: Inbox,
    pace: Pace,
    message: messages.PlayerInput,
    status: protocol.WorldStatus,
) -> Verdict:
    """Say what becomes of an input."""
    player = world.players.get(message.player)
    if player is None or inbox.leave_waiting(message.player):
        return replies.not_joined(message.player, world.id)
    manifest = world.code.manifest
    if status == "waiting":
        return replies.not_started(world.id, len(world.players), manifest.min_players)
    try:
        args = manifest.check_input(message.name, message.args)
    except ArgumentProblem as problem:
        return replies.bad_arguments(problem)
    expected = inbox.expected_seq(message.player, player.next_seq)
    if message.seq is not None and message.seq != expected:
        return _repeated(world, inbox, message, args, message.seq, expected)
    refusal = _out_of_time(world, pace, message) or _out_of_turn(world, inbox, pace, message.player)
    if refusal is not None:
        return refusal
    wait_ms = pace.too_often_ms(message.player)
    if wait_ms is not None:
        return replies.rate_limited(message.player, wait_ms)
    if inbox.full:
        return replies.overloaded(world.id, len(inbox), pace.retry_after_ms)
    return Taken(expected, args)


def _out_of_time(world: World, pace: Pace, message: messages.PlayerInput) -> protocol.Error | None:
    """A move that was decided on an old board is not played on a new one, unless its agent says so."""
    expires_tick = message.expires_tick
    if expires_tick is None and pace.one_each and message.seen_tick is not None:
        expires_tick = message.seen_tick + 1
    if expires_tick is not None and expires_tick <= world.tick:
        return replies.too_late(expires_tick, world.tick)
    return None


def _out_of_turn(world: World, inbox: Inbox, pace: Pace, player: str) -> protocol.Error | None:
    if pace.one_each:
        if not pace.awaits(player):
            return replies.not_your_turn(player, world, pace.waiting_for)
        if player in inbox.acting:
            return replies.already_acted(player, world.tick + 1)
    return None


def _repeated(
    world: World, inbox: Inbox, message: messages.PlayerInput, args: dict[str, Any], seq: int, expected: int
) -> Waiting | Again | protocol.Error:
    """A seq that is not the next one: it waits, was applied before, or is a mistake."""
    waiting = inbox.waiting(message.player, seq)
    first = world.first_outcome(message.player, seq)
    if seq > expected:
        return replies.seq_gap(seq, expected)
    if waiting is not None and (waiting.name, waiting.args) == (message.name, args):
        return Waiting(waiting)
    if first is not None and first.digest == input_digest(message.name, args):
        return Again(first)
    if waiting is not None or first is not None:
        return replies.seq_used(seq, expected)
    oldest = min(world.players[message.player].outcomes, default=expected)
    return replies.seq_forgotten(seq, expected, oldest)
