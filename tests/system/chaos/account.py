"""The account after a run: what agents were told against what the logs hold, read with the log's own reader.

Every acknowledged input is in the log of its world exactly once, at its tick, with its status; nothing else is there;
no world is faulted, closed or missing; `worldline log verify` and `worldline replay verify` find nothing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from eventlog.errors import EventLogError
from eventlog.reader import read_world
from eventlog.records import Beat, Close, Fault, InputEntry, JoinEntry, LeaveEntry, Open, Tick
from eventlog.store import Store
from tests.system.chaos.agents import Memory


class Logged(msgspec.Struct):
    """An input as a log has it. ``status`` is None while no later record could tell it."""

    tick: int
    name: str
    status: str | None = None


class Account(msgspec.Struct, kw_only=True):
    """The result. ``problems`` is empty if every promise was kept."""

    acknowledged: int
    found: int
    lost: int
    doubled: int
    logged: int
    repeated: int
    """Acknowledged as duplicates: applied before the crash, told after it."""
    worlds: int
    openings: int
    """How often a world was opened by a shard: once, and once more after each death that hit it."""
    faulted: list[str]
    problems: list[str]


def compare(data: Path, memory: Memory) -> Account:
    """Compare the memory of all agents with all logs under ``data``. The server has been stopped."""
    problems = list(memory.wrong)
    logged: dict[tuple[str, str, int], Logged] = {}
    doubled = openings = 0
    faulted: list[str] = []
    worlds = Store.read_only(data).world_ids()
    for world in worlds:
        try:
            read = _read(data, world)
        except EventLogError as error:
            problems.append(f"{world}: {error}")
            continue
        openings += read.openings
        problems += _seats(world, read, memory)
        faulted += read.faults
        for player, seq, entry in read.inputs:
            if (world, player, seq) in logged:
                doubled += 1
                problems.append(f"{world}: {player} seq {seq} is in the log twice, the second at tick {entry.tick}")
            logged[world, player, seq] = entry
    problems += [f"faulted: {fault}" for fault in faulted]
    found = lost = 0
    told = {(one.world, one.player, one.seq): one for one in memory.acknowledged}
    if len(told) != len(memory.acknowledged):
        problems.append(f"{len(memory.acknowledged) - len(told)} outcomes were told twice")
    for key, one in told.items():
        kept = logged.get(key)
        if kept is None:
            lost += 1
            problems.append(f"{one.agent} was told of {key} at tick {one.tick}, which is not in the log")
        elif (kept.tick, kept.name, kept.status) != (one.tick, one.name, one.status):
            problems.append(f"{one.agent} was told of {key}: {one.status} at tick {one.tick}; the log has {kept}")
        else:
            found += 1
    problems += [f"{key} is in the log and nobody was told: {logged[key]}" for key in logged.keys() - told.keys()]
    problems += _commands(data)
    return Account(
        acknowledged=len(told),
        found=found,
        lost=lost,
        doubled=doubled,
        logged=len(logged),
        repeated=sum(one.duplicate for one in told.values()),
        worlds=len(worlds),
        openings=openings,
        faulted=faulted,
        problems=problems,
    )


class _World(msgspec.Struct):
    inputs: list[tuple[str, int, Logged]] = []
    joined: dict[str, str] = {}
    """Who (an agent's id) sits there, by player."""
    left: dict[str, str] = {}
    """Why a player has left."""
    openings: int = 0
    faults: list[str] = []


def _read(data: Path, world: str) -> _World:
    found = _World()
    waiting: dict[tuple[str, int], Logged] = {}
    for stored in read_world(data, world):
        record = stored.record
        if isinstance(record, Open):
            found.openings += 1
        if isinstance(record, Tick | Beat | Fault | Close):
            for note in record.outcomes:
                entry = waiting.pop((note.player, note.seq), None)
                if entry is None:
                    found.faults.append(f"{world}@{record.tick} notes an outcome without input: {note}")
                else:
                    entry.status = note.status
        if isinstance(record, Fault):
            found.faults.append(f"{world}@{record.tick}: {record.kind}")
        if isinstance(record, Tick):
            for item in record.entries:
                if isinstance(item, JoinEntry):
                    found.joined[item.player] = item.agent
                elif isinstance(item, LeaveEntry):
                    found.left[item.player] = item.reason
                elif isinstance(item, InputEntry):
                    kept = waiting[item.player, item.seq] = Logged(record.tick, item.name)
                    found.inputs.append((item.player, item.seq, kept))
    return found


def _seats(world: str, read: _World, memory: Memory) -> list[str]:
    """Is there a player that its agent does not know of, or the other way round, or one that was thrown out?"""
    told = {player: agent for agent, where, player in memory.joined if where == world}
    problems = [
        f"{world}: {player} is {read.joined.get(player)} in the log, and {told.get(player)} by what agents were told"
        for player in sorted(read.joined.keys() | told.keys())
        if read.joined.get(player) != told.get(player)
    ]
    thrown_out = {player: why for player, why in read.left.items() if why not in ("left", "timeout")}
    problems += [f"{world}: {player} left: {why}" for player, why in thrown_out.items()]
    return problems


def _commands(data: Path) -> list[str]:
    """What the two commands say that an operator would run."""
    problems = []
    for words in (["log", "verify"], ["replay", "verify"]):
        done = subprocess.run(
            [sys.executable, "-m", "server.commands", *words, "--data", str(data)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            problems.append(f"`worldline {' '.join(words)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return problems
