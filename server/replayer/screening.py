"""One recorded stream: a replay that plays, and its frames.

It plays by the clock: so many ticks a second as the world has, times its speed. If the machine does not keep up, it
plays more slowly; no tick is left out. While its world runs it goes no further than may be shown.

Invariant: as in a shard, a gateway gets a frame only if it has the frame before it, or the frame has no base.

Not here: which streams there are, and who may see them (worker).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from eventlog import records
from eventlog.errors import EventLogError
from games.errors import GameError, ObservationFailed, WorldFaulted
from games.runtime.results import TickResult
from replays.errors import ReplayError
from replays.replay import Replay
from replays.seeing import applied_inputs
from server import messages
from server.callpage import CallPage
from server.films import TOLD_LIMIT, Film, Picture, Told, ViewUnusable
from server.link import Link
from server.pictures import cursors_of, events_since, picture_of
from server.replayer.chronicle import Chronicle
from server.replayer.travel import advance
from server.shard import replies
from worldline import protocol

FRAME_WITHIN_S: Final = 0.05
"""So long at most may a stream take for a frame; then it plays more slowly."""
SLICE_S: Final = 0.008
"""So long at a time: then others get their turn, and a stream that plays has to stand back behind who waits."""
TICKS_AT_ONCE: Final = 60

BROKEN: Final = (EventLogError, ReplayError, GameError, WorldFaulted, ObservationFailed, ViewUnusable)
"""What ends a stream: its log, its game or its view cannot be shown further."""

_log = logging.getLogger("worldline.replayer")


class Screening:
    """A stream. ``limit()`` is the last tick that may be shown now, ``busy()`` whether somebody waits for an answer;
    ``ended(why)`` is called when it cannot go on."""

    def __init__(
        self,
        watch: str,
        replay: Replay,
        chronicle: Chronicle,
        order: messages.OpenStream,
        calls: CallPage,
        *,
        limit: Callable[[], int],
        busy: Callable[[], bool],
        ended: Callable[[str], None],
        seen: protocol.Observation | None = None,
    ) -> None:
        """It begins where ``replay`` stands; ``seen``: what the player whom it is watched as had been sent by then.

        Raises one of `BROKEN`."""
        self.replay = replay
        self.chronicle = chronicle
        self.rate_hz = order.hz
        self.playing = order.playing
        self.speed = order.speed
        self.links: dict[Link[Any], int] = {}
        """The gateways that get it, each with how often it has been opened for them."""
        self.number = 0
        self.limit = limit
        self._busy = busy
        self._calls = calls
        self._ended = ended
        self._view_as = order.view_as
        self._seen = seen
        self._told_seen = seen
        self._inputs: deque[protocol.WatchedInput] = deque(maxlen=TOLD_LIMIT)
        self._lost = 0
        self._began_s = time.monotonic()
        self._began_tick = replay.world.tick
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._frame_by_s = 0.0
        self._cursors = cursors_of(replay.world)
        self.film = Film(watch, self._picture(), Told(observation=seen))
        self.film.last_tick = limit()
        replay.listener = self._applied
        if self.playing:
            self._wait()

    def close(self) -> None:
        """Play no more."""
        self.links.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.replay.listener = None

    def open(self, link: Link[Any]) -> int:
        """Show it at this gateway from now on; returns the how manieth time that is."""
        self.links[link] = opening = self.links.get(link, 0) + 1
        return opening

    def need_whole(self, link: Link[Any]) -> None:
        """A gateway has viewers who lack the base of the next frame."""
        if link in self.links:
            self._send([link], self.film.whole(), base=None)

    # --- inside --------------------------------------------------------------------------------------

    def _wait(self) -> None:
        self._timer = self._loop.call_later(1 / self.rate_hz, self._due)

    def _due(self) -> None:
        self._frame_by_s = time.monotonic() + FRAME_WITHIN_S
        self._slice()

    def _slice(self) -> None:
        try:
            is_shown = self._play()
        except BROKEN as error:
            about = {"world": self.chronicle.world}
            _log.warning("world %s cannot be shown on: %s", self.chronicle.world, error, extra=about)
            self._ended(str(error))
            return
        if not is_shown:
            self._timer = self._loop.call_soon(self._slice)
        elif self.chronicle.is_complete and self.replay.world.tick >= self.chronicle.last_tick:
            self.playing = False
        else:
            self._wait()

    def _play(self) -> bool:
        """Run on, for a slice; show what that came to, unless there is time for another."""
        now_s, before = time.monotonic(), self.replay.world.tick
        hz = self.replay.world.code.manifest.tick_hz
        limit = self.limit()
        self.film.last_tick = limit
        wanted = self._began_tick + int((now_s - self._began_s) * self.speed * hz)
        target = min(wanted, limit)
        self._go_on(target, now_s + SLICE_S)
        reached = self.replay.world.tick
        if before < reached < target and time.monotonic() < self._frame_by_s and not self._busy():
            return False
        if reached < wanted:  # it waits for the world, or for the machine: it does not catch up later
            self._began_s, self._began_tick = time.monotonic(), reached
        if reached > self.film.last.tick or self._inputs:
            told = self._told()
            frames = self.film.next(self._picture(), told)
            self.number += 1
            self._send(self.links, frames, base=self.number - 1)
        return True

    def _go_on(self, target: int, until_s: float) -> None:
        """Run on to ``target``, or as far as there is time for."""
        replay = self.replay
        if replay.world.tick < target and replay.position.tick < target:
            replay.look_again()
        while replay.world.tick < target and time.monotonic() < until_s:
            before = replay.world.tick
            stop = min(target, before + TICKS_AT_ONCE)
            seen_at = None if self._view_as is None else self.chronicle.outline.last_observed(self._view_as, stop)
            with self._calls.during(self.chronicle.world, before + 1, "restore"):
                if seen_at is not None and seen_at > before:
                    advance(replay, seen_at)
                    self._seen = look_as(replay, self._view_as or "", self._seen)
                advance(replay, stop)
            if replay.world.tick == before:
                return  # the log goes no further

    def _picture(self) -> Picture:
        with self._calls.during(self.chronicle.world, self.replay.world.tick, "view"):
            return picture_of(self.replay.world)

    def _applied(self, record: records.Tick, result: TickResult) -> None:
        for applied in applied_inputs(record, result):
            if applied.status not in ("applied", "rejected"):
                continue
            self._lost += len(self._inputs) == TOLD_LIMIT
            self._inputs.append(
                protocol.WatchedInput(
                    tick=applied.tick,
                    player=applied.player,
                    seq=applied.seq,
                    name=applied.name,
                    args=applied.args,
                    status=applied.status,
                    code=applied.code,
                    note=applied.note,
                    observed_tick=applied.observed_tick,
                )
            )

    def _told(self) -> Told:
        events, missed = events_since(self.replay.world, self._cursors)
        news = self._seen if self._seen is not self._told_seen else None
        told = Told(events, list(self._inputs), missed + self._lost, news)
        self._told_seen = self._seen
        self._inputs.clear()
        self._lost = 0
        return told

    def _send(self, links: Iterable[Link[Any]], frames: list[bytes], *, base: int | None) -> None:
        message = messages.Framed(
            watch=self.film.watch, number=self.number, tick=self.film.last.tick, base=base, frames=frames
        )
        for link in links:
            link.send(message)


def look_as(replay: Replay, player: str, last: protocol.Observation | None) -> protocol.Observation | None:
    """What a player was sent at the tick at which the replay stands, with the events since ``last``; ``last`` if the
    player is not there. Raises ObservationFailed, WorldFaulted."""
    if player not in replay.world.players:
        return last
    seen = replies.observation(replay.world, player, since=1, form="both", status="running")
    since = -1 if last is None else last.tick
    seen.events = [event for event in seen.events if event.tick > since]
    seen.missed = 0
    return seen
