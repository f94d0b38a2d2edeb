"""The demo's map puts what matters where it is: north is up, and nothing on the ground hides a player."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.demo.map import Row, draw_map, extent_of, faint, read_nodes

SIZE = {"x": 1000, "z": 200}


def view(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": list(nodes), "size": SIZE}


def characters(rows: list[Row]) -> list[str]:
    return ["".join(cell.character for cell in row) for row in rows]


def find(rows: list[Row], character: str) -> list[tuple[int, int]]:
    return [
        (column, row)
        for row, line in enumerate(characters(rows))
        for column, seen in enumerate(line)
        if seen == character
    ]


def test_north_is_up_and_east_is_right() -> None:
    rows = draw_map(view({"kind": "relic", "x": 490, "z": -99}, {"kind": "player", "x": -490, "z": 99}), 40, 8)
    assert find(rows, "◆") == [(39, 0)]
    assert find(rows, "●") == [(0, 7)]


def test_players_are_their_seat_numbers_in_their_colours() -> None:
    rows = draw_map(
        view(
            {"kind": "player", "name": "bot-1", "x": -250, "z": 0, "colour": "#f94144"},
            {"kind": "player", "name": "ada", "x": 250, "z": 0, "colour": "#f8961e"},
        ),
        40,
        8,
        {"bot-1": 3, "ada": 8},
    )
    assert [(rows[4][column].character, rows[4][column].colour) for column in (10, 30)] == [
        ("3", "#f94144"),
        ("8", "#f8961e"),
    ]


def test_the_wave_is_a_line_from_north_to_south_and_moves() -> None:
    def columns_at(x: float) -> set[int]:
        places = find(draw_map(view({"kind": "wave", "x": x, "z": 0, "colour": "#3aa7d8"}), 50, 6), "▓")
        assert {row for _, row in places} == set(range(6))
        return {column for column, _ in places}

    assert columns_at(-500) == {0}
    assert columns_at(0) == {25}
    assert columns_at(350) == {42}


def test_an_area_is_as_wide_as_it_is() -> None:
    rows = draw_map(view({"kind": "lake", "x": 0, "z": 0, "sx": 200, "sz": 100}), 50, 8)
    columns = {column for column, _ in find(rows, "▒")}
    assert (min(columns), max(columns)) == (20, 30)
    assert {row for _, row in find(rows, "▒")} == {2, 3, 4, 5, 6}


def test_nothing_hides_a_player() -> None:
    here = {"x": 100, "z": 10}
    rows = draw_map(
        view({"kind": "player", "name": "ada", **here}, {"kind": "wave", **here}, {"kind": "relic", **here}, here),
        40,
        8,
        {"ada": 5},
    )
    assert len(find(rows, "5")) == 1


def test_the_ground_is_faint_braille_dots() -> None:
    rows = draw_map(view({"kind": "village", "x": -500, "z": -100, "colour": "#b0a090"}), 10, 4)
    assert rows[0][0].character == "⠁"
    assert rows[0][0].colour == faint("#b0a090", 0.5) == "#585048"
    assert not rows[0][0].bold


def test_without_a_size_the_map_shows_all_nodes() -> None:
    rows = draw_map({"nodes": [{"kind": "relic", "x": 5, "z": 7}, {"kind": "relic", "x": 900, "z": 70}]}, 30, 6)
    assert len(find(rows, "◆")) == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.none() | st.text(max_size=3)
nodes = st.fixed_dictionaries(
    {"kind": st.sampled_from(["player", "relic", "wave", "base", "hut"]), "x": numbers, "z": numbers},
    optional={"colour": st.text(max_size=7), "sx": numbers, "sz": numbers, "name": anything},
)


@given(anything | st.builds(lambda some: {"nodes": some, "size": SIZE}, st.lists(nodes | anything, max_size=6)))
def test_whatever_a_game_returns_a_map_of_the_right_size_is_drawn(anything_at_all: Any) -> None:
    rows = draw_map(anything_at_all, 12, 3)
    assert [len(line) for line in characters(rows)] == [12, 12, 12]
    for row in rows:
        assert all(math.isfinite(int(cell.colour[1:], 16)) and len(cell.colour) == 7 for cell in row)


def test_details_are_left_out_and_the_camera_says_where_the_middle_is() -> None:
    tree = {"id": 1, "kind": "tree", "x": 5, "z": 5, "tags": ["detail"]}
    view = {"nodes": [tree, {"id": 2, "kind": "food", "x": 5, "z": 5}], "size": {"x": 11, "z": 11}}
    assert [node.kind for node in read_nodes(view)] == ["food"]
    around = extent_of(view | {"camera": {"look": "grid", "x": 5, "z": 5}}, [])
    assert (around.west, around.east, around.north, around.south) == (-0.5, 10.5, -0.5, 10.5)
