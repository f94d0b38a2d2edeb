"""Checking everything that a data folder keeps, without a server and beside one: `verify`.

Every byte of all world files (headers, chain, records, ticks, epochs, that nothing follows the end), of all journals
(segment headers and links, groups, entries against world files), of snapshots (header, digest, what the log says of
them) and of the code and engine folders. World files are checked each by itself, by all cores, and then linked to each
other; so damage in one hides none in another.

Nothing is changed, and nothing is repaired. A record that a running server is just writing is no damage, nor is a group
that a crash has torn.

Not seen: a log without an end that lost whole records at its end, cut at the boundary of a record.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Final

import msgspec

from eventlog import frame
from eventlog.errors import FormatTooNew, JournalDamaged, UnknownWorld
from eventlog.filecheck import FileCheck, Problem, Summary, link_problem
from eventlog.overlay import JournalContent, journal_folders, overlay_of, read_journal
from eventlog.snapshot_check import SnapshotsFound, check_snapshots

_ALONE_BYTES: Final = 4 * 1024 * 1024
"""Fewer bytes than this are not worth starting processes for."""

OnProgress = Callable[[int, int], object]
"""Told from time to time how many bytes of how many have been checked."""

Job = tuple[str, int]
"""A world and the number of one of its files."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked, and what is wrong: nothing, if ``problems`` is empty."""

    worlds: int
    files: int
    records: int
    bytes: int
    """Of world files and segments."""
    journals: int
    groups: int
    snapshots: int
    code_folders: int
    """Of code and engines."""
    seconds: float
    processes: int
    leftovers: list[str]
    """Snapshots that a crash left unfinished, as files relative to the data folder: no damage."""
    problems: list[Problem]


def verify(
    data: Path, *, world: str | None = None, processes: int | None = None, on_progress: OnProgress | None = None
) -> Verification:
    """Check the data folder ``data``, or of its worlds and code only what ``world`` is made of.

    ``processes``: how many share the work; by default one for each core, if there is enough of it. Raises
    `UnknownWorld`, and OSError if something cannot be read.
    """
    began_s = time.perf_counter()
    contents, problems = _read_journals(data)
    in_use = any(_is_locked(content.folder) for content in contents)
    check = FileCheck(data, overlay_of(contents), in_use=in_use)
    worlds = check.worlds() if world is None else [world]
    if world is not None and not (frame.is_world_id(world) and check.source(world).last_file):
        raise UnknownWorld(world, data)
    sizes = {(name, file): check.source(name).size(file) for name in worlds for file in _files(check, name)}
    total = sum(sizes.values())
    if processes is None:
        processes = len(os.sched_getaffinity(0)) if total > _ALONE_BYTES else 1
    found: dict[Job, Summary] = {}
    done = 0
    for job, summary in _run(check, sorted(sizes, key=lambda job: -sizes[job]), processes):
        found[job] = summary
        done += sizes[job]
        if on_progress is not None:
            on_progress(done, total)
    snapshots: list[SnapshotsFound] = []
    for name in worlds:
        summaries = [found[name, file] for file in _files(check, name)]
        in_log = list(_problems_of(check, name, summaries))
        seen = [checkpoint for summary in summaries for checkpoint in summary.checkpoints]
        snapshots.append(check_snapshots(check, name, seen, log_is_good=not in_log))
        problems += [*in_log, *snapshots[-1].problems]
    named = {digest: job[0] for job, summary in sorted(found.items(), reverse=True) for digest in summary.digests}
    digests = sorted(set(named) if world is not None else set(named) | set(_kept(data)))
    problems.extend(_problems_of_folders(data, digests, named))
    return Verification(
        worlds=len(worlds),
        files=len(found),
        records=sum(summary.records for summary in found.values()),
        bytes=total + sum(len(segment.data) for content in contents for segment in content.segments),
        journals=len(contents),
        groups=sum(content.group_count for content in contents),
        snapshots=sum(each.count for each in snapshots),
        code_folders=len(digests),
        seconds=time.perf_counter() - began_s,
        processes=processes,
        leftovers=[file for each in snapshots for file in each.leftovers],
        problems=problems,
    )


