"""Promise: every sub-command ends the same way. 0 done, 1 failed with one line `error: what → what to do`, 2 used
wrongly; a reader that went away is no failure, other people's text cannot drive a terminal, and a traceback is never
shown unless asked for."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from eventlog.errors import UnknownWorld
from server.commands import COMMANDS, Entry, main
from server.commands.output import Column, CommandError, clean, human_bytes, print_json, print_table

ERROR_LINE = re.compile(r"error: [^\n]+ → [^\n]+\n")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> str:
    """A sub-command of the tests' own, `worldline probe WHAT`, that ends as it is told."""
    probe = type(sys)("probe_command")
    probe.command = click.Command(  # type: ignore[attr-defined]
        "probe", callback=end_as_told, params=[click.Argument(["what"])], help="Ends as it is told."
    )
    monkeypatch.setitem(sys.modules, "probe_command", probe)
    monkeypatch.setitem(COMMANDS, "probe", Entry("probe_command", "Ends as it is told."))
    monkeypatch.delenv("WORLDLINE_LOG_LEVEL", raising=False)
    return "probe"


def end_as_told(what: str) -> int:
    match what:
        case "found":
            return 1
        case "command-error":
            raise CommandError("the cable\nis cut", "plug it in")
        case "our-error":
            raise UnknownWorld("w_1", Path("data"))
        case "bug":
            raise ZeroDivisionError("division by zero")
        case "closed-pipe":
            raise BrokenPipeError
        case "ctrl-c":
            raise KeyboardInterrupt
    return 0


@pytest.mark.parametrize(
    ("what", "code"), [("nothing", 0), ("found", 1), ("command-error", 1), ("our-error", 1), ("bug", 1)]
)
def test_exit_codes(command: str, what: str, code: int) -> None:
    assert main([command, what]) == code


@pytest.mark.parametrize("what", ["command-error", "our-error", "bug", "ctrl-c"])
def test_a_failure_is_one_line_that_says_what_to_do(
    command: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, what]) == 1
    assert ERROR_LINE.fullmatch(capsys.readouterr().err)


def test_an_error_of_ours_is_shown_in_its_own_words(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "our-error"])
    assert capsys.readouterr().err == f"error: {UnknownWorld('w_1', Path('data'))}\n"


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize("words", [["srve"], ["--nope"], ["probe"], ["probe", "a", "b"], ["log", "show", "--nope"]])
def test_a_wrong_use_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert ERROR_LINE.fullmatch(capsys.readouterr().err)


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["srve"]) == 2
    assert "did you mean serve?" in capsys.readouterr().err


def test_a_traceback_comes_only_when_asked_for(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDLINE_LOG_LEVEL", "debug")
    with pytest.raises(ZeroDivisionError):
        main([command, "bug"])


def test_a_reader_that_goes_away_is_no_failure() -> None:
    """`worldline --help | true`, with a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "server.commands", "--help"], stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


def test_other_peoples_text_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert clean("a\x1b[2Jb\nc\td\x9be") == r"a\x1b[2Jb\x0ac\x09d\x9be"
    print_table([Column("NAME")], [["[red]ada[/red]\x1b[31m"]])
    assert capsys.readouterr().out == "[red]ada[/red]\\x1b[31m\n"


def test_a_pipe_gets_plain_lines_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Column("A"), Column("B", number=True)], [["one", "1"], ["two", "2"]])
    assert capsys.readouterr().out == "one\t1\ntwo\t2\n"


def test_a_terminal_gets_a_table_with_headings() -> None:
    program = "from server.commands.output import *; print_table([Column('NAME')], [['[b]ada[/b]']])"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", program], stdout=theirs, check=True, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert "NAME" in shown
    assert "[b]ada[/b]" in shown


def test_json_is_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    print_json({"text": "a\nb"})
    assert out.getvalue() == '{"text":"a\\nb"}\n'


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 2**20, "3.0 MiB"), (5 * 2**30, "5.0 GiB")]
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert human_bytes(count) == text
