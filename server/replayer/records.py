"""What a log holds and how a world stood, as data: the answers to ``log`` and ``state``.

Not here: who may ask (sight), and how a replay gets to a tick (travel).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from eventlog.chain import StoredRecord
from eventlog.errors import LogDamaged
from eventlog.intact import Intact
from eventlog.json_form import json_form
from eventlog.reader import between, read_world, read_world_from, stands_in
from eventlog.selection import KINDS, Selection
from eventlog.snapshots import Snapshots
from eventlog.worldbytes import WorldBytes
from games.runtime.plain import NoSuchPath, parse_path, plain_state, walk
from replays.replay import Replay
from replays.seeing import hash_of
from server import messages, refusals
from server.replayer.chronicle import Chronicle
from server.replayer.sight import NotShown, check_tick
from worldline import protocol

PAGE_BYTES: Final = 512 * 1024
"""Of records in one answer; the records of one tick are never parted."""
STATE_BYTES: Final = 900 * 1024
"""Of JSON: with what stands around it, still below what a client takes."""
FORMS_AT_ONCE: Final = 100

_encode = msgspec.json.Encoder().encode


def selection_of(order: messages.ReadLog) -> Selection:
    """Which part of the log is meant, of whatever ticks. Raises `NotShown`."""
    for kind in order.kinds or ():
        if kind not in KINDS:
            valid = refusals.nearest_names(kind, KINDS)
            raise NotShown(
                protocol.Error(
                    code="invalid_args",
                    message=f"kinds: no record and no entry of a log is called {kind!r}",
                    hint=f"did you mean {refusals.quoted(valid[0])}?",
                    path="kinds",
                    valid=valid,
                )
            )
    return Selection(
        players=frozenset() if order.player is None else frozenset({order.player}),
        kinds=frozenset(order.kinds or ()),
    )


async def log_page(data: Path, order: messages.ReadLog, chronicle: Chronicle) -> protocol.LogReply:
    """A page of the log, up to the damage if there is any. Raises `NotShown`, and the errors of ``eventlog``."""
    selection = selection_of(order)
    # Who reads on as it grows asks for the tick after the last one.
    up_to = chronicle.last_tick if chronicle.damage is not None else _next(chronicle)
    if order.from_tick is not None:
        check_tick(order.from_tick, chronicle, "from_tick", chronicle.first_tick, chronicle.last_tick, up_to)
    page: list[dict[str, Any]] = []
    size_bytes, reached = 0, 0
    following: int | None = None
    stored = Intact(_stored(data, order, chronicle))
    for count, form in enumerate(json_form(stored), 1):
        tick = form.get("tick", 0)
        is_full = len(page) >= order.limit or size_bytes > PAGE_BYTES
        # Only where the whole log, and not just what is meant of it, comes to a later tick than ever before does a
        # tick say from where to read on: what stands behind may speak of an earlier one.
        if is_full and following is None and reached < tick and (chronicle.damage is None or tick <= up_to):
            following = tick
        chosen = selection.part(form)
        if chosen is not None:
            if following is not None:
                return protocol.LogReply(records=page, next=following)
            page.append(chosen)
            size_bytes += len(_encode(chosen))
        reached = max(reached, tick + form.get("ticks", 1) - 1)
        if count % FORMS_AT_ONCE == 0:
            await asyncio.sleep(0)
    if isinstance(stored.problem, LogDamaged):
        return protocol.LogReply(records=page, next=chronicle.last_tick + 1)  # there they are told
    stored.report()
    return protocol.LogReply(records=page)


def _next(chronicle: Chronicle) -> int:
    """The tick after the last one that anybody can have seen."""
    return max(chronicle.last_tick, chronicle.until) + 1


def _stored(data: Path, order: messages.ReadLog, chronicle: Chronicle) -> Iterator[StoredRecord]:
    """The records from the first on that covers a tick. Of a log without its first files, from a snapshot on."""
    from_tick = order.from_tick or 0
    if not chronicle.is_cut:
        return read_world(data, order.world, from_tick=from_tick)
    source = WorldBytes.look(data, order.world)
    # What is of its own tick stands before a snapshot, and also a tick that was taken back behind that.
    at_or_before = max(from_tick - 2, chronicle.first_tick)
    for snapshot in Snapshots(data, order.world).usable(at_or_before=at_or_before):
        if stands_in(source, snapshot.position):
            return between(read_world_from(data, snapshot.position), from_tick)
    return read_world(data, order.world, from_tick=from_tick)


def state_reply(replaying: Replay, path: str | None) -> protocol.StateReply:
    """What stands at ``path`` of the world where the replay stands; None: all of it. Raises `NotShown`."""
    world = replaying.world
    whole = plain_state(world)
    try:
        steps = () if path is None else parse_path(path)
    except NoSuchPath as error:
        raise NotShown(_no_path(str(error), list(whole))) from None
    found: Any = whole
    for number, step in enumerate(steps):
        inner = walk(found, (step,))
        if inner is msgspec.UNSET:
            within = ".".join(steps[:number]) or "the world"
            raise NotShown(_no_path(f"there is no {step!r} in {within} at tick {world.tick}", _steps(found)))
        found = inner
    size_bytes = len(_encode(found))
    if size_bytes > STATE_BYTES:
        raise NotShown(
            protocol.Error(
                code="too_large",
                message=f"that has {size_bytes} bytes, an answer at most {STATE_BYTES}",
                hint="ask for less of it: path leads further in",
                path="path",
                valid=_steps(found)[: refusals.NAMES_LIMIT],
                data={"limit_bytes": STATE_BYTES},
            )
        )
    return protocol.StateReply(world=world.id, tick=world.tick, state=found, hash=hash_of(world))


def _steps(value: Any) -> list[str]:
    """The steps that lead on from a value."""
    if isinstance(value, dict):
        return [str(key) for key in value]
    return [f"[{number}]" for number in range(1, len(value) + 1)] if isinstance(value, list) else []


def _no_path(message: str, valid: list[str]) -> protocol.Error:
    return protocol.Error(
        code="invalid_args",
        message=message,
        hint="a path is written like state.teams[2].leader",
        path="path",
        valid=valid[: refusals.NAMES_LIMIT],
    )
