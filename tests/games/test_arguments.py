"""Promise: args that do not fit are refused with what is wrong, where, and args that work when sent as they stand."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.errors import ArgumentProblem
from games.fields import MAX_INTEGER
from games.manifest import Manifest
from games.manifest_reader import read_manifest
from tests.games.small import HEAD

TOML = """
[inputs.move]
help = "Walk."
args.x = { type = "number", min = -500, max = 500 }
args.z = { type = "number", min = -114.5, max = 114, optional = true }
[inputs.say]
help = "Say."
args.text = { type = "string", max_length = 5 }
[inputs.pick]
help = "Pick."
args.colour = { type = "enum", values = ["red", "green", "blue"] }
args.slot = { type = "integer", min = 1, max = 10, optional = true }
[inputs.walk]
help = "Walk a path."
args.path = { type = "list", of = "point", max_length = 3 }
[inputs.give]
help = "Give."
args.to = { type = "id" }
args.all = { type = "boolean" }
args.counts = { type = "list", of = { type = "integer", min = 0.5 }, max_length = 2, optional = true }
[inputs.stop]
help = "Stop."
"""


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_manifest((HEAD + TOML).encode(), "game.toml")


@pytest.mark.parametrize(
    ("name", "args", "taken"),
    [
        ("move", {"x": 5}, {"x": 5}),
        ("move", {"x": 5.0, "z": None}, {"x": 5}),
        ("move", {"x": -500, "z": -114.5}, {"x": -500, "z": -114.5}),
        ("say", {"text": "äöü€x"}, {"text": "äöü€x"}),
        ("pick", {"colour": "red", "slot": 10.0}, {"colour": "red", "slot": 10}),
        ("walk", {"path": []}, {"path": []}),
        ("walk", {"path": [{"x": 1.0, "z": 2}]}, {"path": [{"x": 1, "z": 2}]}),
        ("walk", {"path": [{"x": 1, "y": 0.5, "z": 2}]}, {"path": [{"x": 1, "y": 0.5, "z": 2}]}),
        ("give", {"to": "p_1", "all": False, "counts": [1, 2]}, {"to": "p_1", "all": False, "counts": [1, 2]}),
        ("stop", {}, {}),
    ],
)
def test_what_fits_is_taken_with_whole_numbers_as_integers(
    manifest: Manifest, name: str, args: dict[str, Any], taken: dict[str, Any]
) -> None:
    got = manifest.check_input(name, args)
    assert got == taken
    assert msgspec.msgpack.encode(got) == msgspec.msgpack.encode(taken), "5.0 goes into the log as 5"


def test_no_args_are_no_args(manifest: Manifest) -> None:
    assert manifest.check_input("stop", None) == {}


def test_numbers_that_lua_cannot_hold_become_what_it_can() -> None:
    toml = HEAD + '[inputs.any]\nhelp = "Any."\nargs.n = { type = "number" }'
    assert repr(read_manifest(toml.encode(), "g").check_input("any", {"n": 2**63})) == "{'n': 9.223372036854776e+18}"


PROBLEMS: list[tuple[str, Any, str, str, Any]] = [
    ("move", {"x": 900}, "args.x", "x must be a number from -500 to 500, got 900", {"x": 500}),
    ("move", {"x": -900, "z": 1}, "args.x", "got -900", {"x": -500, "z": 1}),
    ("move", {"x": "12"}, "args.x", 'got "12"', {"x": 12}),
    ("move", {"x": True}, "args.x", "got true", {"x": 0}),
    ("move", {"x": math.nan}, "args.x", "got nan", {"x": 0}),
    ("move", {"x": math.inf}, "args.x", "got inf", {"x": 0}),
    ("move", {"x": [1]}, "args.x", "got [1]", {"x": 0}),
    ("move", {}, "args.x", "x is missing: a number from -500 to 500", {"x": 0}),
    ("move", {"x": None}, "args.x", "x is missing", {"x": 0}),
    ("move", {"x": 1, "zz": 5}, "args.zz", 'there is no arg "zz", did you mean z?', {"x": 1, "z": 5}),
    ("move", {"x": 1, "speed": 5}, "args.speed", 'there is no arg "speed"', {"x": 1}),
    ("say", {"text": "123456"}, "args.text", "text must be a text of at most 5 characters", {"text": "12345"}),
    ("say", {"text": 5}, "args.text", "got 5", {"text": "a"}),
    ("say", {"txet": "hi"}, "args.text", "text is missing", {"text": "hi"}),
    ("pick", {"colour": "gren"}, "args.colour", "must be one of red, green, blue", {"colour": "green"}),
    ("pick", {"colour": 5}, "args.colour", "got 5", {"colour": "red"}),
    (
        "pick",
        {"colour": "red", "slot": 1.5},
        "args.slot",
        "an integer from 1 to 10, got 1.5",
        {"colour": "red", "slot": 2},
    ),
    ("pick", {"colour": "red", "slot": 11}, "args.slot", "got 11", {"colour": "red", "slot": 10}),
    ("walk", {"path": [{"x": 1}]}, "args.path", "path [0] must be a point", {"path": [{"x": 1, "z": 0}]}),
    ("walk", {"path": [{"x": 1, "z": 2, "w": 3}]}, "args.path", "[0] must", {"path": [{"x": 1, "z": 2}]}),
    ("walk", {"path": [{"x": 0, "z": 0}] * 4}, "args.path", "at most 3 items", {"path": [{"x": 0, "z": 0}] * 3}),
    ("give", {"to": "", "all": 1}, "args.to", "an id of 1 to 40", {"to": "a", "all": True}),
    ("give", {"to": "a b", "all": True}, "args.to", "printable ASCII", {"to": "a", "all": True}),
    ("give", {"to": "p", "all": True, "counts": [0]}, "args.counts", "[0]", {"to": "p", "all": True, "counts": [1]}),
    ("stop", {"x": 1}, "args.x", 'there is no arg "x"', {}),
]


@pytest.mark.parametrize(("name", "args", "path", "says", "works"), PROBLEMS)
def test_what_does_not_fit_is_named_with_args_that_do(
    manifest: Manifest, name: str, args: dict[str, Any], path: str, says: str, works: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentProblem) as caught:
        manifest.check_input(name, args)
    problem = caught.value
    assert (problem.kind, problem.path) == ("invalid_args", path)
    assert says in problem.message
    assert problem.suggestion == works
    sent_back = msgspec.json.decode(problem.hint[problem.hint.index("{") :])
    assert manifest.check_input(name, sent_back) == works


def test_what_is_valid_is_listed(manifest: Manifest) -> None:
    cases: list[tuple[str, dict[str, Any], list[str] | None]] = [
        ("pick", {"colour": "x"}, ["red", "green", "blue"]),
        ("move", {"x": 1, "zz": 1}, ["z", "x"]),
        ("stop", {"x": 1}, []),
        ("move", {"x": 900}, None),
    ]
    for name, args, valid in cases:
        with pytest.raises(ArgumentProblem) as caught:
            manifest.check_input(name, args)
        assert caught.value.valid == valid


@pytest.mark.parametrize(("name", "meant"), [("mvoe", "move"), ("picks", "pick"), ("Stop", "stop"), ("xyz", None)])
def test_an_unknown_input_is_answered_with_the_nearest(manifest: Manifest, name: str, meant: str | None) -> None:
    with pytest.raises(ArgumentProblem) as caught:
        manifest.check_input(name, {})
    problem = caught.value
    assert (problem.kind, problem.path) == ("unknown_input", "name")
    assert ("did you mean" in problem.message) == (meant is not None)
    assert problem.valid is not None
    assert set(problem.valid) == {"move", "say", "pick", "walk", "give", "stop"}
    assert meant is None or problem.valid[0] == meant
    works = problem.hint.split('"')[1]
    manifest.check_input(works, msgspec.json.decode(problem.hint[problem.hint.index("{") :]))


def test_a_game_without_inputs_says_so() -> None:
    with pytest.raises(ArgumentProblem, match="this game takes no inputs"):
        read_manifest(HEAD.encode(), "g").check_input("move", {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["x", "y", "z", "w"]), inner, max_size=4)
    ),
    max_leaves=12,
)
arg_names = st.sampled_from(
    ["x", "z", "text", "colour", "slot", "path", "to", "all", "counts", "colur", "X"]
) | st.text(max_size=4)


@given(
    name=st.sampled_from(["move", "say", "pick", "walk", "give", "stop"]), args=st.dictionaries(arg_names, json_values)
)
def test_every_hint_works(manifest: Manifest, name: str, args: dict[str, Any]) -> None:
    """Whatever is sent is taken, or answered with something that is taken."""
    try:
        taken = manifest.check_input(name, args)
    except ArgumentProblem as problem:
        sent_back = msgspec.json.decode(problem.hint[problem.hint.index("{") :])
        taken = manifest.check_input(name, sent_back)
        assert taken == problem.suggestion
        assert problem.path.startswith("args.")
        assert len(problem.message) < 500
    assert manifest.check_input(name, taken) == taken, "checking twice changes nothing"
    assert not any(isinstance(v, float) and (v.is_integer() and abs(v) <= MAX_INTEGER) for v in taken.values())


def test_settings_are_checked_the_same_way() -> None:
    manifest = read_manifest((HEAD + "[settings]\nspeed = { type = 'number', max = 9, default = 3 }").encode(), "g")
    assert manifest.check_settings({"speed": 4.0}) == {"speed": 4}
    with pytest.raises(ArgumentProblem) as caught:
        manifest.check_settings({"speeed": 4})
    assert caught.value.path == "settings.speeed"
    assert caught.value.hint == 'these settings work: {"speed":4}'
    with pytest.raises(ArgumentProblem, match="speed must be a number of at most 9, got 10"):
        manifest.check_settings({"speed": 10})
