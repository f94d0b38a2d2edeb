"""What clients do with their screens: watch, control, and be kept watching when a process behind it dies.

Whatever a client wants to see is asked for as a new stream: of the world's shard if it is live, else of a replayer. A
newer wish takes in those that are not fulfilled yet; all who waited get its answer. If that is a refusal, they are done
one after the other: what is refused is one of them, and the others hold.

Invariant: a client's controls of one stream come to the same as if it had waited for the answer to each.

Not here: the viewers and their frames (``watching``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from server import messages
from server.films import rate_for
from server.gateway import refusals
from server.gateway.answers import Answers
from server.gateway.backends import SUPERVISOR, Backends, Waiting
from server.gateway.fanout import spread
from server.gateway.holding import Held
from server.gateway.refusals import Refused
from server.gateway.requests import UNNUMBERED, world_found
from server.gateway.watching import Showing, Viewer, Watches, in_encoding, stopped
from server.replayers import replayer_of
from worldline import protocol

REPLAYER: Final = -10
"""Stands for replayer 0 where shards have numbers; replayer n is n below it."""
LOSSES_LIMIT: Final = 3
"""A stream whose source dies so often without a frame in between is given up: it may be what kills it."""
REPLAYER_RETRY_MS: Final = 1000
LOG_RECORDS: Final = 100  # of a page, if the client does not say
_ENDED: Final = ("world_closed", "world_faulted")

_log = logging.getLogger("worldline.gateway")


def is_replayer(source: int) -> bool:
    """Whether this stands for a replayer."""
    return source <= REPLAYER


class Screens:
    """The screens of one gateway's clients."""

    def __init__(
        self,
        backends: Backends,
        held: Held,
        answers: Answers,
        watches: Watches,
        *,
        replayers: int,
        report: Callable[[messages.Message], None],
    ) -> None:
        self._backends = backends
        self._held = held
        self._answers = answers
        self._watches = watches
        self._replayers = replayers
        self._report = report

    # --- what clients ask ----------------------------------------------------------------------------

    def watch(self, waiting: Waiting, request: protocol.Watch) -> None:
        """A client wants to watch. Raises `Refused`."""
        session = waiting.session
        self._watches.check_room(session, request.id)
        showing = Showing(
            live=request.from_tick is None and request.as_player is None and request.speed in (None, 1),
            tick=request.from_tick,
            speed=float(request.speed or 1),
            view_as=request.as_player,
            hz=rate_for(request.hz or protocol.MAX_WATCH_HZ),
        )
        viewer = Viewer(session, request.world, "", _nothing(request.world), showing, 0)
        self._want(viewer, showing, waiting)

    def control(self, waiting: Waiting, request: protocol.Control) -> None:
        """A client wants to see something else in a stream of its own. Raises `Refused`."""
        viewer = self._watches.viewer(waiting.session, request.watch, request.id)
        if request.action == "stop":
            self._cancel(viewer)
            self._watches.leave(viewer)
            for each in (*viewer.pending, *viewer.later, waiting):
                self._answers.reply(each, stopped(viewer))
            viewer.pending, viewer.later = [], []
            return
        showing = _decide(viewer, request)
        if viewer.later:
            viewer.later.append(waiting)
        else:
            self._want(viewer, showing, waiting)

    def read(self, waiting: Waiting, request: protocol.Log | protocol.State) -> None:
        """A client wants to read a log, or a state: that is a replayer's work, too."""
        session, world = waiting.session, request.world
        assert session.agent is not None
        question: messages.ReadLog | messages.ReadState
        if isinstance(request, protocol.Log):
            question = messages.ReadLog(
                request=UNNUMBERED,
                world=world,
                agent=session.agent,
                role=session.role,
                from_tick=request.from_tick,
                limit=request.limit or LOG_RECORDS,
                kinds=request.kinds,
                player=request.player,
            )
        else:
            question = messages.ReadState(
                request=UNNUMBERED,
                world=world,
                agent=session.agent,
                role=session.role,
                tick=request.tick,
                path=request.path,
            )
        waiting.world = world
        self._backends.ask(self._replayer_of(world), question, waiting)

    def inquire(self, world: str, question: messages.ReadLog) -> asyncio.Future[Any]:
        """Ask the replayer of this world for somebody who has no session, see `Backends.inquire`."""
        return self._backends.inquire(self._replayer_of(world), question)

    def _replayer_of(self, world: str) -> int:
        """The replayer that shows this world; it is started if it does not run."""
        number = replayer_of(world, self._replayers)
        if self._backends.expect(REPLAYER - number):
            gone = self._backends.lost_at(REPLAYER - number)
            self._report(messages.AskReplayer(replayer=number, gone=gone))
        return REPLAYER - number

    def _want(self, viewer: Viewer, showing: Showing, waiting: Waiting) -> None:
        """Ask for another stream; what was asked for before is not wanted any more."""
        self._cancel(viewer)
        viewer.wanted = showing
        viewer.pending = [*viewer.pending, waiting]
        self._ask(viewer)

    def _go_on(self, viewer: Viewer) -> None:
        """Ask for what comes next of those that are done one after the other."""
        if viewer.later:
            waiting = viewer.later.pop(0)
            assert isinstance(waiting.request, protocol.Control), waiting.request
            self._want(viewer, _decide(viewer, waiting.request), waiting)

    def _ask(self, viewer: Viewer) -> None:
        """The lobby knows where the world runs, and if it does."""
        waiting = self._waiting(viewer)
        self._backends.ask(SUPERVISOR, messages.AskWorld(request=UNNUMBERED, world=viewer.world), waiting)

    def _waiting(self, viewer: Viewer) -> Waiting:
        request = viewer.pending[-1].request if viewer.pending else protocol.Watch(id=0, world=viewer.world)
        viewer.asking = Waiting(viewer.session, request, world=viewer.world, game=viewer.game or None, viewer=viewer)
        return viewer.asking

    def _cancel(self, viewer: Viewer) -> None:
        asking, viewer.asking = viewer.asking, None
        question = None if asking is None else asking.question
        if asking is None or question is None or self._backends.take(question.request) is None:
            return
        if is_replayer(asking.asked):
            self._backends.tell(asking.asked, messages.CancelStream(request=question.request))

    # --- what comes back -----------------------------------------------------------------------------

    def world_found(self, waiting: Waiting, found: messages.WorldFound) -> None:
        """The lobby has said where the world of a viewer is."""
        viewer = waiting.viewer
        if viewer is None or waiting is not viewer.asking:
            return
        showing = viewer.wanted or viewer.showing
        if found.world is not None:
            viewer.game = found.world.game
        viewer.nearest = found.nearest
        if showing.live and showing.view_as is None and found.shard is not None:
            self._ask_shard(viewer, found.shard, showing)
        else:
            self._ask_replayer(viewer, showing)

    def _ask_shard(self, viewer: Viewer, shard: int, showing: Showing) -> None:
        session = viewer.session
        assert session.agent is not None
        question = messages.WatchWorld(
            request=UNNUMBERED, world=viewer.world, agent=session.agent, role=session.role, hz=showing.hz
        )
        waiting = self._waiting(viewer)
        if not self._backends.ask(shard, question, waiting):
            self._held.put(question, waiting)

    def _ask_replayer(self, viewer: Viewer, showing: Showing) -> None:
        session = viewer.session
        assert session.agent is not None
        target = self._replayer_of(viewer.world)
        question = messages.OpenStream(
            request=UNNUMBERED,
            world=viewer.world,
            agent=session.agent,
            role=session.role,
            hz=showing.hz,
            from_tick=None if showing.live else showing.tick,
            at_end=showing.at_end,
            shown_tick=viewer.tick,
            playing=showing.playing,
            speed=showing.speed,
            view_as=showing.view_as,
        )
        self._backends.ask(target, question, self._waiting(viewer))

    def world_gone(self, waiting: Waiting) -> None:
        """The world that was to be shown live does not come back."""
        viewer = waiting.viewer
        if viewer is not None and waiting is viewer.asking:
            self._ask_replayer(viewer, viewer.wanted or viewer.showing)

    def answered(
        self, source: int, waiting: Waiting, answer: messages.Watched | messages.WatchDelayed | protocol.Error
    ) -> None:
        """A shard or a replayer has answered."""
        viewer = waiting.viewer
        if viewer is None or waiting is not viewer.asking:  # something else is wanted by now
            if isinstance(answer, messages.Watched):
                self._watches.unwanted(source, answer)
            return
        showing = viewer.wanted or viewer.showing
        viewer.asking = None
        has_ended = isinstance(answer, protocol.Error) and answer.code in _ENDED and not is_replayer(source)
        if has_ended or isinstance(answer, messages.WatchDelayed):
            self._ask_replayer(viewer, showing)  # the lobby may not have heard of its end when it sent us there
        elif isinstance(answer, messages.Watched):
            self._show(source, viewer, showing, answer)
        else:
            self._refuse(viewer, answer)

    def _show(self, source: int, viewer: Viewer, showing: Showing, watched: messages.Watched) -> None:
        session, watching = viewer.session, watched.watching
        pending, viewer.pending, viewer.wanted = viewer.pending, [], None
        is_new = not viewer.watching.watch
        if session.gone:
            self._watches.unwanted(source, watched)
            return
        if is_new:
            try:
                self._watches.check_room(session, pending[-1].request.id)
            except Refused as refused:
                self._watches.unwanted(source, watched)
                for waiting in pending:
                    self._answers.reply(waiting, refused.error)
                return
        before = viewer.watching.watch
        self._watches.begin(viewer, source, watched)
        live = not is_replayer(source)
        viewer.showing = msgspec.structs.replace(showing, live=live, at_end=False, tick=watching.tick)
        for waiting in pending:
            self._answers.reply(waiting, msgspec.structs.replace(watching))
        if not pending:
            spread([session], msgspec.structs.replace(watching, instead_of=before))
        for page in watched.pages:
            session.connection.send_now(in_encoding(page, session.connection.encoding))
        self._go_on(viewer)

    def _refuse(self, viewer: Viewer, error: protocol.Error) -> None:
        pending, viewer.pending, viewer.wanted = viewer.pending, [], None
        if len(pending) > 1:
            viewer.later = [*pending, *viewer.later]
            self._go_on(viewer)
            return
        if error.code == "unknown_world" and pending:
            found = messages.WorldFound(request=0, nearest=viewer.nearest)
            error = world_found(found, viewer.world, viewer.session, pending[-1].request.id)
        for waiting in pending:
            self._answers.reply(waiting, _for(waiting.request, error))
        if not pending:  # nobody has asked: the stream was to go on by itself
            self._end(viewer, error.message)
            return
        self._go_on(viewer)

    def _end(self, viewer: Viewer, why: str) -> None:
        """A stream is over, and its client is told so."""
        self._watches.leave(viewer)
        watch = viewer.watching.watch
        spread([viewer.session], protocol.Notice(code="watch_ended", message=why, world=viewer.world, watch=watch))

    # --- what happens --------------------------------------------------------------------------------

    def joined(self, agent: str, world: str) -> None:
        """An agent has a seat in a world now: whether its clients may still watch is asked again."""
        for viewer in self._watches.of_world(world):
            if viewer.session.agent == agent and viewer.asking is None:
                self._watches.detach(viewer)
                self._ask(viewer)

    def source_lost(self, source: int) -> None:
        """A shard or replayer has died. Who watched what a replayer showed watches on in the next one; who watched a
        world live waits until it is back."""
        for viewer in self._watches.source_lost(source):
            if viewer.asking is not None:
                continue
            if viewer.losses > LOSSES_LIMIT:
                self._end(viewer, "the process that showed it has died again and again")
            elif is_replayer(source):
                viewer.showing = msgspec.structs.replace(viewer.showing, tick=viewer.tick)
                self._ask_replayer(viewer, viewer.showing)

    def question_lost(self, waiting: Waiting) -> None:
        """The replayer that was asked has died."""
        viewer = waiting.viewer
        if viewer is None:  # it wanted to read
            self._answers.reply(waiting, refusals.replayer_died(REPLAYER_RETRY_MS))
            return
        if waiting is not viewer.asking:
            return
        viewer.losses += 1
        showing = viewer.wanted or viewer.showing
        if viewer.losses > LOSSES_LIMIT:
            viewer.asking = None
            self._refuse(viewer, refusals.replayer_died(REPLAYER_RETRY_MS))
        else:
            self._ask_replayer(viewer, showing)

    def world_moved(self, world: str) -> None:
        """The world is back: who watched it live watches on."""
        for viewer in self._watches.of_world(world):
            if viewer.stream is None and viewer.asking is None and viewer.showing.live:
                self._ask(viewer)

    def world_ended(self, world: str) -> None:
        """The world has ended. Who watched it live can look at what has been."""
        for viewer in self._watches.of_world(world):
            if viewer.showing.live:
                self._watches.detach(viewer)
                viewer.showing = msgspec.structs.replace(viewer.showing, live=False, tick=viewer.tick)

    def stream_ended(self, ended: messages.StreamEnded) -> None:
        """A replayer cannot show a stream further."""
        for viewer in self._watches.ended(ended.watch):
            if viewer.asking is None:
                self._end(viewer, ended.reason)


