"""What a request of a client needs: an answer that is known here, or a question to the lobby or to a shard.

Pure: `plan` looks at the session and the catalogue and decides; it sends nothing and changes nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeGuard

from server import messages
from server.gateway import joincode, permissions, refusals
from server.gateway.backends import SUPERVISOR, Question
from server.gateway.catalogue import Catalogue
from server.gateway.session import Session
from worldline import protocol

WORLDS_PER_PAGE: Final = 20
STANDINGS_PER_PAGE: Final = 20
UNNUMBERED: Final = 0  # the table of open questions gives the number


OwnersRequest = protocol.Step | protocol.Play | protocol.Stop | protocol.Act


class Ask(NamedTuple):
    """Put ``question`` to ``target``: `SUPERVISOR` or a shard's number."""

    target: int
    question: Question
    world: str | None = None
    game: str | None = None


def plan(
    request: protocol.Request, session: Session, catalogue: Catalogue, secret: bytes, now_ms: int
) -> Ask | protocol.Reply:
    """Decide what happens with a request of a session that has said hello. Raises `Refused`."""
    assert session.agent is not None
    permissions.check(request, session.role)
    match request:
        case protocol.Ping():
            return protocol.Pong(server_time_ms=now_ms)
        case protocol.Rules():
            return catalogue.rules(request)
        case protocol.Games():
            return Ask(SUPERVISOR, messages.AskGameCounts(request=UNNUMBERED))
        case protocol.Worlds():
            return _worlds(request, session.agent, catalogue)
        case protocol.Leaderboard():
            return _leaderboard(request, catalogue)
        case protocol.Create():
            return _create(request, session.agent, session.role, catalogue)
        case protocol.Fork():
            fork = messages.AskFork(
                request=UNNUMBERED,
                agent=session.agent,
                role=session.role,
                world=request.world,
                tick=request.tick,
                private=request.private,
                key=request.key,
            )
            return Ask(SUPERVISOR, fork, request.world)
        case protocol.Join():
            return _join(request, session.agent, catalogue, secret)
        case protocol.Act() if request.inputs or request.step is None:
            return _act(request, session, catalogue)
        case protocol.Step() | protocol.Play() | protocol.Stop() | protocol.Act():
            seats = session.seats_in(request.world)
            if seats:
                return owners_request(request, session, seats[0].shard)
            # Its owner need not play in it: the lobby knows where it runs.
            return Ask(SUPERVISOR, messages.AskWorld(request=UNNUMBERED, world=request.world), request.world)
        case protocol.Input():
            return _input(request, session, catalogue)
        case protocol.Observe():
            return _observe(request, session)
        case protocol.Subscribe():
            return _subscribe(request, session)
        case protocol.Leave():
            seat = session.pick(request.world, request.player, request.id)
            if seat is None:
                return _no_seat(request.world)
            leave = messages.LeaveWorld(request=UNNUMBERED, world=seat.world, player=seat.player)
            return Ask(seat.shard, leave, seat.world, seat.game)
    raise AssertionError(f"no plan for {type(request).__name__}")


def join_world(request: protocol.Join, session: Session, placed: messages.Placed) -> Ask:
    """The second half of a join: the lobby has named the world and its shard."""
    assert session.agent is not None
    assert session.id is not None
    question = messages.JoinWorld(
        request=UNNUMBERED,
        world=placed.world,
        agent=session.agent,
        session=session.id,
        name=session.name,
        observe=request.observe,
        seats=request.seats,
        seat=request.seat,
        player=request.player,
        take=request.take,
    )
    return Ask(placed.shard, question, placed.world, placed.game)


def created(request: protocol.Request, world: str, secret: bytes) -> protocol.Created | protocol.Forked:
    """The answer to a create or a fork: a private world comes with the code that others need."""
    private = isinstance(request, protocol.Create | protocol.Fork) and request.private
    code = joincode.join_code(world, secret) if private else None
    if isinstance(request, protocol.Fork):
        return protocol.Forked(world=world, join_code=code)
    return protocol.Created(world=world, join_code=code)


def world_found(found: messages.WorldFound, asked: str, session: Session, re: int) -> protocol.Error:
    """Why a request to world ``asked`` is refused to a client without a seat there."""
    world = found.world
    if world is not None and world.status in ("finished", "closed", "faulted"):
        return refusals.world_ended(asked, world.status, found.reason or world.status, world.game, re)
    end = session.end_of(asked)
    if end is not None:
        # The client has been told of the end; the lobby's news of it is still under way.
        return refusals.world_ended(asked, end.status, end.reason, end.game, re)
    if world is None:
        return refusals.unknown_world(asked, found.nearest, re)
    return refusals.not_joined(asked, re)