# --- journals -----------------------------------------------------------------------------------------


def _read_journals(data: Path) -> tuple[list[JournalContent], list[Problem]]:
    """All journals, and what is wrong in them."""
    contents: list[JournalContent] = []
    problems: list[Problem] = []
    for folder in journal_folders(data):
        try:
            content = read_journal(folder)
        except FormatTooNew as newer:
            reason = f"format version {newer.version} is newer than this program's"
            problems.append(Problem(file=newer.path.relative_to(data).as_posix(), reason=reason))
            continue
        contents.append(content)
        if content.damage is not None:
            problems.extend(_problems_of_journal(data, content.damage))
    return contents, problems


def _problems_of_journal(data: Path, damage: JournalDamaged) -> Iterator[Problem]:
    """One line for each world that the damage may have hit; one without a world if none can be read."""
    worlds: list[str | None] = [*damage.worlds] or [None]
    for world in worlds:
        yield Problem(
            world=world,
            file=damage.path.relative_to(data).as_posix(),
            offset=damage.offset,
            reason=f"the journal is damaged after group {damage.group}: {damage.reason}",
        )


def _is_locked(folder: Path) -> bool:
    """Whether a running shard holds this journal."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


# --- worlds -------------------------------------------------------------------------------------------


def _files(check: FileCheck, world: str) -> range:
    return range(1, check.source(world).last_file + 1)


def _problems_of(check: FileCheck, world: str, summaries: list[Summary]) -> Iterator[Problem]:
    """What is wrong in a world's files and between them, in their order."""
    if not frame.is_world_id(world):
        yield Problem(file=f"worlds/{world}", reason="a folder's name that is no world's id")
    elif not summaries and not check.in_use:
        yield Problem(world=world, file=f"worlds/{world}", reason="the folder holds no log")
    before: Summary | None = None
    for summary in summaries:
        problem = summary.problem
        if problem is None and before is not None:
            problem = link_problem(check, before, summary)
            summary.ended = summary.ended or before.ended
        if problem is not None:
            yield problem
        before = summary


def _run(check: FileCheck, jobs: list[Job], processes: int) -> Iterator[tuple[Job, Summary]]:
    """Check all these files and yield what was found, in any order."""
    if processes <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, check.check(*job)
        return
    # Forked, so that what the journals hold need not be sent. Here is one thread only, which makes it safe.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(processes, len(jobs)), context, _begin_process, (check,)) as pool:
        pending = {pool.submit(_check_here, *job): job for job in jobs}
        for future in as_completed(pending):
            yield pending[future], future.result()


_here: FileCheck | None = None
"""In a forked process: what it checks with."""


def _begin_process(check: FileCheck) -> None:
    global _here
    _here = check
    gc.disable()  # records hold no cycles, and are dropped as fast as they are made


def _check_here(world: str, file: int) -> Summary:
    assert _here is not None
    return _here.check(world, file)


# --- code and engines ---------------------------------------------------------------------------------


def _kept(data: Path) -> Iterator[tuple[str, str]]:
    """All folders of code and engines; names beginning with a dot are unfinished and mean nothing."""
    for kind in ("code", "engine"):
        folder = data / kind
        if folder.is_dir():
            yield from ((kind, path.name) for path in folder.iterdir() if not path.name.startswith("."))


def _problems_of_folders(
    data: Path, digests: list[tuple[str, str]], named: dict[tuple[str, str], str]
) -> Iterator[Problem]:
    """Folders that do not hold what their names say, or are not there although a world (``named``) needs them."""
    for kind, digest in digests:
        folder = data / kind / digest
        reason = f"its files have the digest {found}" if (found := _digest_of(folder)) != digest else None
        if not folder.is_dir():
            reason = "the world cannot be run again: this folder is not here"
        if reason is not None:
            yield Problem(world=named.get((kind, digest)), file=f"{kind}/{digest}", reason=reason)


def _digest_of(folder: Path) -> str:
    """The digest of a folder's files, as docs/reference/log-format.md says."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(files):
        for part in (name.encode(), files[name].read_bytes()):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()
