"""Promise: whatever is appended, in whatever groups, segments and files it ends up, reads back as it was appended:
while it runs, after a crash, after recovery, when its world has moved or goes on after all that, and when it has ended
and is archived; and a world that was removed is gone, whatever comes."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog import records
from eventlog.archive import archive_world
from eventlog.journal import JournalOptions
from eventlog.reader import read_world
from eventlog.recovery import recover
from eventlog.removal import remove_world
from eventlog.store import Store
from eventlog.ticket import Ticket
from eventlog.verify import verify
from tests.eventlog.building import NEVER_S, Appendable, Recording, crash, fingerprint, input_entry, plain
from tests.eventlog.disks import HastyDisk

WORLDS = ("w_a", "w_b", "w_c")

options = st.builds(
    JournalOptions,
    segment_bytes=st.sampled_from([8 * 1024, 24 * 1024, 8 * 1024 * 1024]),
    group_bytes=st.sampled_from([1, 700, 1024 * 1024]),
    flush_bytes=st.sampled_from([1, 900, 64 * 1024]),
    flush_after_s=st.sampled_from([0.0, NEVER_S]),
    seal_after_s=st.sampled_from([0.0, NEVER_S]),
    segments_per_retirement=st.integers(1, 3),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(st.text(max_size=8), values, max_size=3)
steps = st.one_of(
    st.tuples(st.just("tick"), st.sampled_from(WORLDS), st.lists(arguments, max_size=4)),
    st.tuples(st.just("long"), st.sampled_from(WORLDS), st.integers(0, 9000)),
    st.tuples(st.just("beat"), st.sampled_from(WORLDS), st.integers(0, 90)),
    st.tuples(st.just("range"), st.sampled_from(WORLDS), st.integers(2, 1000)),
    st.tuples(st.just("retire"), st.sampled_from(WORLDS), st.none()),
    st.tuples(st.just("move"), st.sampled_from(WORLDS), st.none()),
    st.tuples(st.just("archive"), st.sampled_from(WORLDS), st.none()),
    st.tuples(st.just("remove"), st.sampled_from(WORLDS), st.none()),
    st.tuples(st.sampled_from(["wait", "turn", "read"]), st.none(), st.none()),
    st.tuples(st.just("crash"), st.none(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


class Model:
    """A dict of lists, beside the real thing."""

    def __init__(self, data: Path, recording: Recording) -> None:
        self.data = data
        self.recording = recording
        self.retired: set[str] = set()
        self.let_go: dict[str, Ticket | None] = {}
        """Ended worlds, with the ticket of their release if this server let them go."""
        self.archived: set[str] = set()
        self.removed: set[str] = set()
        self.copies = 0
        self.done = Counter[str]()
        """How often it could archive and remove."""

    async def take(self, action: str, world: str | None, detail: object) -> None:
        """Do one step."""
        if action in ("move", "archive", "remove"):
            assert world is not None
            await getattr(self, action)(world)
        elif world is not None:
            self.append(action, world, detail)
        elif action == "turn":
            await self.recording.turn()
        else:
            await self.recording.journal.append(()).wait()
            if action == "read":
                self.check(self.data)
            elif action == "crash":
                copy = self.crashed()
                self.check(copy)
                recover(copy, disk=HastyDisk())
                self.check(copy)
                assert list((copy / "journal").iterdir()) == []
            elif action == "restart":
                await self.restart()

    def check(self, data: Path) -> None:
        """All worlds in this folder read as the model says."""
        for name, written in self.recording.written.items():
            assert plain(read_world(data, name)) == written
        listed = {info.world: (info.status, info.archived) for info in Store.read_only(data).worlds()}
        assert listed == {
            name: ("closed" if name in self.retired else "open", name in self.archived)
            for name in self.recording.written
        }

    async def archive(self, world: str) -> None:
        """Archive a world that has ended, or ends now, once its journal has let it go."""
        if await self.until_let_go(world):
            archive_world(self.data, world, disk=HastyDisk())
            self.archived.add(world)
            self.done["archive"] += 1

    async def remove(self, world: str) -> None:
        """Remove a world that has ended, or ends now, once its journal has let it go."""
        if await self.until_let_go(world):
            remove_world(self.data, world, disk=HastyDisk())
            del self.recording.written[world], self.let_go[world]
            self.removed.add(world)
            self.done["remove"] += 1

    async def until_let_go(self, world: str) -> bool:
        """End a world if need be; return when no journal carries it any more, or false if there is no such world."""
        if world not in self.recording.written:
            return False
        self.append("retire", world, None)
        ticket = self.let_go[world]
        if ticket is not None:
            await ticket.wait()
        return True

    async def move(self, world: str) -> None:
        """Release a world and take it back, in its next epoch."""
        if world in self.recording.written and world not in self.retired:
            await self.recording.journal.release_world(world).wait()
            self.recording.journal.append([self.recording.resume(world, self.recording.written[world])])

    async def restart(self) -> None:
        """Crash, recover, and go on with all worlds that have not ended."""
        before, old = self.recording, self.data
        self.data = self.crashed()
        written = {world: list(known) for world, known in before.written.items()}
        await before.journal.close()
        before.check()
        assert verify(old).records == sum(map(len, written.values()))
        recover(self.data, disk=HastyDisk())
        self.recording = before.on(self.data)
        self.let_go = dict.fromkeys(self.let_go)
        for world, known in written.items():
            self.recording.written[world] = known
            if world not in self.retired:
                self.recording.journal.append([self.recording.resume(world, known)])

    def append(self, action: str, world: str, detail: object) -> None:
        """Append a record that the step describes, after the world's beginning if need be."""
        if world in self.retired or world in self.removed:
            return
        if world not in self.recording.written:
            self.recording.create(world)
        self.recording.append(world, self.record(action, self.recording.logs[world].last_tick, detail))
        if action == "retire":
            self.retired.add(world)
            self.let_go[world] = self.recording.journal.release_world(world)

    @staticmethod
    def record(action: str, reached: int, detail: object) -> Appendable:
        """The record that a step asks for."""
        tick = reached + 1
        if action == "beat":
            assert isinstance(detail, int)
            return records.Beat(tick=tick, until=tick + detail, fingerprint=fingerprint(tick))
        if action == "retire":
            return records.Close(tick=tick, reason="idle", fingerprint=fingerprint(tick))
        if action == "range":
            assert isinstance(detail, int)
            return records.Tick(tick=tick, ticks=detail, time_ms=tick, fingerprint=fingerprint(tick))
        args = [{"long": "x" * detail}] if isinstance(detail, int) else detail
        assert isinstance(args, list)
        entries: list[records.Entry] = [input_entry(tick, args=each) for each in args]
        return records.Tick(tick=tick, time_ms=tick, entries=entries, fingerprint=fingerprint(tick))

    def crashed(self) -> Path:
        """A copy of what is on the disk now: what is found after kill -9."""
        self.copies += 1
        return crash(self.data, self.data.parent / f"crashed-{self.copies}")


