"""One world in its shard as gateways see it: what is asked of it, and what is done about it.

Each request is answered at once, or becomes something that waits for the world's course, which answers it.

Invariant: every request gets exactly one answer.

Not here: ticks and the end of the world (course), what waits (inbox), who speaks for a player (drivers), which inputs
are taken (admission), what players see (sight), how answers leave (desk) and look on the wire (replies).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from eventlog.records import Genesis, JoinEntry
from games.errors import ObservationFailed, WorldFaulted
from games.runtime.world import World
from server import messages, refusals
from server.link import Link
from server.rates import InputRate
from server.shard import admission, replies, reports, seating
from server.shard.course import Course
from server.shard.drivers import Subscription
from server.shard.history import History
from server.shard.inbox import (
    Asker,
    InputAsker,
    JoinAsker,
    PendingClock,
    PendingInput,
    PendingJoin,
    PendingLeave,
)
from server.shard.pace import Step
from server.shard.sight import logged
from server.shard.surroundings import Surroundings
from worldline import protocol

_log = logging.getLogger("worldline.shard")


class WorldHost:
    """One world and its requests. The owner in its genesis may say when it ticks, as long as its clock is manual; if it
    has none, whoever plays in it."""

    def __init__(
        self,
        world: World,
        history: History,
        surroundings: Surroundings,
        genesis: Genesis,
        *,
        rate: InputRate | None,
        eager: bool,
        dev: bool,
        fair_play: bool,
    ) -> None:
        self.course = Course(world, history, surroundings, rate=rate, eager=eager, dev=dev, fair_play=fair_play)
        self.world = world
        self.id = world.id
        self._genesis = genesis
        self._manifest = world.code.manifest
        self._inbox = self.course.inbox
        self._drivers = self.course.drivers
        self._desk = self.course.desk
        self._sight = self.course.sight

    def restored(self, joined: Mapping[str, JoinEntry]) -> messages.WorldRestored:
        """Take over those who sit in a world that was played before; return the report of it.

        ``joined`` says how they came, by player. Nobody drives them yet: their grace begins.
        """
        for player, entry in joined.items():
            self._drivers.seated(player, entry.agent, entry.session)
        self.course.restored(len(joined))
        return reports.restored(self.world, self._sight.status, joined, self._genesis)

    # --- requests ------------------------------------------------------------------------------------

    def join(self, link: Link[Any], message: messages.JoinWorld) -> None:
        """Seat an agent, at the next tick or at once if the world does not tick yet."""
        asker = Asker(link, message.request)
        granted = seating.judge(self.world, self._inbox, self._drivers, message, self._most_seats(message.agent))
        if isinstance(granted, protocol.Error):
            self._desk.refuse_join(asker, message.agent, granted)
            return
        if self.course.why_paused is not None and (granted.new or granted.coming):
            self._desk.refuse_join(asker, message.agent, refusals.world_paused(self.id, self.course.why_paused))
            return
        if not self._inbox.has_room(len(granted.new)):
            overloaded = replies.overloaded(self.id, len(self._inbox), self.course.pace.retry_after_ms)
            self._desk.refuse_join(asker, message.agent, overloaded)
            return
        new = [PendingJoin([], message.agent, message.session, message.name, seat) for seat in granted.new]
        joining = JoinAsker(
            asker, message.session, message.observe, granted.players, (*granted.coming, *new), message.seats > 1
        )
        if joining.coming:
            joining.coming[-1].askers.append(joining)
        if new:
            self.course.take(new)
        elif not joining.coming:  # asked twice: the same seats, driven from here now
            self.course.telling.joined(joining)

    def _most_seats(self, agent: str) -> int:
        """How many seats one agent may have here: in a world that counts as many as the game says, in one among
        friends, or that its owner makes tick, or that is nobody's and stands still, all."""
        own = self.world.clock == "manual" and self._genesis.owner in (agent, None)
        return self._manifest.max_players if self._genesis.private or own else self._manifest.seats_per_agent

    def input(self, link: Link[Any], message: messages.PlayerInput) -> None:
        """Queue an input for the next tick; or say at once why not, or what became of it the first time."""
        asker = InputAsker(Asker(link, message.request), message.observe, message.since)
        if message.player in self.world.players and message.seen_tick is not None:
            self._drivers.heard(message.player).saw(message.seen_tick)
        pace, paused = self.course.pace, self.course.why_paused
        match admission.judge(self.world, self._inbox, pace, message, self._sight.status):
            case admission.Taken() if paused is not None:
                self._desk.refuse(asker.asker, refusals.world_paused(self.id, paused))
            case admission.Taken() as taken:
                pending = admission.pending_input(message, taken, asker)
                pace.take(message.player)
                self._inbox.put(pending)
                self._wait_at_most(message.wait_ms, pending, asker)
                if not pace.realtime:
                    self.course.wake()
            case admission.Waiting(pending):
                pending.askers.append(asker)
                self._wait_at_most(message.wait_ms, pending, asker)
            case admission.Again(first):
                self.course.telling.outcome(asker, first, message.seen_tick, duplicate=True)
                if self._sight.fault is not None:
                    self.course.end_faulted(self._sight.fault)
            case error:
                self._desk.refuse(asker.asker, error)

    def act(self, link: Link[Any], message: messages.ActPlayers) -> None:
        """Let several players act, and run ticks if the owner of a manual world says so."""
        asker = Asker(link, message.request)
        refusal = None if message.step is None else self._not_yours(message.agent)
        if refusal is None:
            self.course.acts.put(asker, message)
        else:
            self._desk.refuse(asker, refusal)

    def _wait_at_most(self, wait_ms: int, pending: PendingInput, asker: InputAsker) -> None:
        """Tell an asker that its input is pending, if its tick has not run by then. The input stays."""

        def lose_patience() -> None:
            if self._inbox.waiting(pending.player, pending.seq) is pending and asker in pending.askers:
                pending.askers.remove(asker)
                self._desk.refuse(asker.asker, replies.pending(self.world, pending))

        # Where time makes the world tick, nobody who has not asked for it waits for as long as that.
        if wait_ms < protocol.MAX_WAIT_MS or not self.course.pace.realtime:
            asyncio.get_running_loop().call_later(wait_ms / 1000, lose_patience)

    def observe(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        """Answer what a player sees now. Called in the slack between ticks."""
        asker = Asker(link, message.request)
        if message.player not in self.world.players:
            self._desk.refuse(asker, replies.not_joined(message.player, self.id))
            return
        paused = None if self.course.waits_for_author else self.course.why_paused
        if paused is not None and self._desk.is_behind:  # what it would see may stay undone for long
            self._desk.refuse(asker, refusals.world_paused(self.id, paused))
            return
        if message.named:
            self._drivers.heard(message.player).named(message.since)
        if message.wait is not None:
            refusal = replies.cannot_wait(message.wait, self.world)
            if refusal is not None:
                self._desk.refuse(asker, refusal)
                return
            if self.course.why_paused is None:
                self.course.waits.put(link, message)
                return
            message.woke = "now"
        try:
            seen = self._sight.observation(message.player, message.since, message.format)
            seen.woke = message.woke
            self._desk.answer(asker, seen)
        except ObservationFailed as failure:
            reference = logged(failure, self.world.players[message.player].agent)
            self._desk.refuse(asker, replies.observe_failed(failure, reference))
        except WorldFaulted as fault:
            self.course.end_faulted(fault, also_refuse=[PendingLeave(asker, message.player, "")])

    def subscribe(self, link: Link[Any], message: messages.SubscribePlayer) -> None:
        """Push the events of a player, or no longer."""
        self.course.subscribers.put(Asker(link, message.request), message)
        if self._sight.fault is not None:
            self.course.end_faulted(self._sight.fault)

    def watch(self, link: Link[Any], message: messages.WatchWorld) -> None:
        """Let a gateway's client watch. Called in the slack between ticks."""
        try:
            self.course.audience.watch(link, message)
        except WorldFaulted as fault:
            self.course.end_faulted(fault, also_refuse=[PendingLeave(Asker(link, message.request), "", "")])

    def leave(self, link: Link[Any], message: messages.LeaveWorld) -> None:
        """Take a player out, at the next tick or at once if the world does not tick yet."""
        asker = Asker(link, message.request)
        if message.player not in self.world.players or self._inbox.leave_waiting(message.player):
            self._desk.refuse(asker, replies.not_joined(message.player, self.id))
        elif self.course.why_paused is not None:
            self._desk.refuse(asker, refusals.world_paused(self.id, self.course.why_paused))
        else:
            self.course.take([PendingLeave(asker, message.player, "left")])

    def step(self, link: Link[Any], message: messages.StepWorld) -> None:
        """Run so many ticks for the owner of a manual world, one after the other, as other worlds' ticks allow."""
        asker = Asker(link, message.request)
        tick = self.world.tick + sum(step.ticks for step in self.course.pace.steps)
        refusal = self._not_yours(message.agent)
        if refusal is None and message.at_tick not in (None, tick):
            refusal = replies.wrong_tick(message.at_tick or 0, tick)
        if refusal is not None:
            self._desk.refuse(asker, refusal)
            return
        self.course.pace.steps.append(Step(asker, message.ticks))
        self.course.wake()

    def play(self, link: Link[Any], message: messages.PlayWorld) -> None:
        """Let a manual world run by its game's clock from now on."""
        asker = Asker(link, message.request)
        refusal = self._not_yours(message.agent)
        if refusal is not None:
            self._desk.refuse(asker, refusal)
            return
        self.course.apply_now([PendingClock(asker, self._manifest.clock)])

    def stop(self, link: Link[Any], message: messages.StopWorld) -> None:
        """End the world for its owner, or for a developer."""
        asker = Asker(link, message.request)
        if not message.by_developer and message.agent != self._genesis.owner:
            self._desk.refuse(asker, replies.not_yours_to_stop(self.id, self._genesis.owner))
        elif self.course.why_paused is not None:
            self._desk.refuse(asker, refusals.world_paused(self.id, self.course.why_paused))
        else:
            self.course.close("stopped")
            self._desk.answer(asker, protocol.Stopped(world=self.id, tick=self.world.tick))

    def _not_yours(self, agent: str) -> protocol.Error | None:
        """Why an agent may not say when this world ticks; None if it may."""
        if agent != self._genesis.owner and not self._nobody_s_and_plays(agent):
            return replies.not_owner(self.id, self._genesis.game, self._genesis.owner, manual=self.course.pace.manual)
        if not self.course.pace.manual:
            return replies.not_manual(self.id, self.world.clock)
        paused = self.course.why_paused
        return None if paused is None else refusals.world_paused(self.id, paused)

    def _nobody_s_and_plays(self, agent: str) -> bool:
        """Whether this agent plays in a fork that has no owner: then it may say when it ticks."""
        return self._genesis.owner is None and bool(self._drivers.players_of(agent))

    def attach(self, link: Link[Any], message: messages.AttachPlayer) -> None:
        """The player's session is back: it is driven from here now, and its grace is over. Another session of its
        agent hears of it."""
        player = self.world.players.get(message.player)
        if player is None:
            reason, tick = self._drivers.why_gone(message.player)
            asker = Asker(link, message.request)
            self._desk.send(asker, messages.PlayerAbsent(request=message.request, reason=reason, tick=tick))
            return
        yours = self._drivers.session_of(player.id) == message.session
        if yours:
            self._drivers.drive(player.id, link, message.session)
        seated = replies.resumed(self.world, player.id, status=self._sight.status)
        seated.yours, seated.driven = yours, self._drivers.is_driven(player.id)
        attached = messages.PlayerAttached(
            request=message.request,
            player=seated,
            since=self._drivers.heard(player.id).since,
        )
        self._desk.send(Asker(link, message.request), attached)

    def spoken_for(self, link: Link[Any], message: messages.PlayerDriven | messages.PlayerDetached) -> None:
        """A gateway says whether it has a connection for this player."""
        if isinstance(message, messages.PlayerDetached):
            if self._drivers.detached(link, message.player, message.session):
                self.course.waits.wake(message.player, "now")  # nobody hears the answer, but every request gets one
        elif message.player in self.world.players:
            self.course.telling.drive(message.player, link, message.session)
            if message.events_since is not None:
                self._drivers.subscribe(message.player, Subscription(message.events_since))
                self.course.subscribers.look()

    def link_lost(self, link: Link[Any]) -> None:
        """A gateway is gone, and with it the connections of its players."""
        self._drivers.link_lost(link)
        self.course.waits.forget(link)
        self.course.audience.link_lost(link)

    # --- housekeeping --------------------------------------------------------------------------------

    def check(self, now_s: float) -> None:
        """Once a second: who has been away for too long, and has the world been empty for too long?"""
        if self.course.why_paused is not None:
            return
        for player in self._drivers.alone_for(self._manifest.grace_s, now_s):
            if not self._inbox.leave_waiting(player):
                self.course.take([PendingLeave(None, player, "timeout")])
        if self._drivers.empty_for(self._manifest.idle_s, now_s):
            self.course.close("idle")

    def pulse(self) -> messages.WorldPulse:
        """How the world is doing."""
        return self.course.pulse()

    def statistics(self, now_s: float) -> messages.WorldStatistics:
        """What the world has cost."""
        return reports.statistics(self.world, self.course.meters, now_s)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
