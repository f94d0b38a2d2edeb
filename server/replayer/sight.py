"""May it be shown, and where does it begin? Decisions on one request for a stream, and how it is refused.

Pure, but for reading a game's manifest. Not here: the rule itself (``server/visibility.py``).
"""

from __future__ import annotations

from eventlog.errors import LogDamaged
from games.manifest import Manifest
from replays.shelf import Shelf
from server import messages, refusals
from server.replayer.chronicle import Chronicle
from server.visibility import Part, Seen, Verdict, Viewer, visibility
from worldline import protocol


class NotShown(Exception):
    """The request is refused with ``error``."""

    def __init__(self, error: protocol.Error) -> None:
        super().__init__(error.code)
        self.error = error


def manifest_of(shelf: Shelf, chronicle: Chronicle) -> Manifest:
    """What the world's game says of itself. Raises GameError, EventLogError, ReplayError."""
    return shelf.code(chronicle.genesis.game, chronicle.genesis.digest).manifest


def verdict(
    part: Part, agent: str, role: protocol.Role, chronicle: Chronicle, manifest: Manifest, *, fair_play: bool
) -> Verdict:
    """May this agent see this part of the world?"""
    genesis = chronicle.genesis
    viewer = Viewer(role=role, had_seat=chronicle.had_seat(agent), owner=agent == genesis.owner)
    world = Seen(ended=chronicle.has_ended, spectate=manifest.spectate.when, ranked=genesis.ranked)
    return visibility(part, viewer, world, fair_play=fair_play)


def judge(order: messages.OpenStream, chronicle: Chronicle, manifest: Manifest, *, fair_play: bool) -> float:
    """How long after it happened this viewer may see it, in seconds. Raises `NotShown`."""
    world, game = order.world, chronicle.genesis.game
    if order.view_as is not None:
        if order.view_as not in chronicle.outline.parts:
            raise NotShown(unknown_player(order.view_as, world, list(chronicle.outline.parts)))
        if verdict("records", order.agent, order.role, chronicle, manifest, fair_play=fair_play) != "now":
            raise NotShown(refusals.not_as_player(world))
    match verdict("watch", order.agent, order.role, chronicle, manifest, fair_play=fair_play):
        case "now":
            return 0.0
        case "delayed":
            return manifest.spectate.delay_s
        case "forbidden":
            raise NotShown(refusals.not_shown(world, game))
        case "live_world":
            raise NotShown(refusals.live_world(world, had_seat=chronicle.had_seat(order.agent)))


def judge_reading(
    order: messages.ReadLog | messages.ReadState | messages.MakeFork,
    chronicle: Chronicle,
    manifest: Manifest,
    *,
    fair_play: bool,
) -> None:
    """May it read what the world's log holds? Raises `NotShown`."""
    match verdict("records", order.agent, order.role, chronicle, manifest, fair_play=fair_play):
        case "forbidden":
            raise NotShown(refusals.not_shown(order.world, chronicle.genesis.game))
        case "live_world" | "delayed":
            raise NotShown(refusals.live_world(order.world, had_seat=chronicle.had_seat(order.agent)))


def place(order: messages.OpenStream, chronicle: Chronicle, limit: int) -> int:
    """The tick at which the stream begins. Raises `NotShown`."""
    first = chronicle.first_tick
    if order.from_tick is None:
        return first if chronicle.has_ended and not order.at_end else max(first, limit)
    shown = limit if chronicle.damage is not None else max(limit, min(order.shown_tick, chronicle.until))
    check_tick(order.from_tick, chronicle, "from_tick", first, limit, shown)
    return order.from_tick


def check_tick(
    tick: int, chronicle: Chronicle, path: str, first_tick: int, last_tick: int, up_to: int | None = None
) -> None:
    """May the world be seen at this tick? ``path``: where the request says it. ``up_to``: it may even be seen there.

    Raises `NotShown`."""
    if first_tick <= tick <= (last_tick if up_to is None else up_to):
        return
    damage = chronicle.damage
    if damage is not None and tick > last_tick:
        raise NotShown(damaged_there(chronicle.world, tick, first_tick, last_tick, path, damage))
    raise NotShown(tick_out_of_range(chronicle.world, tick, first_tick, last_tick, path))


def tick_out_of_range(world: str, tick: int, first_tick: int, last_tick: int, path: str) -> protocol.Error:
    """The world has no such tick, or none that may be shown yet. ``path``: where the request says it."""
    return protocol.Error(
        code="tick_out_of_range",
        message=f"world {world} can be seen from tick {first_tick} to tick {last_tick}, not at tick {tick}",
        hint=f"take a tick from {first_tick} to {refusals.quoted(last_tick)}",
        path=path,
        data={"first_tick": first_tick, "last_tick": last_tick},
    )


def damaged_there(
    world: str, tick: int, first_tick: int, last_tick: int, path: str, damage: LogDamaged
) -> protocol.Error:
    """What the log has of this tick comes after damage."""
    reason = f"{damage.path.name}, byte {damage.offset}: {damage.reason}"
    return protocol.Error(
        code="world_damaged",
        message=f"world {world} can be seen from tick {first_tick} to tick {last_tick}, not at tick {tick}: what its "
        f"log has after that is damaged ({reason})",
        hint=f"take a tick from {first_tick} to {refusals.quoted(last_tick)}, or have the file restored from a copy",
        path=path,
        data={"reason": reason, "first_tick": first_tick, "last_tick": last_tick},
    )


def cannot_fork(error: Exception) -> protocol.Error:
    """There is nothing to play on from."""
    return protocol.Error(
        code="invalid_args", message=str(error).partition(" → ")[0], hint="take another tick", path="tick"
    )


def unknown_player(player: str, world: str, known: list[str]) -> protocol.Error:
    """There never was such a player."""
    valid = refusals.nearest_names(player, known)
    return protocol.Error(
        code="unknown_player",
        message=f"world {world} has never had a player {player!r}",
        hint=f"did you mean {refusals.quoted(valid[0])}?" if valid else "nobody has played in it yet",
        path="as",
        valid=valid,
    )


def too_many_streams(limit: int) -> protocol.Error:
    """The replayer shows as many as it can."""
    return protocol.Error(
        code="overloaded",
        message=f"{limit} replays are being watched, as many as this server shows at one time",
        hint="send the same request again after retry_after_ms",
        retry_after_ms=5000,
    )


def cannot_replay(world: str, error: Exception) -> protocol.Error:
    """The log, the code or the game does not allow it."""
    what, _, remedy = str(error).partition(" → ")
    return protocol.Error(
        code="world_damaged",
        message=f"world {world} cannot be shown: {what}",
        hint=remedy or "its operator can look at it with `worldline log verify` and `worldline replay verify`",
        path="world",
        data={"reason": what},
    )