def is_owners(request: protocol.Request) -> TypeGuard[OwnersRequest]:
    """Whether one need not play in a world to ask this of it, but own it."""
    return isinstance(request, protocol.Step | protocol.Play | protocol.Stop) or (
        isinstance(request, protocol.Act) and not request.inputs and request.step is not None
    )


def owners_request(request: OwnersRequest, session: Session, shard: int) -> Ask:
    """Ask the shard of a world to let it tick, or to end it."""
    assert session.agent is not None
    question: messages.StepWorld | messages.PlayWorld | messages.StopWorld | messages.ActPlayers
    if isinstance(request, protocol.Act):
        question = _act_question(request, session, [])
    elif isinstance(request, protocol.Step):
        question = messages.StepWorld(
            request=UNNUMBERED,
            world=request.world,
            agent=session.agent,
            ticks=request.ticks,
            at_tick=request.at_tick,
        )
    elif isinstance(request, protocol.Stop):
        by_developer = permissions.may(session.role, "developer")
        question = messages.StopWorld(
            request=UNNUMBERED, world=request.world, agent=session.agent, by_developer=by_developer
        )
    else:
        question = messages.PlayWorld(request=UNNUMBERED, world=request.world, agent=session.agent)
    return Ask(shard, question, request.world)


def _create(request: protocol.Create, agent: str, role: protocol.Role, catalogue: Catalogue) -> Ask:
    catalogue.require(request.game, request.id)
    # Who chooses how a world begins could choose one that suits them: such worlds do not count.
    chosen = request.settings or request.seed is not None or request.clock is not None or request.bots
    question = messages.AskCreate(
        request=UNNUMBERED,
        agent=agent,
        game=request.game,
        settings=catalogue.check_settings(request),
        seed=request.seed,
        clock=request.clock,
        private=request.private,
        ranked=not chosen and not request.private,
        bots=request.bots or 0,
        by_developer=role == "developer",
    )
    return Ask(SUPERVISOR, question, game=request.game)


def _worlds(request: protocol.Worlds, agent: str, catalogue: Catalogue) -> Ask:
    if request.game is not None:
        catalogue.require(request.game, request.id)
    question = messages.AskWorlds(
        request=UNNUMBERED,
        limit=request.limit or WORLDS_PER_PAGE,
        game=request.game,
        status=request.status,
        agent=agent if request.mine else None,
        after=request.next,
        world=request.world,
    )
    return Ask(SUPERVISOR, question)


def _leaderboard(request: protocol.Leaderboard, catalogue: Catalogue) -> Ask:
    catalogue.require(request.game, request.id)
    after = request.next or "0"
    if not (after.isascii() and after.isdecimal()):
        raise refusals.invalid(
            "next", f"{after!r} is not the next of an earlier page: leave it out for the first", None, re=request.id
        )
    limit = request.limit or STANDINGS_PER_PAGE
    question = messages.AskLeaderboard(request=UNNUMBERED, game=request.game, limit=limit, after=int(after))
    return Ask(SUPERVISOR, question, game=request.game)


def _join(request: protocol.Join, agent: str, catalogue: Catalogue, secret: bytes) -> Ask:
    if request.game is None and request.world is None:
        raise refusals.invalid(
            "game", "join needs a game or a world", catalogue.example, re=request.id, valid=catalogue.names
        )
    if request.game is not None and request.world is not None:
        raise refusals.invalid("world", "join takes a game or a world, not both", None, re=request.id)
    if request.game is not None:
        catalogue.require(request.game, request.id)
    _check_seats(request)
    question = messages.AskPlace(
        request=UNNUMBERED,
        agent=agent,
        game=request.game,
        world=request.world,
        invited=request.world is not None and joincode.opens(request.join_code, request.world, secret),
        seats=request.seats,
        seat=request.seat,
        player=request.player,
    )
    return Ask(SUPERVISOR, question, request.world, request.game)


def _check_seats(request: protocol.Join) -> None:
    """What is said of seats must fit together. Raises `Refused`."""
    named = [name for name in ("player", "seat") if getattr(request, name) is not None]
    if named and request.world is None:
        raise refusals.invalid(named[0], f"a {named[0]} is in a world: say in which", None, re=request.id)
    if request.seats > 1:
        named.append("seats")
    if len(named) > 1:
        first, second = named[:2]
        raise refusals.invalid(second, f"join takes {first} or {second}, not both", None, re=request.id)


