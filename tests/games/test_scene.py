"""Promise: a query of the scene gives what a search through all nodes would give, by id, whatever happened before."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from games.runtime.world import World
from tests.games.small import act, body, error_of, join, load, run

DRIVER = body(
    setup="world.state.log = {}",
    inputs="""
local function ids(list)
  local found = {}
  for i, node in ipairs(list) do found[i] = node.id end
  return found
end
local function do_one(world, op)
  local scene, node = world.scene, op.id and world.scene:get(op.id)
  if op.op == "spawn" then
    return scene:spawn(op.kind, {x = op.x, z = op.z, tags = op.tags, name = op.name}, node).id
  elseif not node then
    return
  elseif op.op == "destroy" then node:destroy()
  elseif op.op == "move" then node.x, node.z = op.x, op.z
  elseif op.op == "set" then node:set({x = op.x, z = op.z, tags = op.tags, name = op.name})
  elseif op.op == "tag" then node:add_tag(op.tag)
  elseif op.op == "untag" then node:remove_tag(op.tag)
  elseif op.op == "parent" then
    local ok = pcall(function() node.parent = scene:get(op.to) end)
    return ok
  end
end
function game.inputs.ops(world, player, args)
  local results = {}
  for i, op in ipairs(args.ops) do
    local r = do_one(world, op)
    if r == nil then r = false end
    results[i] = r
    if op.ask then -- fill the caches in the middle of changes, too
      world.scene:descendants() world.scene:tagged("a") world.scene:tagged("b")
    end
  end
  return results
end
function game.inputs.ask(world, player, q)
  local scene = world.scene
  local found = {
    all = ids(scene:descendants()), top = ids(scene:children()),
    a = ids(scene:tagged("a")), b = ids(scene:tagged("b")), none = ids(scene:tagged("never")),
    within = ids(scene:within(q.x, q.z, q.radius)), within_a = ids(scene:within(q.x, q.z, q.radius, "a")),
    box = ids(scene:in_box(q.x, q.z, q.x2, q.z2)), box_b = ids(scene:in_box(q.x2, q.z2, q.x, q.z, "b")),
    children = {}, below = {}, tags = {}, parent = {}, found = {},
  }
  for i, node in ipairs(scene:descendants()) do
    found.children[i] = ids(node:children())
    found.below[i] = ids(node:descendants())
    found.tags[i] = node.tags
    found.parent[i] = node.parent and node.parent.id or 0
  end
  local named = scene:find("n1")
  found.found = named and named.id or 0
  return found
