"""Promise: `games check` finds each kind of mistake, and says in which file and line; an honest game has none. Each
mutant is an honest game with one mistake made in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from games.checking.check import check_game
from games.checking.report import Problem, Report
from games.code import Engine, GameCode
from games.skill import update_skill

TOML = """title = "Mill"
summary = "A game that makes no mistake."
max_players = 4
min_players = 2
{clock}
[inputs.run]
help = "Run."
args.x = {{ type = "number", min = -5, max = 5 }}
args.to = {{ type = "id", optional = true }}
{default}
[events.ran]
help = "Somebody ran."
args.x = {{ type = "number" }}
[observation.fields]
n = {{ type = "integer" }}
me = {{ type = "id" }}
"""
REALTIME = TOML.format(clock="tick_hz = 10", default="")
LOCKSTEP = TOML.format(clock='clock = "lockstep"', default="[inputs.run.default]\nx = 0")
TURN = TOML.format(clock='clock = "turn"', default="[inputs.run.default]\nx = 0")
MANUAL = TOML.format(clock='clock = "manual"', default="")

MAIN = """local game = { inputs = {}, timers = {} }
local LIMIT = 3
function game.setup(world)
  world.state.n = 0
end
function game.inputs.run(world, player, args)
  if args.x > LIMIT then
    return world.reject("too_far", "Not that far.")
  end
  world.state.n = world.state.n + 1
  world.emit("all", "ran", { x = args.x })
end
function game.tick(world, dt)
  world.state.n = world.state.n + world.random(2)
