"""Promise: however long the pages are in which a log is read, over the socket or over HTTP, together they are the log:
nothing is left out where two of them meet, nothing comes twice, and all of it in the order of the log.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import frame, records
from eventlog.intact import Intact
from eventlog.json_form import json_form
from eventlog.piece import Piece
from eventlog.reader import log_end, read_world
from eventlog.records import CodeEntry, InputEntry, JoinEntry, LeaveEntry, OutcomeNote
from eventlog.selection import KINDS, Selection
from eventlog.worldlog import WorldLog
from server import messages
from server.gateway.logpages import page as http_page
from server.replayer.chronicle import Chronicle
from server.replayer.records import log_page
from server.replayer.sight import NotShown
from tests.eventlog.building import SHARD, Appendable, fingerprint, genesis
from worldline import protocol

WORLD = "w_one"
PAGE_SIZES = (1, 2, 3, 5, 7, 13, 1000)
STEPS = ("input", "inputs", "join", "leave", "quiet", "beat", "late", "early", "code", "undone", "crashed", "opened")
"""What happens in a life; `Life` says what each of them writes."""


class Life:
    """A world's log, written step by step into its files."""

    def __init__(self, data: Path, *, file_bytes: int) -> None:
        self._data = data
        self._file_bytes = file_bytes
        self._log = WorldLog.create(genesis(WORLD, forked_from=None), shard=SHARD, file_bytes=file_bytes)
        self._outcomes: list[OutcomeNote] = []
        self._seq = 0
        self._write(self._log.head)

    def live(self, steps: Iterable[str]) -> None:
        """Write these steps down."""
        for step in steps:
            getattr(self, step)()

    def input(self) -> None:
        """A tick with an input, and another such right behind it: it has the outcomes of the first."""
        self.inputs()
        self.inputs(after=1)

    def inputs(self, *, after: int = 3) -> None:
        """Some ticks later, a tick with an input."""
        self._tick(self._log.last_tick + after, self._input())

    def long(self) -> None:
        """In the next tick, an input with so long a note that plain HTTP takes no more than two such."""
        self._tick(self._log.last_tick + 1, self._input(note="because " * 12_000))

    def join(self) -> None:
        """Somebody joins between two ticks."""
        self._tick(self._log.last_tick, JoinEntry("p_1", 1, "a_ada", "ada", "s_1"), ran=False)

    def leave(self) -> None:
        """Somebody leaves in the next tick."""
        self._tick(self._log.last_tick + 1, LeaveEntry("p_1", "left"))

    def quiet(self) -> None:
        """Many ticks without entries."""
        self._tick(self._log.last_tick + 1, ticks=9)

    def beat(self) -> None:
        """Nothing is new, two ticks later."""
        tick = self._log.last_tick + 2
        self._append(records.Beat(tick=tick, until=tick + 3, fingerprint=fingerprint(tick), outcomes=self._take()))

    def late(self) -> None:
        """A checkpoint that speaks of some ticks ago."""
        self._checkpoint(max(0, self._log.last_tick - 5))

    def early(self) -> None:
        """A checkpoint of the tick that was just reached."""
        self._checkpoint(self._log.last_tick)

    def code(self) -> None:
        """The world goes on with other code."""
        self._tick(self._log.last_tick, CodeEntry("22" * 16), ran=False)

    def undone(self) -> None:
        """A tick is taken back, by other code: the log speaks of the tick before it again."""
        tick = self._log.last_tick
        self._tick(tick + 1, self._input())
        self._tick(tick, CodeEntry("22" * 16), ran=False)

    def crashed(self) -> None:
        """A tick breaks, and what is written behind that is of the tick before."""
        tick = self._log.last_tick + 1
        self._tick(tick, self._input())
        self._append(records.Fault(tick=tick, kind="timeout", fingerprint=fingerprint(tick)))
        self._checkpoint(tick - 1)

    def opened(self) -> None:
        """Another session: the next shard opens the world."""
        self._log = WorldLog.resume(log_end(self._data, WORLD), shard=SHARD, engine="11", file_bytes=self._file_bytes)
        self._write(self._log.head)

    def close(self) -> None:
        """The world ends."""
        tick = self._log.last_tick
        self._append(records.Close(tick=tick, reason="idle", fingerprint=fingerprint(tick), outcomes=self._take()))

    def _input(self, note: str | None = None) -> InputEntry:
        self._seq += 1
        return InputEntry(player="p_1", seq=self._seq, name="move", args={}, note=note, received_ms=5)

    def _tick(self, tick: int, *entries: records.Entry, ticks: int = 1, ran: bool = True) -> None:
        outcomes = self._take()
        self._append(
            records.Tick(
                tick=tick,
                ticks=ticks,
                ran=ran,
                time_ms=tick,
                entries=list(entries),
                fingerprint=fingerprint(tick),
                outcomes=outcomes,
            )
        )
        self._outcomes = [OutcomeNote("p_1", each.seq, "applied") for each in entries if isinstance(each, InputEntry)]

    def _checkpoint(self, tick: int) -> None:
        self._append(records.Checkpoint(tick, b"\1" * 16, f"{tick:010d}.snap", 10))

    def _take(self) -> list[OutcomeNote]:
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _append(self, record: Appendable) -> None:
        self._write(self._log.append(record))

    def _write(self, piece: Piece) -> None:
        path = self._data / "worlds" / WORLD / frame.file_name(piece.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            assert file.tell() == piece.offset
            file.write(piece.data)


def written(data: Path, steps: Iterable[str], *, file_bytes: int = 1 << 20) -> Path:
    """The log of a life, and nothing else, in a data folder."""
    shutil.rmtree(data, ignore_errors=True)
    life = Life(data, file_bytes=file_bytes)
    life.live(steps)
    life.close()
    return data


def at_once(data: Path) -> list[dict[str, Any]]:
    """The whole log, read by itself, as far as it is intact."""
    return list(json_form(Intact(read_world(data, WORLD))))


async def ask(data: Path, limit: int, from_tick: int | None, kinds: list[str] | None) -> protocol.LogReply:
    """A page, as whoever reads logs answers."""
    chronicle = Chronicle(data, WORLD)
    await chronicle.refresh()
    order = messages.ReadLog(
        request=1, world=WORLD, agent="", role="developer", from_tick=from_tick, limit=limit, kinds=kinds
    )
    return await log_page(data, order, chronicle)


async def by_pages(
    data: Path, limit: int, *, http: bool = False, kinds: list[str] | None = None
) -> list[dict[str, Any]]:
    """The whole log, page by page, as a client reads it: to its end, or until it is told of damage."""
    read, from_tick, asked = list[dict[str, Any]](), None, set[int | None]()
    while from_tick not in asked:
        asked.add(from_tick)
        try:
            reply = await ask(data, limit, from_tick, kinds)
        except NotShown as refusal:
            assert refusal.error.code == "world_damaged"
            return read
        if http:
            body = http_page(reply, WORLD)
            read += [json.loads(line) for line in body.content.splitlines()]
            link = dict(body.headers).get("Link")
            following = None if link is None else int(link.partition("from_tick=")[2].partition(">")[0])
        else:
            read += reply.records
            following = reply.next
        if following is None:
            return read
        from_tick = following
    pytest.fail(f"the page after the one from tick {from_tick} is that page again")


LIVES = {
    "a checkpoint that comes late": ["inputs", "late", "inputs", "inputs", "late", "inputs", "late"],
    "a checkpoint behind a quiet time": ["inputs", "quiet", "late", "quiet", "late", "inputs", "quiet", "early"],
    "code that goes on, and takes back": ["input", "code", "input", "undone", "input", "undone", "undone", "late"],
    "several sessions": ["input", "opened", "input", "opened", "opened", "beat", "opened", "late", "inputs"],
    "a tick that broke": ["input", "crashed"],
    "a tick that broke twice": ["input", "crashed", "opened", "crashed", "late"],
    "long notes": ["long", "late", "long", "long", "late", "opened", "long", "undone", "long", "late", "long", "long"],
    "beats that only the whole log has": ["early", "beat", "late", "join", "beat", "late", "join", "inputs", "late"],
    "comings and goings": ["join", "input", "leave", "join", "beat", "join", "late", "quiet", "leave", "beat"],
}


@pytest.mark.parametrize("http", [False, True], ids=["socket", "http"])
@pytest.mark.parametrize("file_bytes", [500, 1 << 20], ids=["small files", "one file"])
@pytest.mark.parametrize("life", LIVES)
async def test_pages_of_every_length_are_the_log(tmp_path: Path, life: str, file_bytes: int, http: bool) -> None:
    data = written(tmp_path, LIVES[life], file_bytes=file_bytes)
    for limit in PAGE_SIZES:
        assert await by_pages(data, limit, http=http) == at_once(data), limit


@pytest.mark.parametrize("life", LIVES)
async def test_pages_of_a_part_of_a_log_are_that_part(tmp_path: Path, life: str) -> None:
    data = written(tmp_path, LIVES[life])
    everything = at_once(data)
    for kinds in itertools.combinations(("open", "checkpoint", "join", "input", "code", "tick"), 2):
        expected = list(Selection(kinds=frozenset(kinds)).of(everything))
        for limit in (1, 2):
            assert await by_pages(data, limit, kinds=list(kinds)) == expected, (kinds, limit)


@settings(deadline=None)
@given(
    steps=st.lists(st.sampled_from(STEPS), max_size=25),
    limit=st.sampled_from(PAGE_SIZES),
    kinds=st.none() | st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True),
    file_bytes=st.sampled_from([500, 1000, 1 << 20]),
)
def test_any_log_is_its_pages_also_a_part_of_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], limit: int, kinds: list[str] | None, file_bytes: int
) -> None:
    data = written(tmp_path_factory.getbasetemp() / "any", steps, file_bytes=file_bytes)
    expected = list(Selection(kinds=frozenset(kinds or ())).of(at_once(data)))
    assert asyncio.run(by_pages(data, limit, kinds=kinds)) == expected


@pytest.mark.parametrize("life", LIVES)
async def test_before_damage_nothing_is_left_out(tmp_path: Path, life: str) -> None:
    data = written(tmp_path, LIVES[life])
    path = data / "worlds" / WORLD / frame.file_name(1)
    whole = path.read_bytes()
    for stored in list(read_world(data, WORLD))[3:]:
        damaged = bytearray(whole)
        damaged[stored.offset + stored.bytes - 1] ^= 0xFF
        path.write_bytes(damaged)
        for limit in (1, 2, 1000):
            assert await by_pages(data, limit) == at_once(data), (limit, stored.offset)