end
""",
)
TOML = '[inputs.ops]\nhelp = "O."\n[inputs.ask]\nhelp = "A."'

# Few places and many on the same: ties, edges of cells and of queries are common.
places = st.sampled_from([-600.0, -100.5, -16.0, -0.1, 0.0, 0.1, 3.0, 15.9, 16.0, 32.0, 200.0, 1e7, -1e12])
tag_lists = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
ids = st.integers(1, 30)
names = st.sampled_from(["n1", "n2"])
ops = st.one_of(
    st.fixed_dictionaries(
        {"op": st.just("spawn"), "kind": st.just("k"), "x": places, "z": places, "tags": tag_lists, "name": names}
    ),
    st.fixed_dictionaries({"op": st.just("spawn"), "kind": st.just("k"), "x": places, "z": places, "id": ids}),
    st.fixed_dictionaries({"op": st.just("destroy"), "id": ids}),
    st.fixed_dictionaries({"op": st.just("move"), "id": ids, "x": places, "z": places, "ask": st.booleans()}),
    st.fixed_dictionaries(
        {"op": st.just("set"), "id": ids, "x": places, "z": places, "tags": tag_lists, "name": names}
    ),
    st.fixed_dictionaries(
        {"op": st.sampled_from(["tag", "untag"]), "id": ids, "tag": st.sampled_from(["a", "b"]), "ask": st.booleans()}
    ),
    st.fixed_dictionaries({"op": st.just("parent"), "id": ids, "to": ids}),
)


class Model:
    """The same scene as a dict of nodes, every query a search through all of them."""

    def __init__(self) -> None:
        self.nodes: dict[int, dict[str, Any]] = {}
        self.next_id = 1

    def do(self, op: dict[str, Any]) -> Any:
        node = self.nodes.get(op.get("id", 0))
        if op["op"] == "spawn":
            made = {"x": op["x"], "z": op["z"], "tags": set(op.get("tags", [])), "name": op.get("name")}
            self.nodes[self.next_id] = made | {"parent": op["id"] if node else 0}
            self.next_id += 1
            return self.next_id - 1
        if node is None:
            return False
        match op["op"]:
            case "destroy":
                for gone in [*self.below(op["id"]), op["id"]]:
                    del self.nodes[gone]
            case "move":
                node |= {"x": op["x"], "z": op["z"]}
            case "set":
                node |= {"x": op["x"], "z": op["z"], "tags": set(op["tags"]), "name": op["name"]}
            case "tag":
                node["tags"].add(op["tag"])
            case "untag":
                node["tags"].discard(op["tag"])
            case "parent":
                to = op["to"] if op["to"] in self.nodes else 0
                if to and (to == op["id"] or to in self.below(op["id"])):
                    return False
                node["parent"] = to
                return True
        return False

    def below(self, id_: int) -> list[int]:
        found = [child for child, node in self.nodes.items() if node["parent"] == id_]
        return sorted(found + [deeper for child in found for deeper in self.below(child)])

    def ask(self, q: dict[str, float]) -> dict[str, Any]:
        def those(fits: Any) -> list[int]:
            return sorted(id_ for id_, node in self.nodes.items() if fits(node))

        def near(node: dict[str, Any]) -> bool:
            return bool((node["x"] - q["x"]) ** 2 + (node["z"] - q["z"]) ** 2 <= q["radius"] ** 2)

        def inside(node: dict[str, Any]) -> bool:
            xs, zs = sorted([q["x"], q["x2"]]), sorted([q["z"], q["z2"]])
            return bool(xs[0] <= node["x"] <= xs[1] and zs[0] <= node["z"] <= zs[1])

        all_ids = sorted(self.nodes)
        return {
            "all": all_ids,
            "top": those(lambda node: node["parent"] == 0),
            "a": those(lambda node: "a" in node["tags"]),
            "b": those(lambda node: "b" in node["tags"]),
            "none": [],
            "within": those(near),
            "within_a": those(lambda node: near(node) and "a" in node["tags"]),
            "box": those(inside),
            "box_b": those(lambda node: inside(node) and "b" in node["tags"]),
            "children": [sorted(c for c, node in self.nodes.items() if node["parent"] == id_) for id_ in all_ids],
            "below": [self.below(id_) for id_ in all_ids],
            "tags": [sorted(self.nodes[id_]["tags"]) for id_ in all_ids],
            "parent": [self.nodes[id_]["parent"] for id_ in all_ids],
            "found": min(those(lambda node: node["name"] == "n1"), default=0),
        }


def ask(world: World, q: dict[str, Any]) -> dict[str, Any]:
    outcome = act(world, "p_1", "ask", **q).outcomes[0]
    assert outcome.status == "applied"
    assert outcome.result is not None
    return dict(msgspec.msgpack.decode(outcome.result))


questions = st.fixed_dictionaries(
    {
        "x": places,
        "z": places,
        "x2": places,
        "z2": places,
        "radius": st.sampled_from([0.0, 0.2, 3.0, 16.0, 50.0, 1e4, 1e8]),
    }
)


@given(batches=st.lists(st.tuples(st.lists(ops, max_size=40), questions), max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_queries_agree_with_a_search_through_all_nodes(batches: list[tuple[list[dict[str, Any]], Any]]) -> None:
    world, model = load(DRIVER, TOML), Model()
    join(world)
    for batch, question in batches:
        result = act(world, "p_1", "ops", ops=batch)
        assert result.outcomes[0].status == "applied", result.debug
        assert result.outcomes[0].result is not None
        assert msgspec.msgpack.decode(result.outcomes[0].result) == [model.do(op) for op in batch]
        assert ask(world, question) == model.ask(question)
        assert world.inspection.statistics().nodes == len(model.nodes)


@pytest.mark.parametrize("seed", range(5))
def test_queries_agree_after_a_long_and_crowded_history(seed: int) -> None:
    """Hundreds of operations on two dozen nodes in a few cells, tags taken and given back, slots used again."""
    world, model, chance = load(DRIVER, TOML), Model(), random.Random(seed)
    join(world)
    near = [-20.0, -1.0, 0.0, 5.0, 17.0, 40.0]

    def operation() -> dict[str, Any]:
        op = chance.choices(["spawn", "destroy", "move", "set", "tag", "untag", "parent"], [4, 2, 8, 4, 3, 3, 2])[0]
        made = {"op": op, "id": chance.choice([*model.nodes, 0]), "x": chance.choice(near), "z": chance.choice(near)}
        made |= {"tags": chance.sample(["a", "b", "c"], chance.randrange(4)), "tag": chance.choice("ab")}
        made |= {"to": chance.choice([*model.nodes, 0]), "name": chance.choice(["n1", "n2"]), "kind": "k"}
        return made | {"ask": chance.random() < 0.05}

    for _ in range(120):
        for _ in range(5):
            op = operation()
            result = act(world, "p_1", "ops", ops=[op]).outcomes[0].result
            assert result is not None
            assert msgspec.msgpack.decode(result) == [model.do(op)]
        question = {name: chance.choice(near) for name in ("x", "z", "x2", "z2")} | {
            "radius": chance.choice([1, 6, 30])
        }
        assert ask(world, question) == model.ask(question)


def test_a_node_shows_what_was_written_to_it() -> None:
    assert run(
        """
        local top = world.scene:spawn("village", {name = "home"})
        local n = world.scene:spawn("hut", {x = 1, y = 2, z = 3, sx = 4, sy = 5, sz = 6, rot = 7, colour = "#fff",
          shape = "box", label = "Hut", tags = {"b", "a", "b"}, data = {hp = 3}}, top)
        n.data.hp = n.data.hp + 1
        n.label = nil
        return {n.id, n.kind, n.name == nil, n.x, n.y, n.z, n.sx, n.sy, n.sz, n.rot, n.colour, n.shape, n.label == nil,
          n.tags, n.data.hp, n.parent.name, n.alive, n:has_tag("a"), n:has_tag("z"), top.parent == nil, top.sx, top.x}
        """
    ) == [
        2,
        "hut",
        True,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        "#fff",
        "box",
        True,
        ["a", "b"],
        4,
        "home",
        True,
        True,
        False,
        True,
        1,
        0,
    ]


def test_there_is_one_handle_per_node() -> None:
    assert run(
        """
        local n = world.scene:spawn("hut", {name = "h"})
        local seen = {[n.id] = true}
        return {world.scene:get(n.id) == n, world.scene:find("h") == n, world.scene:descendants()[1] == n}
        """
    ) == [True, True, True]


def test_ids_are_never_used_again() -> None:
    assert run(
        """
        local old = world.scene:spawn("hut")
        old:destroy()
        local new = world.scene:spawn("tree")
        return {old.id, new.id, old.alive, new.alive, world.scene:get(old.id) == nil}
        """
    ) == [1, 2, False, True, True]


def test_unchanged_lists_are_the_same_list_and_changed_ones_are_not() -> None:
    assert run(
        """
        local s = world.scene
        local a = s:spawn("hut", {tags = {"t"}})
        local all, tagged = s:descendants(), s:tagged("t")
        a.x = 5
        local same = all == s:descendants() and tagged == s:tagged("t")
        local b = s:spawn("hut", {tags = {"t"}})
        return {same, all == s:descendants(), tagged == s:tagged("t"), #all, #tagged, #s:descendants(), #s:tagged("t")}
        """
    ) == [True, False, False, 1, 1, 2, 2]


def test_nodes_may_go_and_come_while_a_list_is_walked() -> None:
    assert run(
        """
        for i = 1, 20 do world.scene:spawn("hut", {tags = {"t"}}) end
        local visited = 0
        for _, node in ipairs(world.scene:tagged("t")) do
          visited = visited + 1
          if node.id % 2 == 0 then node:destroy() else world.scene:spawn("tree", {tags = {"t"}}) end
        end
        return {visited, #world.scene:tagged("t")}
        """
    ) == [20, 20]


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("node.x = 'far'", "node.x wants a finite number, got far"),
        ("node.x = 0/0", "finite number, got nan"),
        ("node.y = 1/0", "finite number, got inf"),
        ("node:set({colour = 5})", "node.colour wants a text, got a number"),
        ("node.speed = 3", "a node has no speed"),
        ("node:set({colr = 'red'})", "did you mean colour?"),
        ("node:set({zz = 1, aa = 2, mm = 3})", "a node has no aa"),
        ("return node.hp", "keep data of your own in node.data"),
        ("node.id = 3", "a node has no id"),
        ("node.parent = node", "cannot become a child of itself"),
        ("node.data = 5", "node.data wants a table"),
        ("node.tags = {'a', 5}", "tags want a list of texts"),
        ("world.scene:spawn()", "spawn wants a kind first"),
        ("world.scene:spawn('hut', {x = 'a'})", "node.x wants a finite number"),
        ("world.scene:spawn('hut', nil, 5)", "wants a node"),
        ("world.scene.spawn('hut')", "with a colon"),
        ("world.scene:within(1, 2)", "within wants finite numbers, got nil"),
        ("world.scene:in_box(1, 2, 3)", "in_box wants finite numbers, got nil"),
        ("world.scene:spwan('hut')", "did you mean spawn?"),
        ("world.scene.size = 3", "world.scene cannot be changed"),
        ("node:destroy() node.x = 3", "node 1 is destroyed: x is gone"),
        ("node:destroy() node:destroy()", "node 1 is destroyed: destroy is gone"),
        ("rawset(node, 'x', 3)", "rawset cannot be used on a node"),
        ("setmetatable(node, {})", "setmetatable cannot be used on a node"),
    ],
)
def test_wrong_use_is_named_with_the_games_line(lua: str, says: str) -> None:
    message = error_of(f"local node = world.scene:spawn('tree') {lua}")
    assert says in message
    assert message.startswith("main.lua:")


def test_a_spawn_that_fails_makes_nothing() -> None:
    assert run(
        """
        pcall(function() world.scene:spawn("hut", {x = 1, colour = 5}) end)
        pcall(function() world.scene:spawn("hut", {tags = {5}}) end)
        return {#world.scene:descendants(), world.scene:spawn("hut").id}
        """
    ) == [0, 1]


def test_two_thousand_nodes_need_little_memory() -> None:
    world = load(
        body(
            setup="""
            for i = 1, 2000 do
              world.scene:spawn("tree", {x = world.random() * 1000, z = world.random() * 200, sx = 2, tags = {"land"}})
            end"""
        )
    )
    counters = world.inspection.statistics()
    assert counters.nodes == 2000
    assert counters.lua_kib < 3 * 1024


def test_the_default_view_is_the_scene() -> None:
    world = load(
        body(
            setup="""
            local gone = world.scene:spawn("tree")
            world.scene:spawn("hut", {x = 1.5, z = 2, sx = 3, colour = "#fff", label = "Hut", tags = {"b", "a"}})
            gone:destroy()
            world.scene:spawn("tree")"""
        )
    )
    assert msgspec.msgpack.decode(world.view()) == {
        "nodes": [
            {"id": 2, "kind": "hut", "x": 1.5, "y": 0, "z": 2, "sx": 3, "colour": "#fff", "label": "Hut"}
            | {"tags": ["a", "b"]},
            {"id": 3, "kind": "tree", "x": 0, "y": 0, "z": 0},
        ]
    }
