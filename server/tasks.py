"""Tasks that nobody awaits."""

from __future__ import annotations

import asyncio


def never_unheard(task: asyncio.Task[None]) -> None:
    """For `asyncio.Task.add_done_callback`: a mistake in a task goes to the loop's exception handler at once."""
    if not task.cancelled():
        task.result()
