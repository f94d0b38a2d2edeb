"""What a command shows on standard error while it works: a bar that says how far it is with its bytes, or only that it
works; nothing where that is no terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

OnProgress = Callable[[int, int], object]
"""Told how many bytes of how many are done."""


@contextlib.contextmanager
def progress(doing: str) -> Iterator[OnProgress | None]:
    """Show a bar with the word ``doing`` while the block runs, from the first news on; None if nobody would see it.

    It begins with the first news because a bar has a thread, and some commands fork processes before that.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(doing, total=None)

    def show(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


@contextlib.contextmanager
def busy(doing: str) -> Iterator[None]:
    """Show that a command works, with the words ``doing``, while the block runs: how long that takes is not known."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield
