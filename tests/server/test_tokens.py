"""Promise: a token proves one agent for good and is nowhere but with its owner; commands at the same time lose none; a
running server notices what they change, and a broken file locks nobody out."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.commands import main
from server.tokens import FILE_NAME, TokenBook, TokenError, create_token, hashed, read_tokens, revoke_token


def test_a_token_is_long_random_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    record, token = create_token(tmp_path, "ada", "agent")
    _, other = create_token(tmp_path, "bob", "developer")
    assert token != other
    assert token.startswith("wl_")
    assert len(token) >= 40
    assert record.sha256 == hashed(token)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
        assert token.encode() not in path.read_bytes(), path
    assert [(each.name, each.role) for each in read_tokens(tmp_path)] == [("ada", "agent"), ("bob", "developer")]


def test_the_agent_follows_from_the_token_and_from_nothing_else(tmp_path: Path) -> None:
    record, token = create_token(tmp_path, "ada", "agent")
    again = book_of(tmp_path).find(token)
    assert again is not None
    assert again.agent == record.agent
    assert len(record.agent) == 12
    assert record.agent.startswith("a_")
    revoke_token(tmp_path, "ada")
    anew, _ = create_token(tmp_path, "ada", "agent")
    assert anew.agent != record.agent, "a new token of the same name is another agent"


def book_of(data: Path) -> TokenBook:
    book = TokenBook(data)
    book.refresh()
    return book


def test_commands_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [token for _, token in pool.map(lambda n: create_token(tmp_path, f"agent {n}", "agent"), range(40))]
    book = book_of(tmp_path)
    assert all(book.find(token) is not None for token in made)


def test_a_name_is_one_agents(tmp_path: Path) -> None:
    create_token(tmp_path, "ada", "agent")
    with pytest.raises(TokenError, match="already"):
        create_token(tmp_path, "ada", "spectator")
    with pytest.raises(TokenError, match="no token named 'bob'"):
        revoke_token(tmp_path, "bob")


def test_a_book_notices_what_changes(tmp_path: Path) -> None:
    book = book_of(tmp_path)
    record, token = create_token(tmp_path, "ada", "agent")
    book.refresh()
    assert (book.find(token), book.changes) == (record, 1)
    book.refresh()
    assert book.changes == 1
    revoke_token(tmp_path, record.agent)
    book.refresh()
    assert (book.find(token), book.of_agent(record.agent), book.changes) == (None, None, 2)


def test_removing_the_file_revokes_all(tmp_path: Path) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    book = book_of(tmp_path)
    assert book.find(token) is not None
    (tmp_path / FILE_NAME).unlink()
    book.refresh()
    assert book.find(token) is None


@pytest.mark.parametrize("text", ["", "{", '{"format":2,"tokens":[]}', '{"format":1,"tokens":[{"name":"x"}]}'])
def test_a_broken_file_is_said_and_changes_nothing(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    book = book_of(tmp_path)
    (tmp_path / FILE_NAME).write_text(text)
    book.refresh()
    assert book.find(token) is not None
    assert "not a file of tokens" in caplog.text
    with pytest.raises(TokenError, match="not a file of tokens"):
        create_token(tmp_path, "bob", "agent")
    assert (tmp_path / FILE_NAME).read_text() == text, "a file that nobody understands is not written over"


@pytest.mark.parametrize("shown", ["", "wl_", "ż", "\ud800", "x" * 70_000])
def test_anything_may_be_shown_as_a_token(tmp_path: Path, shown: str) -> None:
    create_token(tmp_path, "ada", "agent")
    assert book_of(tmp_path).find(shown) is None


# --- the command ------------------------------------------------------------------------------------------


def tokens_command(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.commands", "tokens", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_create_prints_the_token_and_only_that_to_standard_output(tmp_path: Path) -> None:
    data = tmp_path / "not there yet"
    done = tokens_command(data, "create", "ada", "--role", "developer")
    assert done.returncode == 0, done.stderr
    found = book_of(data).find(done.stdout.strip())
    assert found is not None
    assert (found.name, found.role) == ("ada", "developer")
    assert found.agent in done.stderr
    listed = tokens_command(data, "ls")
    assert listed.stdout.split("\t")[:3] == ["ada", "developer", found.agent]
    assert done.stdout.strip() not in listed.stdout


def test_for_programs_each_token_is_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokens", "create", "ada", "--json", "--data", str(tmp_path)]) == 0
    made = json.loads(capsys.readouterr().out)
    assert book_of(tmp_path).find(made.pop("token")) is not None
    assert main(["tokens", "ls", "--json", "--data", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == made
    assert made["role"] == "agent"


def test_revoke_says_whose_and_fails_for_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, _ = create_token(tmp_path, "ada", "agent")
    assert main(["tokens", "revoke", "ada", "--data", str(tmp_path)]) == 0
    assert record.agent in capsys.readouterr().out
    assert main(["tokens", "revoke", "ada", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: there is no token named 'ada'")


@pytest.mark.parametrize("name", ["", " ada", "ada\n", "x" * 65, "a\x1b[1m", "-"])
def test_names_are_words(tmp_path: Path, name: str) -> None:
    assert main(["tokens", "create", "--data", str(tmp_path), "--", name]) == 2
    assert read_tokens(tmp_path) == []
