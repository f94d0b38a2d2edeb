"""Who watches one world live, and what they are shown.

A stream is what all see who watch with the same rate: one picture, one frame, the same bytes for every gateway that has
viewers of it. Pictures are taken in the slack between ticks, and only while somebody watches; as everything that leaves
the world, a frame waits for the world's ticket.

Invariant: a gateway gets a frame only if it has the frame before it, or the frame has no base.

Not here: what a frame looks like (``server/films.py``), which of a gateway's viewers gets it (the gateway), who may
watch (``server/visibility.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from games.errors import ObservationFailed, WorldFaulted
from games.runtime.players import InputOutcome
from games.runtime.world import World
from replays.origins import first_tick
from server import messages, refusals
from server.films import TOLD_LIMIT, Film, Told, ViewUnusable, rate_for
from server.identifiers import new_watch
from server.link import Link
from server.pictures import cursors_of, events_since, picture_of, whole
from server.shard.desk import Desk
from server.shard.history import History
from server.shard.inbox import Asker, PendingInput
from server.visibility import Seen, Viewer, visibility
from worldline import protocol

MARKS_KEPT: Final = 256

_log = logging.getLogger("worldline.shard")


class Stream:
    """What is shown at one rate. ``links`` are the gateways that get it, each with how often it has been opened for
    them, ``behind`` those of them that lack a base.

    ``number`` counts its frames: within one tick there may be several.
    """

    def __init__(self, film: Film, rate_hz: float, changes: int) -> None:
        self.film = film
        self.rate_hz = rate_hz
        self.number = 0
        self.changes = changes
        """How much had happened in the world when its latest frame was made."""
        self.cursors: dict[str, int] = {}
        """By player the n of the first event that no frame has shown."""
        self.inputs: deque[protocol.WatchedInput] = deque(maxlen=TOLD_LIMIT)
        self.inputs_lost = 0
        self.slowest_tick_s: float | None = None
        """The longest of the ticks that no frame has shown."""
        self.links: dict[Link[Any], int] = {}
        self.behind: set[Link[Any]] = set()
        self.timer: asyncio.TimerHandle | None = None
        self.failing = False


class Audience:
    """The viewers of one world. ``look(job)`` has a job done in the slack between ticks."""

    def __init__(
        self,
        world: World,
        history: History,
        desk: Desk,
        look: Callable[[Callable[[], None]], None],
        *,
        fair_play: bool,
    ) -> None:
        self.changes = 0
        """Counts what has happened in the world."""
        self._world = world
        self._history = history
        self._desk = desk
        self._look = look
        self._fair_play = fair_play
        self._streams: dict[str, Stream] = {}
        self._marks: deque[protocol.Mark] = deque(maxlen=MARKS_KEPT)
        self._loop = asyncio.get_running_loop()

    # --- what gateways ask ---------------------------------------------------------------------------

    def watch(self, link: Link[Any], message: messages.WatchWorld) -> None:
        """Let a gateway have a stream of this world. Called in the slack.

        Raises WorldFaulted; then the request has not been answered."""
        asker = Asker(link, message.request)
        refusal = self._refusal(message)
        if refusal is not None:
            if isinstance(refusal, protocol.Error):
                self._desk.refuse(asker, refusal)
            else:
                self._desk.send(asker, refusal)
            return
        rate_hz = rate_for(message.hz)
        try:
            stream = next((each for each in self._streams.values() if each.rate_hz == rate_hz), None)
            if stream is None:
                stream = self._begin(rate_hz)
        except (ObservationFailed, ViewUnusable) as failure:
            self._desk.refuse(asker, refusals.view_failed(str(failure), self._logged(failure)))
            return
        scene, pages = stream.film.static()
        watching = protocol.Watching(
            watch=stream.film.watch,
            world=self._world.id,
            game=self._world.code.name,
            live=True,
            playing=True,
            speed=1,
            tick=stream.film.last.tick,
            first_tick=first_tick(self._history.genesis),
            last_tick=self._world.tick,
            tick_hz=whole(self._world.code.manifest.tick_hz),
            hz=stream.rate_hz,
            players=stream.film.last.players,
            marks=list(self._marks),
            static=scene,
        )
        stream.links[link] = opening = stream.links.get(link, 0) + 1
        watched = messages.Watched(request=message.request, watching=watching, pages=pages, opening=opening)
        self._desk.send(asker, watched)
        self._send(stream, [link], stream.film.whole(), base=None)

    def need_whole(self, link: Link[Any], watch: str) -> None:
        """A gateway has viewers who lack the base of the next frame."""
        stream = self._streams.get(watch)
        if stream is not None and link in stream.links:
            stream.behind.add(link)

    def stop(self, link: Link[Any], watch: str, opening: int | None = None) -> None:
        """A gateway has no viewer of this stream any more, after so many openings of it; None: in any case."""
        stream = self._streams.get(watch)
        if stream is not None and opening in (None, stream.links.get(link)):
            stream.links.pop(link, None)
            stream.behind.discard(link)
            if not stream.links:
                self._end(stream)

    def link_lost(self, link: Link[Any]) -> None:
        """A gateway is gone."""
        for watch in list(self._streams):
            self.stop(link, watch)

    # --- what happens in the world -------------------------------------------------------------------

    def came_out(self, pending: PendingInput, outcome: InputOutcome) -> None:
        """An input has been applied or rejected."""
        if not self._streams:
            return
        told = protocol.WatchedInput(
            tick=outcome.tick,
            player=outcome.player,
            seq=outcome.seq,
            name=pending.name,
            args=pending.args,
            status=outcome.status,
            code=outcome.code,
            note=pending.note,
            observed_tick=pending.observed_tick,
        )
        for stream in self._streams.values():
            stream.inputs_lost += len(stream.inputs) == TOLD_LIMIT
            stream.inputs.append(told)

    def ticked(self, took_s: float) -> None:
        """A tick has run."""
        for stream in self._streams.values():
            stream.slowest_tick_s = max(took_s, stream.slowest_tick_s or 0.0)

    def mark(self, kind: str, text: str, player: str | None = None) -> None:
        """Something that is worth a look has happened at this tick."""
        self._marks.append(protocol.Mark(tick=self._world.tick, kind=kind, text=text, player=player))

    def world_ended(self) -> None:
        """Show how it ended, and nothing more. The world itself may be broken; then nothing of it is shown."""
        for stream in list(self._streams.values()):
            if self._world.faulted is None:
                with contextlib.suppress(WorldFaulted):  # its log is at its end: nobody will see what broke here
                    self._show(stream)
            self._end(stream)

    # --- inside --------------------------------------------------------------------------------------

    def _refusal(self, message: messages.WatchWorld) -> protocol.Error | messages.WatchDelayed | None:
        viewer = Viewer(
            role=message.role,
            had_seat=self._history.had_seat(message.agent),
            owner=message.agent == self._history.genesis.owner,
        )
        spectate = self._world.code.manifest.spectate.when
        world = Seen(ended=False, spectate=spectate, ranked=self._history.genesis.ranked)
        match visibility("watch", viewer, world, fair_play=self._fair_play):
            case "now":
                return None
            case "delayed":
                return messages.WatchDelayed(request=message.request)
            case "forbidden":
                return refusals.not_shown(self._world.id, self._world.code.name)
            case "live_world":
                return refusals.live_world(self._world.id, had_seat=viewer.had_seat)

    def _begin(self, rate_hz: float) -> Stream:
        stream = Stream(Film(new_watch(), picture_of(self._world)), rate_hz, self.changes)
        stream.cursors = cursors_of(self._world)
        self._streams[stream.film.watch] = stream
        self._wait(stream)
        return stream

    def _end(self, stream: Stream) -> None:
        self._streams.pop(stream.film.watch, None)
        stream.links.clear()
        if stream.timer is not None:
            stream.timer.cancel()

    def _wait(self, stream: Stream) -> None:
        stream.timer = self._loop.call_later(1 / stream.rate_hz, self._due, stream)

    def _due(self, stream: Stream) -> None:
        if stream.changes == self.changes and not stream.behind:
            self._wait(stream)
        else:
            self._look(lambda: self._in_the_slack(stream))

    def _in_the_slack(self, stream: Stream) -> None:
        if stream.links:
            self._wait(stream)
            self._show(stream)

    def _show(self, stream: Stream) -> None:
        """Make the stream's next frame, if there is something new, and whole ones for those who need them.

        Raises WorldFaulted."""
        try:
            if stream.changes != self.changes:
                self._show_next(stream)
            stream.failing = False
        except (ObservationFailed, ViewUnusable) as failure:
            if not stream.failing:  # else it has been said
                self._logged(failure)
            stream.failing = True
        if stream.behind:
            behind, stream.behind = stream.behind, set()
            self._send(stream, behind, stream.film.whole(), base=None)

    def _show_next(self, stream: Stream) -> None:
        """Raises ObservationFailed, ViewUnusable, WorldFaulted."""
        frames = stream.film.next(picture_of(self._world), self._told(stream))
        stream.changes = self.changes
        stream.number += 1
        self._send(stream, stream.links, frames, base=stream.number - 1)

    def _send(self, stream: Stream, links: Iterable[Link[Any]], frames: list[bytes], *, base: int | None) -> None:
        message = messages.Framed(
            watch=stream.film.watch, number=stream.number, base=base, tick=stream.film.last.tick, frames=frames
        )
        for link in links:
            self._desk.send(Asker(link, 0), message)

    def _logged(self, failure: ObservationFailed | ViewUnusable) -> str:
        """Log why there is no picture; return the reference under which the log has it."""
        reference = uuid.uuid4().hex[:8]
        details = failure.traceback if isinstance(failure, ObservationFailed) else ""
        about = {"world": self._world.id}
        _log.warning(
            "world %s cannot be shown, reference %s: %s\n%s", self._world.id, reference, failure, details, extra=about
        )
        return reference

    def _told(self, stream: Stream) -> Told:
        """What has happened since the stream's last frame."""
        events, missed = events_since(self._world, stream.cursors)
        slowest_s = stream.slowest_tick_s
        tick_ms = None if slowest_s is None else round(slowest_s * 1000, 3)
        told = Told(events, list(stream.inputs), missed + stream.inputs_lost, tick_ms=tick_ms)
        stream.inputs_lost, stream.slowest_tick_s = 0, None
        stream.inputs.clear()
        return told
