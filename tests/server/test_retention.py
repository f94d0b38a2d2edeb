"""Promise: retention removes the oldest ended worlds, only as many as it must, and never one that runs, recovers, has
not ended or is damaged; by default nothing is removed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.retention import DAY_MS, KeptWorld, Retention, Todo, what_to_do

NOW_MS = 100 * DAY_MS
HOUR_MS = 60 * 60 * 1000


def kept(name: str, ended_ms: int | None = NOW_MS - 2 * DAY_MS, **changes: object) -> KeptWorld:
    fields: dict[str, object] = {"status": "closed", "at_rest": True, "bytes": 100, "archived": True} | changes
    return KeptWorld(world=name, ended_ms=ended_ms, **fields)  # type: ignore[arg-type]


WORLDS = st.lists(
    st.builds(
        KeptWorld,
        world=st.from_regex(r"w_[a-z0-9]{3}", fullmatch=True),
        status=st.sampled_from(["open", "closed", "faulted", "damaged"]),
        at_rest=st.booleans(),
        ended_ms=st.none() | st.integers(NOW_MS - 9 * DAY_MS, NOW_MS + DAY_MS),
        bytes=st.integers(0, 1000),
        archived=st.booleans(),
    ),
    unique_by=lambda world: world.world,
)
WANTED = st.builds(
    Retention,
    archive_after_s=st.sampled_from([0.0, 600.0, 1e6]),
    keep_days=st.none() | st.floats(0, 9),
    keep_worlds=st.none() | st.integers(0, 5),
    keep_bytes=st.none() | st.integers(0, 3000),
)


def may_be_touched(world: KeptWorld) -> bool:
    return world.at_rest and world.status in ("closed", "faulted") and world.ended_ms is not None


@given(WORLDS, WANTED)
def test_only_ended_worlds_at_rest_are_touched_the_oldest_first_and_no_more_than_must_be(
    worlds: list[KeptWorld], wanted: Retention
) -> None:
    by_name = {world.world: world for world in worlds}
    todo = what_to_do(worlds, NOW_MS, wanted)
    removed = [by_name[name] for name, _ in todo.remove]
    archived = [by_name[name] for name in todo.archive]
    assert all(map(may_be_touched, removed + archived))
    assert not {world.world for world in removed} & {world.world for world in archived}
    for group in (removed, archived):
        assert group == sorted(group, key=lambda world: (world.ended_ms or 0, world.world)), "the oldest first"

    ended = [world for world in worlds if may_be_touched(world)]
    left = [world for world in ended if world not in removed]
    ages = {world.world: NOW_MS - (world.ended_ms or 0) for world in ended}
    assert all(ages[old.world] >= ages[new.world] for old in removed for new in left)
    assert wanted.keep_worlds is None or len(left) <= wanted.keep_worlds
    assert wanted.keep_bytes is None or sum(world.bytes for world in left) <= wanted.keep_bytes
    assert wanted.keep_days is None or all(ages[world.world] <= wanted.keep_days * DAY_MS for world in left)
    if removed:  # the newest of them had to go: with it, a limit would not be kept
        with_it = [*left, removed[-1]]
        assert (
            (wanted.keep_worlds is not None and len(with_it) > wanted.keep_worlds)
            or (wanted.keep_bytes is not None and sum(world.bytes for world in with_it) > wanted.keep_bytes)
            or (wanted.keep_days is not None and ages[removed[-1].world] > wanted.keep_days * DAY_MS)
        )
    due = {world.world for world in left if not world.archived and ages[world.world] >= wanted.archive_after_s * 1000}
    assert {world.world for world in archived} == due


@given(WORLDS, WANTED)
def test_nothing_becomes_due_before_it_says_so(worlds: list[KeptWorld], wanted: Retention) -> None:
    todo = what_to_do(worlds, NOW_MS, wanted)
    later_ms = NOW_MS + 20 * DAY_MS if todo.next_ms is None else todo.next_ms
    assert later_ms > NOW_MS
    left = [world for world in worlds if world.world not in {name for name, _ in todo.remove}]
    done = [
        KeptWorld(**{field: getattr(world, field) for field in world.__struct_fields__} | {"archived": True})
        if world.world in todo.archive
        else world
        for world in left
    ]
    before = what_to_do(done, later_ms - 1, wanted)
    assert (before.remove, before.archive) == ([], [])
    if todo.next_ms is not None:
        after = what_to_do(done, todo.next_ms, wanted)
        assert after.remove or after.archive


def test_by_default_nothing_is_removed_and_what_ended_is_archived_after_ten_minutes() -> None:
    ended_ms = NOW_MS - 599_000
    worlds = [kept("w_old", ended_ms=0), kept("w_new", ended_ms=ended_ms, archived=False)]
    assert what_to_do(worlds, NOW_MS, Retention()) == Todo(remove=[], archive=[], next_ms=NOW_MS + 1000)
    assert what_to_do(worlds, NOW_MS + 1000, Retention()) == Todo(remove=[], archive=["w_new"], next_ms=None)


def test_each_limit_says_why() -> None:
    worlds = [kept(f"w_{days}", ended_ms=NOW_MS - days * DAY_MS) for days in (1, 2, 3)]
    for wanted, why in (
        (Retention(keep_days=2.5), "it ended more than 2.5 days ago"),
        (Retention(keep_worlds=2), "2 that ended later are kept"),
        (Retention(keep_bytes=250), "with those that ended later it takes 300 bytes, more than 250"),
    ):
        assert what_to_do(worlds, NOW_MS, wanted).remove == [("w_3", why)]
