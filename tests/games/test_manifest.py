"""Promise: a game.toml means what it says; what it cannot mean is refused with file, line and what would be right."""

from __future__ import annotations

import pytest

from games.errors import GameError
from games.manifest_reader import read_manifest
from games.toml_lines import line_of
from tests.games.small import HEAD

FULL = """
title = "Full"
summary = "Everything."
max_players = 8
min_players = 2
clock = "realtime"
tick_hz = 20
max_ticks = 1000
grace_s = 60
idle_s = 30.5

[settings]
speed = 3
name = "x"
hard = true
pace = { type = "enum", values = ["slow", "fast"], default = "slow", help = "How fast." }

[inputs.move]
help = "Walk."
args.x = { type = "number", min = -500, max = 500, help = "East." }
args.to = { type = "string", max_length = 16, optional = true }
args.path = { type = "list", of = { type = "point", min = 0, max = 9 }, max_length = 4, optional = true }
args.kind = { type = "enum", values = ["a", "b"] }
args.who = { type = "id" }
args.fast = { type = "boolean" }
args.times = { type = "integer", min = 1 }
done_on = "arrived"

[events.arrived]
help = "You are there."
args.at = { type = "object", fields = { x = { type = "number" }, z = { type = "number", optional = true } } }
stops = true
[events.income]
help = "Paid."
quiet = true

[observation.fields]
x = { type = "number" }
relics = { type = "list", max_length = 10, of = { type = "object", fields.id = { type = "id" } } }
"""


def test_everything_declared_is_there() -> None:
    manifest = read_manifest(FULL.encode(), "game.toml")
    assert (manifest.title, manifest.max_players, manifest.min_players) == ("Full", 8, 2)
    assert (manifest.tick_hz, manifest.max_ticks, manifest.grace_s, manifest.idle_s) == (20.0, 1000, 60.0, 30.5)
    assert manifest.inputs["move"].done_on == "arrived"
    assert manifest.inputs["move"].args["x"].describe() == "a number from -500 to 500"
    assert (manifest.events["arrived"].stops, manifest.events["arrived"].quiet) == (True, False)
    assert (manifest.events["income"].stops, manifest.events["income"].quiet) == (False, True)
    assert manifest.check_settings({}) == {"speed": 3, "name": "x", "hard": True, "pace": "slow"}
    assert list(manifest.observation) == ["x", "relics"]


def test_what_is_left_out_has_its_default() -> None:
    manifest = read_manifest(HEAD.encode(), "game.toml")
    assert (manifest.min_players, manifest.clock, manifest.tick_hz, manifest.max_ticks) == (1, "realtime", 60.0, 0)
    assert (manifest.grace_s, manifest.idle_s) == (120.0, 120.0)
    assert (manifest.inputs, manifest.events, manifest.settings, manifest.observation) == ({}, {}, {}, {})


def test_the_schemas_say_what_is_accepted() -> None:
    manifest = read_manifest(FULL.encode(), "game.toml")
    number = {"type": "number", "minimum": 0, "maximum": 9}
    assert manifest.input_schemas() == {
        "move": {
            "description": "Walk.",
            "type": "object",
            "properties": {
                "x": {"description": "East.", "type": "number", "minimum": -500, "maximum": 500},
                "to": {"type": "string", "maxLength": 16},
                "path": {
                    "type": "array",
                    "maxItems": 4,
                    "items": {
                        "type": "object",
                        "properties": {"x": number, "y": number, "z": number},
                        "required": ["x", "z"],
                        "additionalProperties": False,
                    },
                },
                "kind": {"type": "string", "enum": ["a", "b"]},
                "who": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[!-~]+$"},
                "fast": {"type": "boolean"},
                "times": {"type": "integer", "minimum": 1},
            },
            "required": ["x", "kind", "who", "fast", "times"],
            "additionalProperties": False,
            "done_on": "arrived",
        }
    }
    events = manifest.event_schemas()
    assert (events["arrived"]["stops"], "quiet" in events["arrived"], events["income"]["quiet"]) == (True, False, True)
    assert events["arrived"]["properties"]["at"]["required"] == ["x"]
    assert manifest.observation_schema()["properties"]["relics"]["items"]["properties"]["id"]["type"] == "string"
    settings = manifest.settings_schema()
    assert settings["required"] == []
    assert settings["properties"]["pace"] == {
        "description": "How fast.",
        "default": "slow",
        "type": "string",
        "enum": ["slow", "fast"],
    }


