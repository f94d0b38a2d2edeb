"""Code of a game that nobody has tried is run in a process of its own, which is ended when a call does not come back.

What ends it is what ends a shard: the processor time of one call (``serve --tick-timeout-ms``). Where the game was,
that process has noted (``replays/calls.py``). If it was in the middle of many ticks, everything is done once more, and
these ticks one by one, so that the tick and what is called in it can be named.

Not here: what is done there.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from replays import calls
from server.callpage import WATCH_EVERY_S
from server.commands.output import CommandError
from server.commands.progress import busy
from server.process import cpu_seconds_of, die_with_parent

TIMEOUT_MS: Final = 2000
MANY_TICKS: Final = 2.0
"""A call that runs many ticks may take so many times as long, before these ticks are run one by one to see."""
MANY_OTHERS: Final = 10.0
"""And so many times, while others are run one by one."""
MEMORY_BYTES: Final = 1 << 30
"""More than this process has: a world may hold 64 MiB, and there are two, copies of their states, and keyframes."""

Found = TypeVar("Found")


class _Stuck(Exception):
    """A call does not come back."""

    def __init__(self, call: calls.Call, how: str) -> None:
        super().__init__(str(call))
        self.call = call
        self.how = how


def timeout_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--tick-timeout-ms`` (argument ``timeout_ms``) to a command."""
    return click.option(
        "--tick-timeout-ms",
        "timeout_ms",
        default=TIMEOUT_MS,
        show_default=True,
        type=click.IntRange(min=10),
        help="A tick that uses more processor time than this is taken for one that never ends.",
    )(function)


def watched(do: Callable[[], Found], of: str, doing: str, timeout_ms: int = TIMEOUT_MS) -> Found:
    """What ``do`` returns or raises in a process of its own. ``of`` names the code, ``doing`` what the user waits for.

    Raises `CommandError` if a call into the game does not come back, or takes the process down.
    """
    try:
        try:
            return _done(do, doing, timeout_ms / 1000, range(0))
        except _Stuck as stuck:
            # Once more, and closely there: which tick is it, and what in it?
            return _done(do, doing, timeout_ms / 1000, range(stuck.call.first, stuck.call.last + 1))
    except _Stuck as stuck:
        raise CommandError(
            f"{of} {stuck.how} at {stuck.call}", "look there for a loop that does not end, or for what takes so much"
        ) from stuck


def _done(do: Callable[[], Found], doing: str, timeout_s: float, closely: range) -> Found:
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="worldline-watched-") as folder:
        page = Path(folder) / "calls"
        calls.make(page)
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(theirs, do, page, closely, os.getpid()), daemon=True)
        child.start()  # before there is a thread that shows how it goes
        theirs.close()
        try:
            with busy(doing):
                many_s = timeout_s * (MANY_OTHERS if closely else MANY_TICKS)
                kind, *said = _answer(child.pid or 0, ours, page, timeout_s, many_s)
        finally:
            child.kill()
            child.join()
            ours.close()
    if kind == "done":
        result: Found = said[0]
        return result
    error, args, facts = said
    raised = error.__new__(error, *args)
    raised.__dict__.update(facts)
    raise raised


def _answer(pid: int, answer: Connection, page: Path, timeout_s: float, many_s: float) -> tuple[Any, ...]:
    """What the process says. Raises `_Stuck`."""
    number, since_s = 0, 0.0
    last = calls.Call(0, 0, 0, "before the game was called")
    while not answer.poll(WATCH_EVERY_S):
        call, used_s = calls.read(page), cpu_seconds_of(pid)
        if call is None or call.number != number:
            number, since_s = (0 if call is None else call.number), used_s
            last = call or last
            continue
        if used_s - since_s > (many_s if call.last > call.first else timeout_s):
            raise _Stuck(call, f"has not come back after {used_s - since_s:.1f} s of processor time")
    try:
        said: tuple[Any, ...] = answer.recv()
    except EOFError:
        raise _Stuck(calls.read(page) or last, "took its process down") from None
    return said


def _child(answer: Connection, do: Callable[[], Any], page: Path, closely: range, parent_pid: int) -> None:
    """Do it, and say what came of it: an exception as its parts, since not each can be made of its text."""
    die_with_parent(parent_pid)
    calls.note_in(page)
    calls.look_closely(closely)
    _limit_memory()
    try:
        said: tuple[Any, ...] = ("done", do())
    except Exception as error:
        said = ("raised", type(error), error.args, error.__dict__)
    answer.send(said)


def _limit_memory() -> None:
    """Lua gets an error when there is no more memory for it, and says where it was."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if most < 0 else min(limit, most), most))