def _decide(viewer: Viewer, request: protocol.Control) -> Showing:
    """What a client wants to see after a control. Raises `Refused`."""
    now = viewer.wanted
    if now is None:
        now = msgspec.structs.replace(viewer.showing, tick=viewer.tick)
    match request.action:
        case "play":
            return msgspec.structs.replace(now, playing=True)
        case "pause":
            return msgspec.structs.replace(now, playing=False, live=False)
        case "seek":
            if request.tick is None:
                raise refusals.invalid("tick", "seek needs the tick to go to", 0, re=request.id)
            return msgspec.structs.replace(now, tick=request.tick, playing=False, live=False)
        case "speed":
            if request.speed is None:
                raise refusals.invalid("speed", "speed needs how fast: 0.25 to 64", 2, re=request.id)
            return msgspec.structs.replace(now, speed=float(request.speed), live=False)
        case "live":
            return msgspec.structs.replace(now, live=True, at_end=True, tick=None, playing=True, speed=1.0)
        case "view":
            live = now.live and request.as_player is None
            return msgspec.structs.replace(now, view_as=request.as_player, live=live)
        case "stop":
            raise AssertionError("a stream that is to stop is not asked for anew")


def _for(request: protocol.Request, error: protocol.Error) -> protocol.Error:
    """An error as an answer to this request, which has a name of its own for the tick at which a stream begins."""
    path = "tick" if error.path == "from_tick" and isinstance(request, protocol.Control) else error.path
    return msgspec.structs.replace(error, path=path)


def _nothing(world: str) -> protocol.Watching:
    """What somebody watches who does not watch yet."""
    return protocol.Watching(
        watch="",
        world=world,
        game="",
        live=False,
        playing=False,
        speed=1,
        tick=0,
        first_tick=0,
        last_tick=0,
        tick_hz=1,
        hz=1,
        players=[],
        marks=[],
        static=protocol.Scene(),
    )
