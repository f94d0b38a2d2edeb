"""Where a person's lines come from: a terminal with completion and a history, or any other standard input.

A terminal shows what happens meanwhile above the line that is being typed, and below it what one sees now.
Not here: what a line does (``play.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

import worldline
from server.byhand import telling, words
from server.byhand.play import Table

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document


async def sit(client: worldline.Client, player: worldline.Player, game: str) -> None:
    """Play until it is over or the lines end; then give the seat back. Raises `worldline.Disconnected`."""
    rules = await client.rules(game)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    table = Table(player, rules, print)
    watching: asyncio.Task[None] | None = None
    try:
        with _undisturbed() if interactive else contextlib.nullcontext():
            await table.welcome(rules)
            lines = _typed(table) if interactive else _piped()
            if interactive:
                watching = asyncio.create_task(table.watch())
            async for line in lines:
                await table.line(line)
                if table.over.is_set():
                    break
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        with contextlib.suppress(worldline.WorldlineError):
            await table.leave()


def _undisturbed() -> contextlib.AbstractContextManager[None]:
    """What is printed while a line is being typed appears above it."""
    from prompt_toolkit.patch_stdout import patch_stdout

    return patch_stdout()


async def _piped() -> AsyncIterator[str]:
    """The lines of standard input, read where they disturb nothing."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


async def _typed(table: Table) -> AsyncIterator[str]:
    """The lines that a person types, until Ctrl-C, Ctrl-D, or the end of the game."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer, Completion

    class Inputs(Completer):
        """Completes the game's inputs."""

        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            """What the word under the cursor could be."""
            line = document.text_before_cursor
            begun = line.split(" ")[-1]
            for text in words.complete(line, table.inputs):
                yield Completion(text, start_position=-len(begun))

    def toolbar() -> str:
        return "" if table.seen is None else " · ".join(telling.observation(table.seen)[:1])

    session: PromptSession[str] = PromptSession(
        "> ",
        completer=Inputs(),
        complete_while_typing=False,
        bottom_toolbar=toolbar,
        refresh_interval=0.5,
        interrupt_exception=EOFError,  # one that a task raises would end the loop, and the seat would stay taken
    )
    over = asyncio.create_task(table.over.wait())
    try:
        while not table.over.is_set():
            typing = asyncio.create_task(session.prompt_async())
            await asyncio.wait([typing, over], return_when=asyncio.FIRST_COMPLETED)
            if not typing.done():
                typing.cancel()
                await asyncio.wait([typing])
                return
            try:
                yield typing.result()
            except EOFError:
                return
    finally:
        over.cancel()