def _wait(request: protocol.Observe) -> messages.Wait | None:
    """What the observation waits for; None if it is wanted now. Raises `Refused`."""
    if request.kinds is not None and request.until != "event":
        raise refusals.invalid(
            "until", "kinds says which events to wait for: it goes with until = event", "event", re=request.id
        )
    if request.until is None and request.after_tick is None and request.wait_ms is None:
        return None
    return messages.Wait(
        until=request.until or "tick",
        wait_ms=protocol.MAX_WAIT_MS if request.wait_ms is None else request.wait_ms,
        after_tick=request.after_tick,
        kinds=request.kinds,
    )


def _input(request: protocol.Input, session: Session, catalogue: Catalogue) -> Ask:
    seat = session.pick(request.world, request.player, request.id)
    if seat is None:
        return _no_seat(request.world)
    question = messages.PlayerInput(
        request=UNNUMBERED,
        world=seat.world,
        player=seat.player,
        name=request.name,
        args=catalogue.check(seat.game, request),
        seq=request.seq,
        note=request.note,
        seen_tick=request.seen_tick,
        expires_tick=request.expires_tick,
        observe=request.observe,
        since=seat.cursor,
        wait_ms=protocol.MAX_WAIT_MS if request.wait_ms is None else request.wait_ms,
    )
    return Ask(seat.shard, question, seat.world, seat.game)


def _act(request: protocol.Act, session: Session, catalogue: Catalogue) -> Ask:
    seats = session.seats_in(request.world)
    if not seats:
        return _no_seat(request.world)
    if not request.inputs:
        name, args = next(iter(catalogue.working_inputs.get(seats[0].game, {}).items()), ("", {}))
        example = [{"player": seats[0].player, "name": name, "args": args}]
        raise refusals.invalid("inputs", "an act has inputs, or a step, or both", example, re=request.id)
    inputs: list[messages.PlayerInput] = []
    for place, given in enumerate(request.inputs):
        if any(given.player == other.player for other in inputs):
            message = f"{given.player} acts twice: an act has one input of each"
            acting = {other.player for other in request.inputs}
            idle = next((seat.player for seat in seats if seat.player not in acting), None)
            if idle is None:
                once = list({other.player: other for other in request.inputs}.values())
                raise refusals.invalid("inputs", message, once, re=request.id)
            raise refusals.invalid(f"inputs[{place}].player", message, idle, re=request.id)
        seat = session.pick(request.world, given.player, request.id, path=f"inputs[{place}].player")
        assert seat is not None
        question = messages.PlayerInput(
            request=UNNUMBERED,
            world=seat.world,
            player=seat.player,
            name=given.name,
            args=catalogue.check_act(seat.game, request, place),
            seq=given.seq,
            note=given.note,
            seen_tick=request.at_tick,
        )
        inputs.append(question)
    return Ask(seats[0].shard, _act_question(request, session, inputs), request.world, seats[0].game)


def _act_question(request: protocol.Act, session: Session, inputs: list[messages.PlayerInput]) -> messages.ActPlayers:
    assert session.agent is not None
    viewers = session.seats_in(request.world) if request.observe else []
    return messages.ActPlayers(
        request=UNNUMBERED,
        world=request.world,
        agent=session.agent,
        inputs=inputs,
        viewers=[messages.Viewer(player=seat.player, since=seat.cursor) for seat in viewers],
        step=request.step,
        at_tick=request.at_tick,
        wait_ms=protocol.MAX_WAIT_MS if request.wait_ms is None else request.wait_ms,
    )


def _observe(request: protocol.Observe, session: Session) -> Ask:
    seat = session.pick(request.world, request.player, request.id)
    if seat is None:
        return _no_seat(request.world)
    question = messages.ObservePlayer(
        request=UNNUMBERED,
        world=seat.world,
        player=seat.player,
        since=seat.cursor if request.since is None else request.since,
        named=request.since is not None,
        format=request.format,
        wait=_wait(request),
    )
    return Ask(seat.shard, question, seat.world, seat.game)


def _subscribe(request: protocol.Subscribe, session: Session) -> Ask:
    if request.observe_hz is not None and request.observe_hz > session.observe_hz:
        message = f"observe_hz must be at most {session.observe_hz:g}, the requests a second that you have"
        raise refusals.invalid("observe_hz", message, session.observe_hz, re=request.id)
    if request.since is not None and not request.events:
        raise refusals.invalid("since", "since says from which event on: it goes with events", None, re=request.id)
    seat = session.pick(request.world, request.player, request.id)
    if seat is None:
        return _no_seat(request.world)
    question = messages.SubscribePlayer(
        request=UNNUMBERED, world=seat.world, player=seat.player, events=request.events, since=request.since
    )
    return Ask(seat.shard, question, seat.world, seat.game)


def _no_seat(world: str) -> Ask:
    """This session has no seat there: the lobby knows whether there is such a world, and how it ended."""
    return Ask(SUPERVISOR, messages.AskWorld(request=UNNUMBERED, world=world), world)
