"""The other processes that a gateway asks, and who waits for which answer.

Every question gets its number here and stays in the table until its answer comes or its link is lost; so no client
waits for an answer that cannot come. The supervisor is asked over the control link, shards over links of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgspec

from server import messages
from server.gateway.session import Session
from server.link import Link, connect_unix
from worldline import protocol

if TYPE_CHECKING:
    from server.gateway.watching import Viewer

SUPERVISOR: Final = -1
"""Stands for the supervisor where shards have numbers; another one than `messages.NO_SHARD`."""

_log = logging.getLogger("worldline.gateway")

Question = (
    messages.AskPlace
    | messages.AskCreate
    | messages.AskWorlds
    | messages.AskWorld
    | messages.AskGameCounts
    | messages.AskSession
    | messages.AskLeaderboard
    | messages.JoinWorld
    | messages.PlayerInput
    | messages.ActPlayers
    | messages.ObservePlayer
    | messages.SubscribePlayer
    | messages.LeaveWorld
    | messages.StepWorld
    | messages.PlayWorld
    | messages.StopWorld
    | messages.AttachPlayer
    | messages.WatchWorld
    | messages.OpenStream
    | messages.ReadLog
    | messages.AskFork
    | messages.ReadState
)


class Waiting(msgspec.Struct, eq=False):
    """A client's request whose answer is not here yet. ``asked`` is the process that has it now."""

    session: Session
    request: protocol.Request
    ignored: list[str] | None = None
    hint: str | None = None
    asked: int = SUPERVISOR
    world: str | None = None
    game: str | None = None
    player: str | None = None
    question: Question | None = None
    """What was asked last."""
    pushed: asyncio.Future[messages.AnyAnswer | None] | None = None
    """Nobody has asked: the answer is for a subscriber; None: there is none."""
    viewer: Viewer | None = None
    """The watch for which this is asked."""


def _is_patient(question: Question | None) -> bool:
    """Whether the answer may take long because its client wants to wait."""
    return isinstance(question, messages.ObservePlayer) and question.wait is not None


class _Shard:
    """A link to a shard or a replayer, and what is to be sent once it is up."""

    def __init__(self) -> None:
        self.expected = False
        """It is being started: nobody has said yet where it is."""
        self.link: Link[Any] | None = None
        self.unsent: list[messages.Message] = []


class Backends:
    """Links, and the table of open questions.

    ``on_message(shard, message)`` is called for what shards send, ``on_lost(shard)`` when one is gone.
    """

    def __init__(
        self,
        control: Link[Any],
        on_message: Callable[[int, messages.ShardToGateway], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._control = control
        self._on_message = on_message
        self._on_lost = on_lost
        self._shards: dict[int, _Shard] = {}
        self._paths: dict[int, str] = {}
        """Where each was last."""
        self._numbers = count(1)
        self._waiting: dict[int, Waiting] = {}
        self._inquiries: dict[int, tuple[int, asyncio.Future[Any]]] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def open_questions(self) -> int:
        """How many answers are awaited for clients that are still there, and will come soon."""
        return sum(not waiting.session.gone and not _is_patient(waiting.question) for waiting in self._waiting.values())

    def ask(self, target: int, question: Question, waiting: Waiting) -> bool:
        """Send a question to a shard (or `SUPERVISOR`) for ``waiting``. False if that shard is not there."""
        question.request = next(self._numbers)
        waiting.asked, waiting.question = target, question
        if not self.tell(target, question):
            return False
        self._waiting[question.request] = waiting
        return True

    def inquire(self, target: int, question: Question) -> asyncio.Future[Any]:
        """Ask for somebody who has no session. The future gets the answer; its exception is ConnectionError if that
        process is not there, or is lost."""
        question.request = next(self._numbers)
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.tell(target, question):
            self._inquiries[question.request] = target, answered
        else:
            answered.set_exception(ConnectionError(f"process {target} is not there"))
        return answered

    def settle(self, number: int, answer: Any) -> bool:
        """The answer to question ``number``: True if that was an inquiry, whose asker may have gone meanwhile."""
        inquiry = self._inquiries.pop(number, None)
        if inquiry is None:
            return False
        _, answered = inquiry
        if not answered.done():
            answered.set_result(answer)
        return True

    def tell(self, target: int, message: messages.Message) -> bool:
        """Send a message that has no answer. False if that shard is not there."""
        if target == SUPERVISOR:
            self._control.send(message)
            return True
        shard = self._shards.get(target)
        if shard is None:
            return False
        if shard.link is None:
            shard.unsent.append(message)
        else:
            shard.link.send(message)
        return True

    @property
    def ready(self) -> bool:
        """Whether worlds can be played: there are shards, and all that there are can be asked."""
        shards = [shard for number, shard in self._shards.items() if number >= 0]  # replayers come and go
        return bool(shards) and all(shard.link is not None for shard in shards)

    def congested(self, target: int) -> bool:
        """Whether a shard is so far behind that it should get no new work."""
        shard = self._shards.get(target)
        return shard is not None and shard.link is not None and shard.link.congested

    def take(self, number: int) -> Waiting | None:
        """Whoever waits for the answer to question ``number``; the question is settled then."""
        return self._waiting.pop(number, None)

    def take_all(self, target: int) -> list[Waiting]:
        """All who wait for an answer from ``target``; their questions are settled then."""
        numbers = [number for number, waiting in self._waiting.items() if waiting.asked == target]
        return [self._waiting.pop(number) for number in numbers]

    # links to shards

    def shard_up(self, number: int, socket_path: str) -> None:
        """Connect to a shard, once. What is sent meanwhile goes out when the link is up."""
        known = self._shards.get(number)
        if known is not None and not known.expected:
            return
        shard = self._shards[number] = known or _Shard()
        shard.expected = False
        self._paths[number] = socket_path
        task = asyncio.get_running_loop().create_task(self._connect(number, shard, socket_path))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def expect(self, number: int) -> bool:
        """What is sent to this process waits until it is up. Returns whether it has to be started first."""
        if number in self._shards:
            return False
        shard = self._shards[number] = _Shard()
        shard.expected = True
        return True

    def lost_at(self, number: int) -> str | None:
        """Where a process listened that is not there any more."""
        return self._paths.get(number)

    def shard_down(self, number: int, *, also_expected: bool = True) -> None:
        """The supervisor says that this process has died. Unless ``also_expected``, one that is being started is not
        the one that is meant."""
        shard = self._shards.get(number)
        if shard is not None and (also_expected or not shard.expected):
            self._lost(number, shard)

    async def _connect(self, number: int, shard: _Shard, socket_path: str) -> None:
        try:
            link: Link[Any] = await connect_unix(
                socket_path,
                messages.ShardToGateway,
                lambda _, message: self._on_message(number, message),
                lambda _: self._lost(number, shard),
            )
        except OSError as error:
            _log.error("cannot connect to shard %d: %s", number, error)
            self._lost(number, shard)
            return
        shard.link = link
        for message in shard.unsent:
            link.send(message)
        shard.unsent.clear()

    def _lost(self, number: int, shard: _Shard) -> None:
        # A restarted shard has the same number: its link must survive late news of the old one's end.
        if self._shards.get(number) is shard:
            del self._shards[number]
            if shard.link is not None:
                shard.link.close()
            for question, (target, answered) in list(self._inquiries.items()):
                if target == number:
                    del self._inquiries[question]
                    if not answered.done():
                        answered.set_exception(ConnectionError(f"process {number} was lost"))
            self._on_lost(number)
