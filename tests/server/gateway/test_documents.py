"""Promise: what is told about a game over plain HTTP is told of the version that is played, and what cannot be told is
said with where to find it."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from games.code import MAIN, MANIFEST, SKILL, GameCode
from server.gateway.catalogue import Catalogue
from server.gateway.documents import add_documents, first_messages
from server.gateway.paths import MAX_BODY_BYTES, Asked, Body, Paths

TOML = """\
title = "Echo"
summary = "Says it again."
max_players = 2
clock = "realtime"
tick_hz = 10

[inputs.say]
help = "Say it."
"""


def game(skill: str, toml: str = TOML) -> GameCode:
    return GameCode.from_files("echo", {MANIFEST: toml.encode(), MAIN: b"return {}", SKILL: skill.encode()})


def told(paths: Paths, path: str) -> Body:
    entry = paths.find(path)
    assert entry is not None
    if isinstance(entry.body, Body):
        return entry.body
    body = entry.body(Asked(path=path, query="", agent=None, role=None))
    assert isinstance(body, Body)
    return body


def documents(catalogue: Catalogue) -> Paths:
    paths = Paths()
    add_documents(paths, catalogue, "agent")
    return paths


def test_a_game_that_was_saved_anew_is_told_anew() -> None:
    catalogue = Catalogue({"echo": game("# Echo")})
    paths = documents(catalogue)
    assert told(paths, "/games/echo/SKILL.md").content == b"# Echo"
    catalogue.put(game("# Echo 2", TOML.replace("inputs.say", "inputs.shout").replace("Says", "Shouts")))
    assert told(paths, "/games/echo/SKILL.md").content == b"# Echo 2"
    schema = msgspec.json.decode(told(paths, "/schema/echo.json").content)
    assert [name for name in schema["$defs"] if name.startswith("input.")] == ["input.shout"]
    assert b"Shouts it again." in told(paths, "/llms.txt").content
    assert b'"name":"shout"' in told(paths, "/llms.txt").content


def test_what_cannot_be_told_is_said_with_where_to_find_it() -> None:
    nothing = told(documents(Catalogue({"echo": game("")})), "/games/echo/SKILL.md")
    assert nothing.status is HTTPStatus.NOT_FOUND
    assert b"/schema/echo.json" in nothing.content
    large = told(documents(Catalogue({"echo": game("x" * (MAX_BODY_BYTES + 1))})), "/games/echo/SKILL.md")
    assert large.status is HTTPStatus.NOT_FOUND
    assert b"`rules`" in large.content


def test_a_server_without_games_says_hello_all_the_same() -> None:
    catalogue = Catalogue({})
    assert [type(message).__name__ for message in first_messages(catalogue)] == ["Hello"]
    assert b"## Games" not in told(documents(catalogue), "/llms.txt").content
