"""What happens in worlds, as lines to show, read from their logs while the server writes them.

The logs are read from the disk like anybody can read them, at most a second behind the worlds: what is shown here is
durable. Each followed world has a thread that waits for its file to grow; it only reads.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from eventlog.errors import EventLogError
from eventlog.reader import follow_world
from eventlog.records import (
    AbortEntry,
    Beat,
    Close,
    Entry,
    Fault,
    InputEntry,
    JoinEntry,
    LeaveEntry,
    OutcomeNote,
    Record,
    Tick,
)
from server.demo.model import Line

WORLDS_FOLLOWED: Final = 4  # a display has no room for more
LOOK_EVERY_S: Final = 0.25
JOIN_S: Final = 2.0
TEXT_MOST: Final = 160  # characters of an input or note on one line

_log = logging.getLogger("worldline.demo")


class Teller:
    """Turns one world's records, in order, into lines. No I/O.

    An input is told with its outcome, which stands in the record after it: at most a second later.
    """

    def __init__(self, world: str) -> None:
        self._world = world
        self._names: dict[str, tuple[str, int]] = {}
        self._waiting: dict[tuple[str, int], tuple[int, InputEntry]] = {}

    def tell(self, record: Record) -> list[Line]:
        """The lines that ``record`` gives."""
        lines: list[Line] = []
        if isinstance(record, Tick | Beat | Fault | Close):
            lines += [line for note in record.outcomes for line in self._outcome(note)]
        match record:
            case Tick():
                lines += [line for entry in record.entries for line in self._entry(record.tick, entry)]
            case Close():
                lines.append(self._line(record.tick, f"the world has ended: {record.reason}", "world"))
            case Fault():
                lines.append(self._line(record.tick, f"the world is faulted: {record.kind}", "server"))
        return lines

    def _entry(self, tick: int, entry: Entry) -> list[Line]:
        match entry:
            case JoinEntry():
                self._names[entry.player] = entry.name, entry.seat
                return [self._line(tick, f"joined on seat {entry.seat}", "join", entry.player)]
            case LeaveEntry():
                return [self._line(tick, f"is gone: {entry.reason}", "leave", entry.player)]
            case AbortEntry():
                return [self._line(tick, f"stopped: {entry.reason}", "server")]
            case InputEntry():
                self._waiting[entry.player, entry.seq] = tick, entry
        return []

    def _outcome(self, note: OutcomeNote) -> list[Line]:
        tick, entry = self._waiting.pop((note.player, note.seq), (None, None))
        if tick is None or entry is None:
            return []  # its input stands before the place where reading began
        status = note.status if note.code is None else f"{note.status}: {note.code}"
        text = f"{entry.name} {arguments(entry.args)}".rstrip() + f" {status}"
        return [self._line(tick, text, note.status, note.player, entry.note or "")]

    def _line(self, tick: int, text: str, kind: str, player: str = "", note: str = "") -> Line:
        name, seat = self._names.get(player, (player, None))
        return Line(
            text=one_line(text),
            kind=kind,
            world=self._world,
            tick=tick,
            player=one_line(name),
            seat=seat,
            note=one_line(note),
            notable=True,
        )


class Feed:
    """Follows the logs of a few worlds. `close` ends its threads."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._told: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def follow(self, worlds: Sequence[str]) -> None:
        """Follow the first `WORLDS_FOLLOWED` of all worlds ever named here."""
        for world in worlds:
            if world not in self._threads and len(self._threads) < WORLDS_FOLLOWED:
                thread = threading.Thread(target=self._run, args=(world,), name=f"follow {world}", daemon=True)
                self._threads[world] = thread
                thread.start()

    def take(self) -> list[Line]:
        """What was told since the last call, in the order in which it was read."""
        lines: list[Line] = []
        while True:
            try:
                lines.append(self._told.get_nowait())
            except queue.Empty:
                return lines

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join(JOIN_S)

    def _run(self, world: str) -> None:
        teller = Teller(world)
        try:
            for stored in follow_world(self._data, world, wait=self._wait):
                for line in teller.tell(stored.record):
                    self._told.put(line)
        except EventLogError as error:
            _log.warning("the log of %s cannot be followed: %s", world, error, extra={"world": world})

    def _wait(self) -> bool:
        """Wait until it is time to look again; false when the feed is closed."""
        return not self._stop.wait(LOOK_EVERY_S)


def arguments(args: dict[str, Any]) -> str:
    """The arguments of an input, as one types them."""
    return " ".join(f"{name}={value}" for name, value in args.items())


def one_line(text: str) -> str:
    """Other people's text on one line of a terminal: no control characters, no line breaks, not endless."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= TEXT_MOST else clean[: TEXT_MOST - 1] + "…"
