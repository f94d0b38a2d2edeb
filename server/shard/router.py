"""Which of a shard's worlds a gateway's message is for: its host takes it, or the gateway hears why there is none.

Worlds that have ended are remembered for a while, so that whoever comes too late is told how they ended.

Invariant: every request reaches one host or gets one refusal. Nobody hears of a world's end before its last record is
durable.

Not here: what becomes of a request in its world (host), and when worlds are looked at (reads).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from eventlog.ticket import Ticket
from server import messages, refusals
from server.callpage import CallPage
from server.link import Link
from server.shard import replies
from server.shard.course import Course
from server.shard.host import WorldHost
from server.shard.outbox import Outbox
from server.shard.reads import Reads
from worldline import protocol

ENDED_KEPT: Final = 1000  # how many ended worlds are remembered, to say why they ended


class Ended(NamedTuple):
    """A world that has ended. Nobody hears of it before its last record is durable (``after``)."""

    game: str
    status: protocol.WorldStatus
    reason: str
    tick: int
    after: Ticket


class Router:
    """Takes what gateways send to one shard. ``report`` tells the supervisor, ``may_read`` says whether there is time
    to look at a world."""

    def __init__(
        self,
        hosts: Mapping[str, WorldHost],
        calls: CallPage,
        outbox: Outbox,
        report: Callable[[messages.Message, Ticket | None], None],
        *,
        may_read: Callable[[], bool],
    ) -> None:
        self._hosts = hosts
        self._calls = calls
        self._outbox = outbox
        self._report = report
        self._ended: OrderedDict[str, Ended] = OrderedDict()
        self.reads = Reads(
            calls,
            may_read=may_read,
            host_of=hosts.get,
            observe=self._observe,
            watch=self._watch,
            answer_view=lambda reply, host: report(reply, None if host is None else host.course.ticket),
        )
        self.gateways: set[Link[Any]] = set()
        self.draining = False
        """Set when the shard stops: from then on nothing is begun."""

    def ended(self, course: Course, after: Ticket) -> None:
        """A world has ended, and is no longer among the hosts: whoever asks hears how, once ``after`` is durable."""
        self._ended[course.id] = Ended(course.game, course.status, course.end_reason, course.world.tick, after)
        if len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

    def gateway_came(self, link: Link[Any]) -> None:
        """A gateway has connected. Worlds that stood still before have told only those that were there."""
        self.gateways.add(link)
        for host in self._hosts.values():
            if host.course.why_paused is not None:
                link.send(messages.Push(world=host.id, message=replies.paused(host.id, host.course.why_paused)))

    def message(self, link: Link[Any], message: messages.GatewayToShard) -> None:
        """Bring a gateway's message to its world."""
        if isinstance(message, messages.ObservePlayer | messages.WatchWorld):
            self.reads.put(link, message)
            return
        if isinstance(message, messages.NeedWhole | messages.StopWatching):
            self._spectators(link, message)
            return
        if isinstance(message, messages.PlayerDetached | messages.PlayerDriven):
            self._spoken_for(link, message)
            return
        if isinstance(message, messages.AttachPlayer):
            self._attach(link, message)
            return
        if self.draining:
            link.send(messages.Answer(request=message.request, message=refusals.draining()))
            return
        host = self._host_or_refuse(link, message.request, message.world)
        if host is None:
            if isinstance(message, messages.JoinWorld):
                self._report(messages.JoinRefused(world=message.world, agent=message.agent), None)
            return
        with self._calls.during(host.id, host.world.tick, "entries"):
            match message:
                case messages.JoinWorld():
                    host.join(link, message)
                case messages.PlayerInput():
                    host.input(link, message)
                case messages.SubscribePlayer():
                    host.subscribe(link, message)
                case messages.ActPlayers():
                    host.act(link, message)
                case messages.LeaveWorld():
                    host.leave(link, message)
                case messages.StepWorld():
                    host.step(link, message)
                case messages.PlayWorld():
                    host.play(link, message)
                case messages.StopWorld():
                    host.stop(link, message)

    def _observe(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        host = self._host_or_refuse(link, message.request, message.world)
        if host is not None:
            with self._calls.during(host.id, host.world.tick, "observe"):
                host.observe(link, message)

    def _watch(self, link: Link[Any], message: messages.WatchWorld) -> None:
        host = self._host_or_refuse(link, message.request, message.world)
        if host is not None:
            with self._calls.during(host.id, host.world.tick, "view"):
                host.watch(link, message)

    def _spectators(self, link: Link[Any], message: messages.NeedWhole | messages.StopWatching) -> None:
        host = self._hosts.get(message.world)
        if host is None:
            return  # its streams have ended with it
        if isinstance(message, messages.NeedWhole):
            host.course.audience.need_whole(link, message.watch)
        else:
            host.course.audience.stop(link, message.watch, message.opening)

    def _spoken_for(self, link: Link[Any], message: messages.PlayerDriven | messages.PlayerDetached) -> None:
        host = self._hosts.get(message.world)
        ended = self._ended.get(message.world)
        if host is not None:
            host.spoken_for(link, message)
        elif ended is not None and isinstance(message, messages.PlayerDriven):
            # It ended on its way back, perhaps before this gateway was there to hear of it.
            closed = protocol.Closed(world=message.world, reason=ended.reason, status=ended.status)
            self._outbox.send(link, messages.Push(world=message.world, message=closed), ended.after)

    def _attach(self, link: Link[Any], message: messages.AttachPlayer) -> None:
        host = self._hosts.get(message.world)
        if host is not None:
            host.attach(link, message)
            return
        ended = self._ended.get(message.world)
        reason, tick, after = ("closed", 0, None) if ended is None else (ended.reason, ended.tick, ended.after)
        self._outbox.send(link, messages.PlayerAbsent(request=message.request, reason=reason, tick=tick), after)

    def _host_or_refuse(self, link: Link[Any], request: int, world: str) -> WorldHost | None:
        """The world's host; if it is not (or no longer) here, the request is answered with why."""
        host = self._hosts.get(world)
        if host is None:
            ended = self._ended.get(world)
            error = refusals.unknown_world(world, []) if ended is None else refusals.world_ended(world, *ended[:3])
            self._outbox.send(link, messages.Answer(request=request, message=error), ended and ended.after)
        return host

    def gateway_lost(self, link: Link[Any]) -> None:
        """A gateway is gone, and with it all for whom it spoke."""
        self.gateways.discard(link)
        for host in list(self._hosts.values()):
            host.link_lost(link)
