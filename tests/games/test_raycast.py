"""Promise: a ray hits the nearest box on its way, and finds it as a look at every box would."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from games.runtime.world import World
from tests.games.small import act, body, error_of, join, load, run

DRIVER = body(
    inputs="""
function game.inputs.run(world, player, v)
  for _, box in ipairs(v.boxes or {}) do
    world.scene:spawn("box", {x = box[1], y = box[2], z = box[3], sx = box[4], sy = box[5], sz = box[6],
      tags = {box[7]}})
  end
  local found = {}
  for i, ray in ipairs(v.rays or {}) do
    local way = ray[1]
    local hit = world.scene:raycast({x = way[1], y = way[2], z = way[3]}, {x = way[4], y = way[5], z = way[6]}, ray[2])
    found[i] = hit and {hit.node.id, hit.x, hit.y, hit.z, hit.distance} or false
  end
  return found
end"""
)
RUN = '[inputs.run]\nhelp = "Run."'

Box = tuple[float, float, float, float, float, float, str]
Way = tuple[float, float, float, float, float, float]
Ray = tuple[Way, str | None]


def slow(boxes: list[Box], ray: Ray) -> tuple[int, float] | None:
    """The id of the first box that the ray goes into, and which part of the way that is."""
    best: tuple[float, int] | None = None
    way, tag = ray
    start, step = way[:3], [way[3 + i] - way[i] for i in range(3)]
    for number, box in enumerate(boxes, 1):
        if tag is not None and box[6] != tag:
            continue
        enter, leave = float("-inf"), 1.0
        corner: Way = box[:6]
        for axis in range(3):
            low, high = corner[axis] - abs(corner[3 + axis]) / 2, corner[axis] + abs(corner[3 + axis]) / 2
            if step[axis] == 0:
                if not low <= start[axis] <= high:
                    leave = float("-inf")
                continue
            a, b = sorted(((low - start[axis]) / step[axis], (high - start[axis]) / step[axis]))
            enter, leave = max(enter, a), min(leave, b)
        if 0 < enter <= leave and (best is None or (enter, number) < best):
            best = enter, number
    return None if best is None else (best[1], best[0])


def cast(world: World, boxes: list[Box], rays: list[Ray]) -> Any:
    outcome = act(world, "p_1", "run", boxes=boxes, rays=rays).outcomes[0]
    assert outcome.status == "applied", outcome
    assert outcome.result is not None
    return msgspec.msgpack.decode(outcome.result)


@pytest.mark.parametrize("seed", range(12))
def test_rays_agree_with_a_look_at_every_box(seed: int) -> None:
    chance = random.Random(seed)
    size = (30.0, 200.0, 2000.0)[seed % 3]
    widest = (1, 3, 60)[seed % 3]

    def place() -> float:
        return chance.uniform(-size, size) if chance.random() < 0.7 else float(chance.randint(-3, 3))

    boxes: list[Box] = [
        (
            place(),
            chance.choice((0.0, 0.0, 2.0)),
            place(),
            chance.uniform(-widest, widest),
            chance.choice((1.0, 5.0)),
            chance.uniform(0.1, widest),
            chance.choice("ab"),
        )
        for _ in range(chance.choice((3, 40, 600)))
    ]
    rays: list[Ray] = []
    for _ in range(200):
        x, z = place(), place()
        straight = chance.random()
        to = (x if straight < 0.2 else place(), 0.0, z if straight > 0.8 else place())
        rays.append(((x, chance.choice((0.0, 1.0)), z, *to), chance.choice((None, None, "a", "b"))))
    world = load(DRIVER, RUN)
    join(world)
    fresh = cast(world, boxes, rays)
    for ray, got in zip(rays, fresh, strict=True):
        expected = slow(boxes, ray)
        way = ray[0]
        assert (got[0] if got else None) == (expected[0] if expected else None), ray
        if expected:
            part = expected[1]
            assert got[1:4] == pytest.approx([way[i] + part * (way[3 + i] - way[i]) for i in range(3)])
    assert any(fresh)
    restored = World.restore(world.code, world.snapshot())
    assert cast(restored, [], rays) == fresh


def test_a_ray_from_a_node_does_not_hit_it_and_stops_at_its_target() -> None:
    found = run(
        """
        local scene = world.scene
        local me, wall = scene:spawn("me", {sx = 2, sz = 2}), scene:spawn("wall", {x = 5, sx = 2, sz = 20})
        local far = scene:spawn("far", {x = 9})
        local hit = scene:raycast(me, far)
        return {hit.node == wall, hit.x, hit.z, hit.distance, scene:raycast(me, {x = 3, z = 0}) == nil,
          scene:raycast(me, me) == nil, scene:raycast(far, {x = 30, z = 0}) == nil}"""
    )
    assert found == [True, 4, 0, 4, True, True, True]


def test_a_filter_chooses_what_counts() -> None:
    found = run(
        """
        local scene, asked = world.scene, {}
        for i = 1, 4 do scene:spawn("post", {x = 10 - 2 * i, tags = {i == 4 and "glass" or "wood"}}) end
        local hit = scene:raycast({x = 0, z = 0}, {x = 20, z = 0}, function(node)
          asked[#asked + 1] = node.id
          scene:within(0, 0, 50)
          return node.id == 2
        end)
        local gone = scene:raycast({x = 0, z = 0}, {x = 20, z = 0}, function(node)
          if scene:get(3) then scene:get(3):destroy() end
          return node.id ~= 4
        end)
        return {hit.node, asked, scene:raycast({x = 0, z = 0}, {x = 20, z = 0}, "wood").node, gone.node}"""
    )
    assert found == [2, [4, 3, 2], 2, 2]


def test_growth_and_moves_are_seen() -> None:
    found = run(
        """
        local scene = world.scene
        local wall = scene:spawn("wall", {x = 100, z = 300})
        local function sees() return scene:raycast({x = 0, z = 0}, {x = 200, z = 0}) ~= nil end
        local seen = {sees()}
        wall.sz = 700 seen[2] = sees()
        wall:set({sz = 1}) seen[3] = sees()
        wall.z = 0 seen[4] = sees()
        wall.y = 3 seen[5] = sees()
        wall.sy = -6 seen[6] = sees()
        return seen"""
    )
    assert found == [False, True, False, True, False, True]


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("world.scene:raycast(5, {x = 0, z = 0})", "raycast wants from as a point {x = …, z = …} or a node"),
        ("world.scene:raycast({x = 0, z = 0})", "raycast wants to as a point"),
        ("world.scene:raycast({x = 0}, {x = 0, z = 0})", "raycast wants finite numbers, got nil"),
        ("world.scene:raycast({x = 0, z = 0/0}, {x = 0, z = 0})", "raycast wants finite numbers"),
        ("world.scene:raycast({x = 0, z = 0}, {x = 1, z = 0}, 5)", "a tag or a function(node) as its filter"),
        ("world.scene.raycast({x = 0, z = 0}, {x = 1, z = 0})", "call this with a colon"),
    ],
)
def test_wrong_use_is_named_with_the_games_line(lua: str, says: str) -> None:
    message = error_of(lua)
    assert message.startswith("main.lua:")
    assert says in message