async def run(
    data: Path, with_options: JournalOptions, file_bytes: int, script: list[tuple[str, str, object]]
) -> Counter[str]:
    """Play a script, then close and read again."""
    recording = Recording(data, options=with_options, file_bytes=file_bytes)
    model = Model(data, recording)
    for action, world, detail in script:
        await model.take(action, world, detail)
    await model.recording.journal.close()
    model.recording.check()
    assert list((model.data / "journal").iterdir()) == []
    assert not model.removed & {path.name for path in (model.data / "worlds").iterdir()}
    return model.done


def test_what_is_read_is_what_was_appended() -> None:
    taken: Counter[str] = Counter()
    done: Counter[str] = Counter()

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        with_options=options,
        file_bytes=st.sampled_from([500, 4000, 8 * 1024 * 1024]),
        script=st.lists(steps, min_size=8, max_size=40),
    )
    def check(with_options: JournalOptions, file_bytes: int, script: list[tuple[str, str, object]]) -> None:
        taken.update(action for action, _, _ in script)
        with tempfile.TemporaryDirectory() as folder:
            done.update(asyncio.run(run(Path(folder) / "data", with_options, file_bytes, script)))

    check()
    for action in ("crash", "restart", "move", "retire"):
        assert taken[action] > 20, taken
    assert min(done["archive"], done["remove"]) > 5, done