# What follows HEAD (three lines), the line that is named, and what the message says.
REFUSED = [
    ("tick_hz = 0", 4, "tick_hz must be a number from 1 to 1000, got 0"),
    ("tick_hz = true", 4, "got true"),
    ("min_players = 5", 4, "min_players must be at most max_players (4)"),
    ("min_players = 1.5", 4, "a whole number from 1 to 1000"),
    ("grace_s = -1", 4, "grace_s must be a number from 0"),
    ('clock = "often"', 4, "clock must be one of realtime, lockstep, turn, manual, got"),
    ('clock = "turn"', 4, "a turn game has one default input, for agents that are silent: mark it with"),
    ("deadline_ms = 5", 4, "a realtime world waits for nobody: leave deadline_ms out"),
    ("[inputs.a]\nhelp = 'x'\ndefault = {}", 6, "a realtime world applies no default input"),
    ('clock = "lockstep"\ntick_hz = 5', 5, "a lockstep world ticks when all have acted: leave tick_hz out"),
    ('clock = "lockstep"\ndeadline_ms = 0', 5, "deadline_ms must be a whole number from 1 to"),
    ('clock = "lockstep"\n[inputs.a]\nhelp = "x"\n[inputs.a.default]\nb = 1', 7, "default.b"),
    ("tick_h = 30", 4, "unknown key tick_h, did you mean tick_hz?"),
    ("spectators = 1", 4, "unknown key spectators"),
    ("spectate = 1", 4, "spectate must be a table, got 1"),
    ('[spectate]\nwhen = "never"', 5, 'when must be one of live, delayed, after, off, got "never"'),
    ('[spectate]\nwhen = "delayed"', 4, 'delay_s goes with when = "delayed"'),
    ("[spectate]\ndelay_s = 5", 5, 'delay_s goes with when = "delayed"'),
    ("[spectate]\nwho = 1", 5, "unknown key who in [spectate]"),
    ("seats_per_agent = 5", 4, "seats_per_agent must be at most max_players (4)"),
    ('actions = "all"', 4, 'actions must be one of off, names, full, got "all"'),
    ("x = ", 4, "this is not TOML"),
    ("\n\n[inputs.move\n", 6, "this is not TOML"),
    ("[inputs]\nmove = 5", 5, "inputs.move must be a table, got 5"),
    ("[inputs.Move]\nhelp = 'x'", 4, "'Move' is no name"),
    ("[inputs.move]\nargs.x = { type = 'number' }", 4, "inputs.move.help is missing"),
    ("[inputs.move]\nhelp = ''", 5, "help must be a text"),
    ("[inputs.move]\nhelp = 'x'\nhlep = 'x'", 6, "unknown key hlep in [inputs.move], did you mean help?"),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'float' }", 6, "type must be one of number, integer, "),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'object' }", 6, "type must be one of number, integer, "),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { min = 5 }", 6, "inputs.move.args.x.type is missing"),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'number', mni = 5 }", 6, "did you mean min?"),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'boolean', min = 5 }", 6, "unknown key min"),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'number', min = 5, max = 4 }", 6, "min must be at most max"),
    (
        "[inputs.move]\nhelp = 'x'\nargs.x = { type = 'integer', min = 0.2, max = 0.8 }",
        6,
        "there is no integer from 0.2",
    ),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'enum' }", 6, "values is missing"),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'enum', values = ['a', 'a'] }", 6, "a list of different texts"),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'list' }", 6, "the type of the list's items"),
    ("[inputs.move]\nhelp = 'x'\nargs.x = { type = 'string', max_length = 0 }", 6, "a whole number from 1"),
    ("[inputs.move]\nhelp = 'x'\n[inputs.move.args.x]\ntype = 'number'\nmin = 'a'", 8, "min must be a number"),
    ("[inputs.move]\nhelp = 'x'\ndone_on = 'arived'\n[events.arrived]\nhelp = 'x'", 6, "did you mean arrived?"),
    ("[events.e]\nhelp = 'x'\nquiet = 1", 6, "quiet must be true or false"),
    ("[observation]\nfeilds = 1", 5, "did you mean fields?"),
    ("[observation.fields]\nx = 'number'", 5, "observation.fields.x must be a table"),
    ("[settings]\nspeed = [1]", 5, "a setting is a number, a text"),
    ("[settings]\nspeed = { type = 'number' }", 5, "settings.speed.default is missing"),
    (
        "[settings]\nspeed = { type = 'number', max = 5, default = 6 }",
        5,
        "default must be a number of at most 5, got 6",
    ),
]


@pytest.mark.parametrize(("text", "line", "says"), REFUSED, ids=[says[:40] for _, _, says in REFUSED])
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(GameError) as caught:
        read_manifest((HEAD + text).encode(), "here/game.toml")
    assert says in caught.value.reason
    assert (caught.value.path, caught.value.line) == ("here/game.toml", line)
    assert str(caught.value).startswith(f"here/game.toml:{line}: ")


@pytest.mark.parametrize("key", ["title", "summary", "max_players"])
def test_what_every_game_must_say(key: str) -> None:
    lines = [line for line in HEAD.splitlines() if not line.startswith(key)]
    with pytest.raises(GameError, match=f"{key} is missing"):
        read_manifest("\n".join(lines).encode(), "game.toml")


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(GameError, match=r"^game\.toml:2: this is not UTF-8$"):
        read_manifest(b"title = 'x'\nsummary = '\xff'", "game.toml")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("title",), 1),
        (("inputs", "move"), 3),
        (("inputs", "move", "args", "x"), 4),
        (("inputs", "move", "args", "x", "min"), 4),
        (("inputs", "stop", "args", "y", "max"), 8),
        (("events",), 5),
        (("nothing",), None),
    ],
)
def test_where_a_key_stands(keys: tuple[str, ...], line: int | None) -> None:
    text = (
        "title = 'x'\n\n[inputs.move]\nargs.x = {type = 'number'}\n[events.'a']\nb = 1\n[inputs.stop.args.y]\nmax = 5\n"
    )
    assert line_of(text, keys) == line
