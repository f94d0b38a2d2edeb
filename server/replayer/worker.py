"""A replayer: the streams of what has been that gateways ask for, each with a replay of its own.

Requests are worked on in steps that let others have their turn; one that is not wanted any more is dropped between two
steps. While nobody waits, keyframes are made ahead of worlds that are watched.

Bounded: `STREAMS_LIMIT` streams. It reads the data folder and writes nothing but forks.

Not here: how a stream plays (screening), what is kept of worlds (kept), and the process (main).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from eventlog.errors import EventLogError
from replays.errors import CannotFork, TickOutOfRange
from replays.fork import Fork, Identity, fork_here, write_fork
from replays.replay import Replay
from replays.report import versions_here
from server import messages, refusals
from server.callpage import CallPage
from server.identifiers import new_watch
from server.link import Link, serve_unix
from server.pictures import whole
from server.replayer import records, sight
from server.replayer.ahead import Ahead
from server.replayer.chronicle import Chronicle
from server.replayer.kept import Kept
from server.replayer.screening import BROKEN, Screening, look_as
from server.replayer.travel import travel
from worldline import protocol

STREAMS_LIMIT: Final = 64
"""Each has a world in memory: 2-10 MB."""
REFRESH_EVERY_S: Final = 1.0
RETRY_MS: Final = 2000

_log = logging.getLogger("worldline.replayer")


class Cancelled(Exception):
    """Nobody wants the answer any more."""


class Replayer:
    """One replayer. ``start`` makes it listen."""

    def __init__(self, config: messages.ConfigureReplayer) -> None:
        self._config = config
        self._data = Path(config.data)
        self._calls = CallPage(Path(config.call_page_path))
        self._kept = Kept(self._data, self._calls)
        self._ahead = Ahead(self._kept, self._calls)
        self._gateways: set[Link[Any]] = set()
        self._streams: dict[str, Screening] = {}
        self._shared: dict[tuple[str, float], str] = {}
        """Streams of worlds that are shown late, by world and rate."""
        self._opening: dict[tuple[Link[Any], int], asyncio.Task[None]] = {}
        self._forking: set[asyncio.Task[None]] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._listener: asyncio.AbstractServer | None = None

    async def start(self) -> None:
        """Listen for gateways."""
        self._listener = await serve_unix(
            self._config.socket_path,
            messages.GatewayToReplayer,
            self._gateways.add,
            self._on_message,
            self._on_gateway_lost,
        )

    def close(self) -> None:
        """Let everything go."""
        for task in self._opening.values():
            task.cancel()
        self._ahead.close()
        for watch in list(self._streams):
            self._end(watch)
        for link in self._gateways:
            link.close()

    def fork(self, order: messages.MakeFork, answer: Callable[[messages.ForkMade], None]) -> None:
        """Put a fork into the data folder, and say so."""
        task = asyncio.get_running_loop().create_task(self._fork(order, answer))
        self._forking.add(task)
        self._ahead.busy(True)
        task.add_done_callback(self._forked)

    def _forked(self, task: asyncio.Task[None]) -> None:
        self._forking.discard(task)
        self._ahead.busy(self._is_asked)

    @property
    def _is_asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._opening or self._forking)

    async def _fork(self, order: messages.MakeFork, answer: Callable[[messages.ForkMade], None]) -> None:
        try:
            chronicle = await self._kept.chronicle(order.world, len(self._streams))
            manifest = sight.manifest_of(self._kept.shelf, chronicle)
            sight.judge_reading(order, chronicle, manifest, fair_play=self._config.fair_play)
            identity = Identity(
                world=order.fork,
                owner=order.agent,
                private=order.private,
                versions=versions_here(),
                created_ms=time.time_ns() // 1_000_000,
            )
            up_to = chronicle.last_tick
            if chronicle.damage is None:
                up_to = max(up_to, order.shown_tick)
            sight.check_tick(order.tick, chronicle, "tick", chronicle.first_tick, chronicle.last_tick, up_to)
            made = await self._make_fork(order, chronicle, identity)
            write_fork(made, self._data, self._data)
        except sight.NotShown as refusal:
            answer(messages.ForkMade(request=order.request, error=refusal.error))
        except TickOutOfRange as error:
            place = error.first_tick, error.last_tick
            refused = sight.tick_out_of_range(order.world, order.tick, *place, "tick")
            answer(messages.ForkMade(request=order.request, error=refused))
        except CannotFork as error:
            answer(messages.ForkMade(request=order.request, error=sight.cannot_fork(error)))
        except (*BROKEN, OSError) as error:
            answer(messages.ForkMade(request=order.request, error=sight.cannot_replay(order.world, error)))
        else:
            genesis = made.genesis
            answer(messages.ForkMade(request=order.request, game=genesis.game, digest=genesis.digest))

    async def _make_fork(self, order: messages.MakeFork, chronicle: Chronicle, identity: Identity) -> Fork:
        """Raises what `fork_here` raises."""
        with self._kept.lent(chronicle, order.tick) as replaying:
            await self._travel(replaying, min(order.tick, chronicle.last_tick))
            with self._calls.during(order.world, order.tick, "restore"):
                return fork_here(replaying, order.tick, identity, up_to=order.shown_tick)

    # --- messages ------------------------------------------------------------------------------------

    def _on_message(self, link: Link[Any], message: messages.GatewayToReplayer) -> None:
        match message:
            case messages.OpenStream() | messages.ReadLog() | messages.ReadState():
                task = asyncio.get_running_loop().create_task(self._answer(link, message))
                self._opening[link, message.request] = task
                self._ahead.busy(True)
                task.add_done_callback(lambda _: self._answered(link, message.request))
            case messages.CancelStream():
                opening = self._opening.get((link, message.request))
                if opening is not None:
                    opening.cancel()
            case messages.NeedWhole():
                if message.watch in self._streams:
                    self._streams[message.watch].need_whole(link)
            case messages.StopWatching():
                self._left(link, message.watch, message.opening)

    def _answered(self, link: Link[Any], request: int) -> None:
        self._opening.pop((link, request), None)
        self._ahead.busy(self._is_asked)

    def _on_gateway_lost(self, link: Link[Any]) -> None:
        self._gateways.discard(link)
        for (asking, _), task in self._opening.items():
            if asking is link:
                task.cancel()
        for watch in list(self._streams):
            self._left(link, watch)

    def _left(self, link: Link[Any], watch: str, opening: int | None = None) -> None:
        stream = self._streams.get(watch)
        if stream is not None and opening in (None, stream.links.get(link)):
            stream.links.pop(link, None)
            if not stream.links:
                self._end(watch)

    async def _answer(
        self, link: Link[Any], order: messages.OpenStream | messages.ReadLog | messages.ReadState
    ) -> None:
        try:
            if isinstance(order, messages.OpenStream):
                await self._open(link, order)
            else:
                link.send(messages.Answer(request=order.request, message=await self._read(order)))
        except sight.NotShown as refusal:
            link.send(messages.Answer(request=order.request, message=refusal.error))
        except BROKEN as error:
            link.send(messages.Answer(request=order.request, message=sight.cannot_replay(order.world, error)))
        except Exception:
            reference = uuid.uuid4().hex[:8]
            about = {"world": order.world}
            _log.exception("world %s cannot be shown, reference %s", order.world, reference, extra=about)
            failed = refusals.view_failed("the server failed", reference)
            link.send(messages.Answer(request=order.request, message=failed))

    async def _read(self, order: messages.ReadLog | messages.ReadState) -> protocol.LogReply | protocol.StateReply:
        """Raises `sight.NotShown`, or what ``eventlog``, ``replays`` and ``games`` raise."""
        chronicle = await self._kept.chronicle(order.world, len(self._streams))
        sight.judge_reading(
            order, chronicle, sight.manifest_of(self._kept.shelf, chronicle), fair_play=self._config.fair_play
        )
        if isinstance(order, messages.ReadLog):
            return await records.log_page(self._data, order, chronicle)
        tick = chronicle.last_tick if order.tick is None else order.tick
        sight.check_tick(tick, chronicle, "tick", chronicle.first_tick, chronicle.last_tick)
        with self._kept.lent(chronicle, tick) as replaying:
            await self._travel(replaying, tick)
            with self._calls.during(order.world, tick, "save"):
                return records.state_reply(replaying, order.path)

    # --- streams -------------------------------------------------------------------------------------

    async def _open(self, link: Link[Any], order: messages.OpenStream) -> None:
        """Raises `sight.NotShown`, or what ``eventlog``, ``replays`` and ``games`` raise."""
        chronicle = await self._kept.chronicle(order.world, len(self._streams))
        manifest = sight.manifest_of(self._kept.shelf, chronicle)
        delay_s = sight.judge(order, chronicle, manifest, fair_play=self._config.fair_play)
        limit = partial(_limit, chronicle, manifest.tick_hz, delay_s, order.shown_tick)
        tick = sight.place(order, chronicle, limit())
        # What is only late is the same for all who see it, as what is live.
        is_shared = order.from_tick is None and delay_s > 0
        together = self._streams.get(self._shared.get((order.world, order.hz), "")) if is_shared else None
        if together is not None:
            self._show(link, order.request, together)
            return
        if len(self._streams) + len(self._opening) > STREAMS_LIMIT:
            raise sight.NotShown(sight.too_many_streams(STREAMS_LIMIT))
        with self._kept.taken(chronicle, tick) as replaying:
            seen = None
            if order.view_as is not None:
                seen_tick = chronicle.outline.last_observed(order.view_as, tick)
                if seen_tick is not None:
                    await self._travel(replaying, seen_tick)
                    seen = look_as(replaying, order.view_as, None)
            await self._travel(replaying, tick)
            watch = new_watch()
            stream = Screening(
                watch,
                replaying,
                chronicle,
                order,
                self._calls,
                limit=limit,
                busy=lambda: self._is_asked,
                ended=partial(self._broke, watch),
                seen=seen,
            )
        self._streams[watch] = stream
        if is_shared:
            self._shared[order.world, order.hz] = watch
        self._show(link, order.request, stream)
        self._ahead.want(chronicle)
        if self._refreshing is None and not chronicle.has_ended:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh())

    def _show(self, link: Link[Any], request: int, stream: Screening) -> None:
        """Let a gateway have a stream."""
        film, chronicle, limit = stream.film, stream.chronicle, stream.limit()
        scene, pages = film.static()
        watching = protocol.Watching(
            watch=film.watch,
            world=chronicle.world,
            game=chronicle.genesis.game,
            live=False,
            playing=stream.playing,
            speed=whole(stream.speed),
            tick=film.last.tick,
            first_tick=chronicle.first_tick,
            last_tick=max(limit, film.last.tick),
            tick_hz=whole(stream.replay.world.code.manifest.tick_hz),
            hz=whole(stream.rate_hz),
            players=film.last.players,
            marks=[mark for mark in chronicle.marks if mark.tick <= limit],
            static=scene,
        )
        opening = stream.open(link)
        link.send(messages.Watched(request=request, watching=watching, pages=pages, opening=opening))
        stream.need_whole(link)

    async def _travel(self, replaying: Replay, tick: int) -> None:
        if replaying.position.tick < tick:
            replaying.look_again()
        await travel(replaying, tick, self._calls)

    def _end(self, watch: str) -> None:
        """Nobody watches this any more."""
        stream = self._streams.pop(watch)
        self._forget_shared(watch)
        stream.close()
        self._kept.give_back(stream.replay, stream.chronicle.world)

    def _forget_shared(self, watch: str) -> None:
        self._shared = {key: shared for key, shared in self._shared.items() if shared != watch}

    def _broke(self, watch: str, why: str) -> None:
        """A stream cannot go on."""
        stream = self._streams.pop(watch, None)
        if stream is None:
            return
        for link in stream.links:
            link.send(messages.StreamEnded(watch=watch, reason=why))
        self._forget_shared(watch)
        stream.close()
        stream.replay.close()

    # --- worlds --------------------------------------------------------------------------------------

    async def _refresh(self) -> None:
        """Read on in the logs of running worlds that are shown, as long as there are any."""
        while True:
            await asyncio.sleep(REFRESH_EVERY_S)
            shown = {stream.chronicle for stream in self._streams.values() if not stream.chronicle.has_ended}
            if not shown:
                self._refreshing = None
                return
            for chronicle in shown:
                try:
                    await chronicle.refresh()
                    self._ahead.want(chronicle)
                except EventLogError as error:
                    for watch in [w for w, stream in self._streams.items() if stream.chronicle is chronicle]:
                        self._broke(watch, str(error))


def _limit(chronicle: Chronicle, tick_hz: float, delay_s: float, shown_tick: int) -> int:
    """The last tick that may be shown now."""
    if chronicle.has_ended or (chronicle.damage is not None and not delay_s):
        return chronicle.last_tick
    if not delay_s:
        return max(chronicle.last_tick, min(shown_tick, chronicle.until))
    if chronicle.genesis.clock == "realtime":  # a world that runs slowly is shown later than it would have to be
        return max(0, chronicle.last_tick - int(delay_s * tick_hz))
    return chronicle.tick_at(int((time.time() - delay_s) * 1000))