end
function game.to_act(world)
  return { world.players[1 + world.tick % #world.players] }
end
function game.observe(world, player)
  return { n = world.state.n, me = player }
end
return game
"""
SKILL = "# Mill\n<!-- generated:inputs -->\n<!-- end -->\n<!-- generated:observation -->\n<!-- end -->\n"


def write(folder: Path, main: str = MAIN, toml: str = REALTIME) -> Path:
    """Write a game into a folder, with a SKILL.md that is up to date."""
    game = folder / "mill"
    game.mkdir()
    (game / "game.toml").write_text(toml)
    (game / "main.lua").write_text(main)
    try:
        (game / "SKILL.md").write_text(update_skill(SKILL, GameCode.load(game).manifest))
    except Exception:
        (game / "SKILL.md").write_text(SKILL)
    return game


def mutant(folder: Path, *replacements: tuple[str, str], toml: str = REALTIME) -> Report:
    """Check the honest game with some of its text replaced."""
    main = MAIN
    for old, new in replacements:
        assert main.count(old) == 1, old
        main = main.replace(old, new)
    return check_game(write(folder, main, toml), ticks=300)


def the(report: Report, kind: str) -> Problem:
    """The one problem of this kind."""
    assert {problem.kind for problem in report.problems} == {kind}, report.problems
    return report.problems[0]


@pytest.mark.parametrize("toml", [REALTIME, LOCKSTEP, TURN, MANUAL], ids=["realtime", "lockstep", "turn", "manual"])
def test_an_honest_game_has_no_problem(tmp_path: Path, toml: str) -> None:
    report = check_game(write(tmp_path, toml=toml), ticks=300)
    assert (report.problems, report.notes) == ([], [])
    figures = report.figures
    assert figures is not None
    assert figures.ticks == 300
    assert min(figures.applied, figures.rejected, figures.refused) > 0, "agents send what is right and what is wrong"
    assert 0 < figures.tick_ms.p50 <= figures.tick_ms.p99
    assert figures.observation_bytes.most > 5


def test_the_same_seed_plays_the_same(tmp_path: Path) -> None:
    game = write(tmp_path)
    counts = [
        (f.applied, f.rejected, f.refused)
        for f in (check_game(game, ticks=200, seed=s).figures for s in (1, 1, 2))
        if f
    ]
    assert counts[0] == counts[1] != counts[2]


RUN = "  world.state.n = world.state.n + 1\n"
TICK = "  world.state.n = world.state.n + world.random(2)\n"
OBSERVE = "  return { n = world.state.n, me = player }\n"

MUTANTS = {
    "an input that raises": ((RUN, "  world.state.m = world.state.m + 1\n"), "raises", 10, "arithmetic on field 'm'"),
    "a tick that raises": ((TICK, "  world.nothing()\n"), "raises", 14, "world has no nothing"),
    "an event that is not declared": (('"ran", {', '"run", {'), "raises", 11, "did you mean ran"),
    "an event whose data does not fit": (("{ x = args.x }", "{ y = args.x }"), "raises", 11, "x is missing"),
    "an observe that raises": ((OBSERVE, "  return world.state.no.field\n"), "looking_raises", 20, "index field 'no'"),
    "an observe that writes": (
        (OBSERVE, "  world.state.seen = world.tick\n" + OBSERVE),
        "looking_writes",
        19,
        "game.observe changed state.seen",
    ),
    "a describe that raises": (
        ("return game\n", "function game.describe(world)\n  return nil .. world.id\nend\nreturn game\n"),
        "looking_raises",
        23,
        "game.describe raised",
    ),
    "a describe that writes": (
        ("return game\n", "function game.describe(world)\n  world.state.n = -1\n  return ''\nend\nreturn game\n"),
        "looking_writes",
        22,
        "game.describe changed state.n",
    ),
    "actions that raise": (
        ("return game\n", "function game.actions(world)\n  return world.state.n.m.k\nend\nreturn game\n"),
        "looking_raises",
        23,
        "game.actions raised",
    ),
    "actions that write": (
        ("return game\n", "function game.actions(world)\n  world.state.n = -1\n  return {}\nend\nreturn game\n"),
        "looking_writes",
        22,
        "game.actions changed state.n",
    ),
    "a view that raises": (
        ("return game\n", "function game.view(world)\n  return world.view\nend\nreturn game\n"),
        "looking_raises",
        23,
        "game.view raised: world has no view",
    ),
    "a timer that raises": (
        (
            "return game\n",
            "function game.join(world)\n  world.after(5, 'late')\nend\n"
            "function game.timers.late(world)\n  world.nothing()\nend\nreturn game\n",
        ),
        "raises",
        26,
        "game.timers.late raised",
    ),
    "a leave that raises": (
        ("return game\n", "function game.leave(world, player)\n  player.seat = 1\nend\nreturn game\n"),
        "raises",
        23,
        "game.leave raised",
    ),
    "a field that is not declared": (("me = player }", "me = player, more = 1 }"), "observation_misfit", 19, "more is"),
    "a field of another type": (("n = world.state.n,", "n = 0.5,"), "observation_misfit", 19, "n must be an integer"),
    "a number that is none": (("n = world.state.n,", "n = 0 / 0,"), "observation_misfit", 19, "n must be an integer"),
    "a function in the state": ((TICK, "  world.state.f = print\n"), "not_saveable", 14, "state.f is a function"),
    "a variable that changes": (
        (TICK, "  LIMIT = LIMIT + 1\n  world.state.n = LIMIT\n"),
        "restored_differs",
        14,
        "state.n. Variables of files that functions write to are not saved: LIMIT (main.lua:14)",
    ),
    "a rejection that is not returned": (
        ('    return world.reject("', '    world.reject("'),
        "rejection_dropped",
        8,
        "return world.reject",
    ),
    "a loop without an end": ((TICK, "  while true do end\n"), "stuck", 13, "has not come back"),
    "a setup that raises": (("  world.state.n = 0\n", "  world.state.n = nil + 1\n"), "does_not_load", 4, "arithmetic"),
    "memory without end": (
        (TICK, "  for i = 1, 8 do world.state['t' .. world.tick .. i] = string.rep(i, 1048576) .. world.tick end\n"),
        "faulted",
        13,
        "64 MiB",
    ),
    "power": ((TICK, "  world.state.n = 2 ^ 2\n"), "does_not_load", 14, "'^'"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_found_with_its_line(tmp_path: Path, name: str) -> None:
    replacement, kind, line, says = MUTANTS[name]
    problem = next(iter(mutant(tmp_path, replacement).problems), None)
    assert problem is not None, "nothing was found"
    assert (problem.kind, problem.file, problem.line) == (kind, "main.lua", line), problem
    assert says in problem.message


def test_a_result_that_is_no_number_is_found_with_its_path(tmp_path: Path) -> None:
    problem = the(mutant(tmp_path, (RUN, "  do return { far = { 1 / 0 } } end\n")), "number_lost")
    assert "at far[1]" in problem.message


def test_a_game_that_cannot_say_who_acts_is_found(tmp_path: Path) -> None:
    report = mutant(tmp_path, ("return { world.players[1 + world.tick % #world.players] }", "return 5"), toml=TURN)
    problem = the(report, "to_act_fails")
    assert (problem.file, problem.line) == ("main.lua", 16)
    assert "must return a list of players" in problem.message


def test_a_table_that_is_not_up_to_date_is_found(tmp_path: Path) -> None:
    game = write(tmp_path)
    toml = game / "game.toml"
    toml.write_text(toml.read_text().replace('help = "Run."', 'help = "Walk."'))
    problem = the(check_game(game, ticks=50), "skill_outdated")
    assert (problem.file, problem.line) == ("SKILL.md", 5)


def test_two_processes_that_disagree_are_found(tmp_path: Path) -> None:
    """No game can do this: the mutant is the engine, which lets a game see whether the JIT has compiled anything."""
    files = dict(Engine.current().files)
    source = files["sandbox.lua"].decode()
    hook = "  function globals.print("
    assert source.count(hook) == 1
    files["sandbox.lua"] = source.replace(
        hook, "  function globals.jitted() return (jit.status()) end\n" + hook
    ).encode()
    main = MAIN.replace(TICK, "  world.state.n = jitted() and 1 or 2\n")
    report = check_game(write(tmp_path, main), ticks=300, engine=Engine.from_files(files))
    assert "world 1 has come out differently at tick" in the(report, "not_deterministic").message


def test_what_never_happens_is_noted(tmp_path: Path) -> None:
    report = mutant(tmp_path, ('  world.emit("all", "ran", { x = args.x })\n', ""))
    assert report.problems == []
    assert report.notes == ["declared events that were never emitted: ran"]
