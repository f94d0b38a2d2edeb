"""Promise: whoever has the base of a frame, or gets one without base, sees exactly the picture; no message is larger
than a client takes; and a view that cannot be shown is said to be so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.films import PAGE_BYTES, TOLD_LIMIT, VIEW_LIMIT_BYTES, Film, Picture, Told, ViewUnusable, picture
from worldline import protocol

Nodes = dict[int, int]

scenes = st.dictionaries(st.integers(1, 12), st.integers(0, 2), max_size=12)


def pictured(tick: int, nodes: Nodes, *, label: str = "", **beside: Any) -> Picture:
    """A picture of nodes: x by id."""
    view = {"nodes": [{"id": name, "x": x, "label": label} for name, x in nodes.items()], **beside}
    return picture(tick, msgspec.msgpack.encode(view), [])


def shown(on: Nodes, film: Film, frames: list[bytes]) -> Nodes:
    """What a screen shows after these frames."""
    on = dict(on)
    for packed in frames:
        frame = msgspec.msgpack.decode(packed, type=protocol.Frame)
        if frame.base_tick is None:
            scene, pages = film.static()
            on = {node["id"]: node["x"] for node in map(msgspec.msgpack.decode, scene.nodes)}
            for page in pages:
                on |= {node["id"]: node["x"] for node in msgspec.msgpack.decode(page, type=protocol.Static).nodes}
        for gone in frame.scene.removed:
            del on[gone]
        on = on | {node["id"]: node["x"] for node in frame.scene.nodes}
    return on


@given(first=scenes, later=st.lists(st.tuples(scenes, st.booleans()), max_size=8))
def test_every_viewer_sees_the_picture_however_many_frames_it_missed(
    first: Nodes, later: list[tuple[Nodes, bool]]
) -> None:
    film = Film("v_1", pictured(0, first))
    steady = slow = shown({}, film, film.whole())
    assert steady == first
    behind = False
    for tick, (nodes, reads) in enumerate(later, 1):
        frames = film.next(pictured(tick, nodes), Told())
        steady = shown(steady, film, frames)
        assert steady == nodes
        if not reads:
            behind = True
            continue
        slow = shown(slow, film, film.whole() if behind else frames)
        behind = False
        assert slow == nodes


def test_what_is_too_much_for_one_message_comes_in_several_that_each_fit() -> None:
    everything = dict.fromkeys(range(1, 2001), 1)
    film = Film("v_1", pictured(0, {}))
    for frames in (film.next(pictured(1, everything, label="x" * 300), Told()), film.whole()):
        assert len(frames) > 1
        assert max(map(len, frames)) < PAGE_BYTES + 2000
        assert shown({}, film, frames) == everything
    scene, pages = Film("v_2", pictured(0, everything, label="x" * 300)).static()
    assert pages
    assert len(scene.nodes) + sum(len(msgspec.msgpack.decode(page)["nodes"]) for page in pages) == 2000


def test_the_newest_events_and_inputs_are_kept_and_the_others_counted() -> None:
    film = Film("v_1", pictured(0, {}))
    events = [protocol.WatchedEvent(tick=1, kind=f"kind-{n}", players=["p_1"]) for n in range(TOLD_LIMIT + 10)]
    inputs = [
        protocol.WatchedInput(tick=1, player="p_1", seq=n, name="x", args={}, status="applied", note="n" * 16_000)
        for n in range(1, 9)
    ]
    (packed,) = film.next(pictured(1, {}), Told(events, inputs, skipped=3))
    frame = msgspec.msgpack.decode(packed, type=protocol.Frame)
    assert frame.events[-1].kind == f"kind-{TOLD_LIMIT + 9}"
    assert [told.seq for told in frame.inputs] == [5, 6, 7, 8]
    assert frame.skipped == 10 + 4 + 3


def test_a_frame_says_how_long_a_tick_took_where_that_is_known() -> None:
    film = Film("v_1", pictured(0, {}))
    for tick, told in enumerate((Told(tick_ms=0.25), Told()), 1):
        (packed,) = film.next(pictured(tick, {}), told)
        assert msgspec.msgpack.decode(packed, type=protocol.Frame).tick_ms == told.tick_ms


def test_players_size_and_camera_come_when_they_have_changed() -> None:
    ada = protocol.WatchedPlayer(player="p_1", agent="a_1", name="ada", seat=1, score=0)
    film = Film("v_1", pictured(0, {}, size={"x": 5})._replace(players=[ada]))
    scene, _ = film.static()
    assert msgspec.msgpack.decode(scene.size) == {"x": 5}
    (packed,) = film.next(pictured(1, {}, size={"x": 5})._replace(players=[ada]), Told())
    frame = msgspec.msgpack.decode(packed, type=protocol.Frame)
    assert (frame.players, frame.scene.size, frame.scene.camera) == (None, None, None)
    (packed,) = film.next(pictured(2, {}, size={"x": 6}, camera={"z": 1}), Told())
    frame = msgspec.msgpack.decode(packed, type=protocol.Frame)
    assert (frame.players, frame.scene.size, frame.scene.camera) == ([], {"x": 6}, {"z": 1})


@pytest.mark.parametrize(
    ("view", "says"),
    [
        ({"nodes": [{"kind": "tree"}]}, "has no id"),
        ({"nodes": [{"id": [1]}]}, "has no id"),
        ({"nodes": 5}, "no list of nodes"),
        ({}, "no list of nodes"),
        ([], "no list of nodes"),
        ({"nodes": [{"id": 1, "label": "x" * PAGE_BYTES}]}, "more than"),
        ({"nodes": [{"id": n, "label": "x" * 1000} for n in range(VIEW_LIMIT_BYTES // 1000)]}, "at most"),
    ],
)
def test_a_view_that_cannot_be_shown_is_refused_with_why(view: Any, says: str) -> None:
    with pytest.raises(ViewUnusable, match=says):
        Film("v_1", picture(0, msgspec.msgpack.encode(view), []))


def test_a_view_that_becomes_unusable_leaves_the_film_as_it_was() -> None:
    film = Film("v_1", pictured(0, {1: 1}))
    nameless = picture(1, msgspec.msgpack.encode({"nodes": [{"id": 1, "x": 1, "label": ""}, {"x": 1}]}), [])
    with pytest.raises(ViewUnusable):
        film.next(nameless, Told())
    assert shown({}, film, film.whole()) == {1: 1}
    assert shown({1: 1}, film, film.next(pictured(2, {2: 2}), Told())) == {2: 2}
