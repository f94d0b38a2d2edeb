"""Collects problems while a game is played, and says where each comes from. The same problem counts up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from games.checking.report import Kind, Problem
from games.checking.source import Place, function_place
from games.code import GameCode
from games.errors import GameError, WorldFaulted
from games.runtime.results import DebugLine
from games.tracebacks import Raised, read_line

_LOST: Final = re.compile(r"(?P<what>.+) has a number that cannot be sent(?: at (?P<path>\S+))?: it goes out as null")
_FUNCTION: Final = re.compile(r"\bgame\.(\w+)")
_FAULTS: Final[dict[str, Kind]] = {"observe_writes": "looking_writes", "to_act_failed": "to_act_fails"}


class Findings:
    """The problems of one game. ``when`` is where the play is now: ``world 1, tick 12``."""

    def __init__(self, code: GameCode) -> None:
        self.code = code
        self.when = ""
        self._found: dict[tuple[str, str, int | None, str], Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """All problems, in the order in which they were first seen."""
        return list(self._found.values())

    def add(self, kind: Kind, place: Place, message: str) -> None:
        """Count a problem. Numbers in its message do not make it another one."""
        key = kind, place.file, place.line, re.sub(r"\d+(?:\.\d+)?", "0", message)
        before = self._found.get(key)
        if before is not None:
            self._found[key] = msgspec.structs.replace(before, times=before.times + 1)
            return
        self._found[key] = Problem(kind=kind, file=place.file, line=place.line, message=message, first=self.when)

    def add_lines(self, lines: Iterable[DebugLine]) -> None:
        """Look for problems in what the engine and the game have said to developers."""
        for line in lines:
            raised = read_line(line.text)
            lost = _LOST.match(line.text)
            if raised is not None:
                self.add_raised("raises", raised)
            elif lost is not None:
                at = f" at {lost['path'].lstrip('.')}" if lost["path"] else ""
                function = _FUNCTION.search(lost["what"])
                place = function_place(self.code, function[1]) if function else Place("main.lua", None)
                self.add("number_lost", place, f"{lost['what']} has NaN or an infinity{at}: it goes out as null")

    def add_raised(self, kind: Kind, raised: Raised) -> None:
        """Count an error that the game's code raised."""
        known = raised.file is not None
        place = Place(raised.file, raised.line) if raised.file else function_place(self.code, raised.function)
        message = raised.message.splitlines()[0] if raised.message else "an error without a message"
        self.add(kind, place, f"game.{raised.function} raised: {message}" + ("" if known else " (somewhere in it)"))

    def add_fault(self, fault: WorldFaulted, function: str | None = None) -> None:
        """Count the end of a world. ``function``: what was called."""
        if fault.kind == "tick_failed":
            return  # Each of the ticks that raised has been counted.
        named = _FUNCTION.search(fault.message)
        called = function or (named[1] if named else "tick")
        message = fault.message.splitlines()[0]
        if fault.kind == "observe_writes":
            message = f"game.{called} changed " + message.partition(" changed ")[2]
        self.add(_FAULTS.get(fault.kind, "faulted"), function_place(self.code, called), f"{fault.kind}: {message}")

    def add_load_error(self, error: GameError) -> None:
        """Count files that do not load."""
        file = error.path.removeprefix(self.code.origin).lstrip("/") or "main.lua"
        self.add("does_not_load", Place(file, error.line), error.reason.splitlines()[0])
