"""One child process of the supervisor: a shard, a gateway, a replayer or the checker, with the control link to it.

A child is started with one end of a socket pair as its control link. It is *lost* when that link has ended: everything
it ever sent has been read by then, so whatever it reported before it died is known before its loss is. It is *gone*
when the kernel says that the process has ended as well (a pidfd becomes readable, at once): only then may another take
its place.

Not here: what to do about a death (``server/slots.py``), and what is said over the link (``server/messages/``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from server.callpage import CallReader
from server.link import Link, attach
from server.messages import FromSupervisor, ToSupervisor
from server.process import python_environment

Kind = Literal["shard", "gateway", "replayer", "checker"]

LINK_LOST_GRACE_S: Final = 5.0  # a child that has closed its link is ending; one that does not end is stuck
_STANDARD_ERROR: Final = 2

_log = logging.getLogger("worldline.supervisor")


class Child:
    """A running child process. Made by `spawn`."""

    def __init__(
        self, kind: Kind, number: int, process: subprocess.Popen[bytes], on_lost: Callable[[Child], None]
    ) -> None:
        self.kind: Kind = kind
        self.number = number
        self.name = f"{kind}-{number:02}"
        self.pid = process.pid
        self.started_s = time.monotonic()
        self.calls: CallReader | None = None
        """Where a shard or a replayer says which world it is calling."""
        self.socket_path = ""
        """Where a replayer listens."""
        self._process = process
        self._on_lost = on_lost
        self._link: Link[ToSupervisor] | None = None
        self._loop = asyncio.get_running_loop()
        self._stuck_timer: asyncio.TimerHandle | None = None
        self._exited = False
        self.ready: asyncio.Future[None] = self._loop.create_future()
        """Done once the child has said that it is ready, or is gone."""
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done once the child is lost and its process has ended."""

    @property
    def is_ready(self) -> bool:
        """Whether the child has said that it is ready and is not lost."""
        return self.ready.done() and self._link is not None and not self._link.lost

    @property
    def in_a_call(self) -> bool:
        """Whether the child is, or was when it died, in a call into a world."""
        return self.calls is not None and self.calls.read() is not None

    @property
    def exit_code(self) -> int | None:
        """As `subprocess` gives it: negative for a signal; None while the process runs."""
        return self._process.returncode

    @property
    def ending(self) -> str:
        """How the process ended, for people: ``exit code 1``, ``signal 9 (SIGKILL)``."""
        code = self.exit_code
        if code is None:
            return "still running"
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):  # a signal without a name
            return f"signal {-code} ({signal.Signals(-code).name})"
        return f"signal {-code}"

    def send(self, message: FromSupervisor) -> None:
        """Send to the child; to one that is gone, nothing is sent."""
        if self._link is not None:
            self._link.send(message)

    def kill(self) -> None:
        """End the process now, by SIGKILL. Harmless if it has ended."""
        self._process.kill()  # knows whether it has been waited for, so it never hits another process of the same pid

    def mark_ready(self) -> None:
        """The child has said that it is ready."""
        if not self.ready.done():
            self.ready.set_result(None)

    # --- inside --------------------------------------------------------------------------------------

    async def _attach(self, ours: socket.socket, on_message: Callable[[Child, ToSupervisor], None]) -> None:
        def forward(_: Link[ToSupervisor], message: ToSupervisor) -> None:
            on_message(self, message)

        link = await attach(ours, ToSupervisor, forward, self._on_link_lost)
        if self._link is None:  # else the child has died meanwhile
            self._link = link

    def _watch(self) -> None:
        pidfd = os.pidfd_open(self.pid)

        def on_exit() -> None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
            self._process.wait()  # returns at once: the process has ended
            self._exited = True
            self._settle()

        self._loop.add_reader(pidfd, on_exit)

    def _on_link_lost(self, link: Link[Any]) -> None:
        self._link = link
        if not self._exited:
            self._stuck_timer = self._loop.call_later(LINK_LOST_GRACE_S, self._kill_stuck)
        self._on_lost(self)
        self._settle()

    def _kill_stuck(self) -> None:
        if not self._exited:
            _log.error("%s has closed its control link but does not end: killing it", self.name)
            self.kill()

    def _settle(self) -> None:
        if not self._exited or self._link is None or not self._link.lost or self.gone.done():
            return
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
        self.gone.set_result(None)
        self.mark_ready()


async def spawn(
    kind: Kind,
    number: int,
    on_message: Callable[[Child, ToSupervisor], None],
    on_lost: Callable[[Child], None],
    *,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Start ``python -m server.KIND`` and attach to it. Raises OSError if the machine cannot start a process.

    ``on_message`` is called for each of its messages in order, then ``on_lost`` once. ``pass_fds`` are inherited by
    the child under their numbers. The child dies with the thread that calls this.
    """
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            # -P: a folder `games` or `server` in the current directory must not be taken for ours.
            [sys.executable, "-P", "-m", f"server.{kind}", str(theirs.fileno()), str(os.getpid())],
            pass_fds=(theirs.fileno(), *pass_fds),
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,  # standard output belongs to the command that started the server
            env=python_environment(),
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    child = Child(kind, number, process, on_lost)
    child._watch()
    try:
        await child._attach(ours, on_message)
    except BaseException:  # also a cancelled start leaves no process behind
        child.kill()
        raise
    return child
