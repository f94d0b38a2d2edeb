"""How calls without `await` are made from a client with it: on a thread of its own that runs its event loop.

`called`, `made` and `streamed` turn a method of the awaited class into the same method without await: with its
arguments, its result and its description, for type checkers as for `help`.

Not here: which methods there are (``client.py``, ``player.py``, ``screen.py``).
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import wait
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

Result = TypeVar("Result")
Awaited = TypeVar("Awaited")
AnyFront = TypeVar("AnyFront", bound="Front[Any]")
Thing = TypeVar("Thing")
Given = ParamSpec("Given")

SIGNALS_SEEN_WITHIN_S: Final = 0.5
"""Python runs signal handlers only between two steps of the main thread. A signal that comes just before that thread
begins to wait, or that another thread receives, does not end the wait; so no wait is longer than this."""


class Background:
    """A thread that runs an event loop, and nothing else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="worldline client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run ``work`` there and return what it returns, or raise what it raises."""
        if self._loop.is_closed() or threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this client has been closed: connect again")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while not wait([future], timeout=SIGNALS_SEEN_WITHIN_S).done:
                pass
            return future.result()
        except BaseException:
            future.cancel()  # an interrupted caller: nobody will look at the result
            raise

    def stop(self) -> None:
        """End the loop and its thread. Nothing happens the second time."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_settle(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Front(Generic[Awaited]):
    """Stands before an object whose methods are awaited, and calls them on its client's thread."""

    def __init__(self, awaited: Awaited, background: Background) -> None:
        self._awaited = awaited
        self._background = background


def called(
    method: Callable[Concatenate[Awaited, Given], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Front[Awaited], Given], Result]:
    """The method, without await."""

    @functools.wraps(method)
    def call(front: Front[Awaited], /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        return front._background.run(method(front._awaited, *args, **kwargs))

    return call


def made(
    method: Callable[Concatenate[Awaited, Given], Coroutine[Any, Any, Result]],
    make: Callable[[AnyFront, Result], Thing],
) -> Callable[Concatenate[AnyFront, Given], Thing]:
    """The method, without await, and what ``make`` makes of its result."""

    @functools.wraps(method)
    def call(front: AnyFront, /, *args: Given.args, **kwargs: Given.kwargs) -> Thing:
        return make(front, front._background.run(method(front._awaited, *args, **kwargs)))

    return call


def streamed(
    method: Callable[Concatenate[Awaited, Given], AsyncIterator[Result]],
) -> Callable[Concatenate[Front[Awaited], Given], Iterator[Result]]:
    """The asynchronous iterator as a plain one."""

    @functools.wraps(method)
    def call(front: Front[Awaited], /, *args: Given.args, **kwargs: Given.kwargs) -> Iterator[Result]:
        stream = method(front._awaited, *args, **kwargs)
        while (item := front._background.run(_next(stream))) is not None:
            yield item

    signature = inspect.signature(method)
    told = str(signature.return_annotation).replace("Async", "", 1)  # for `help`
    call.__signature__ = signature.replace(return_annotation=told)  # type: ignore[attr-defined]
    return call


async def _settle() -> None:
    """Let everything that runs here come to its end, so that nobody waits for it for ever."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _next(stream: AsyncIterator[Result]) -> Result | None:
    return await anext(stream, None)
