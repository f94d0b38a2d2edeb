"""Promise: who has only a shell can play one step at a time, and a person can play from a terminal: the seat stays
between steps, what was told is not told again, and what is wrong is said with what to do."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import worldline
from tests.system.chaos.faults import free_port
from tests.system.conftest import ServerFactory
from tests.system.harness import RunningServer, eventually

COMMAND = [sys.executable, "-m", "server.commands"]
WITHIN_S = 30.0


def run(
    server: RunningServer, state: Path, *words: str, command: str = "act", text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody in a shell would."""
    environment = {**os.environ, "XDG_STATE_HOME": str(state / "state"), "WORLDLINE_URL": server.url}
    return subprocess.run(
        [*COMMAND, command, *words],
        input=text,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def test_steps_go_on_with_the_same_seat(server: RunningServer, tmp_path: Path) -> None:
    first = run(server, tmp_path, "echo")
    assert (first.returncode, first.stdout.splitlines()[0].split(" · ")[1]) == (0, "you have counted to 0")
    assert "you are p_1 in world" in first.stderr
    second = run(server, tmp_path, "echo", "count", "by=5", "--note", "to see")
    assert second.returncode == 0
    assert re.match(r'applied at tick \d+: {"total":5}\n.* you have counted to 5\n$', second.stdout)
    assert second.stderr == "", "nothing is said of a seat that is as it was"
    assert run(server, tmp_path, "echo", "say", "text=hello there").stdout.count("event at") == 1
    assert "event at" not in run(server, tmp_path, "echo").stdout, "each event is told once"
    (kept,) = (tmp_path / "state" / "worldline").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_goes_wrong_is_said_with_what_to_do(server: RunningServer, tmp_path: Path) -> None:
    rejected = run(server, tmp_path, "echo", "count", "by=500")
    assert (rejected.returncode, rejected.stdout.splitlines()[0].partition(", ")[2]) == (
        1,
        "too_much: You may add at most 100 at once.",
    )
    for words, said in [
        (("echo", "cuont", "by=5"), "error: there is no input 'cuont', did you mean count? → say one of: say, count"),
        (("echo", "count", "by"), "error: 'by' is not name=value → write count by=1..1000"),
        (("echo", "count", "by=0"), "by must be an integer from 1 to 1000, got 0"),
        (("ecko",), "error: unknown_game: there is no game 'ecko' here"),
    ]:
        wrong = run(server, tmp_path, *words)
        assert wrong.returncode == 1
        assert said in wrong.stderr
        assert wrong.stdout == ""
    assert run(server, tmp_path, "echo", "count", "by=5", "--until", "tick").returncode == 2
    (tmp_path / "bad").write_text("what is this")
    assert "is no session" in run(server, tmp_path, "echo", "--session", str(tmp_path / "bad")).stderr


def test_json_has_all_of_it(server: RunningServer, tmp_path: Path) -> None:
    answer = json.loads(run(server, tmp_path, "echo", "count", "by=5", "--json").stdout)
    assert answer["outcome"]["result"] == {"total": 5}
    assert answer["observation"]["data"]["total"] == 5


def test_a_seat_that_is_gone_is_named_and_another_taken(serve: ServerFactory, tmp_path: Path) -> None:
    server = serve("--shards", "1", "--port", str(free_port()))
    before = run(server, tmp_path, "echo").stderr
    run(server, tmp_path, "echo", "--leave")
    again = run(server, tmp_path, "echo")
    assert "is gone" not in again.stderr, "it was given back"
    server.terminate()
    (server.data / "secret.key").unlink()  # another server, as far as sessions go
    later = serve("--shards", "1", "--port", str(server.port))
    lost = run(later, tmp_path, "echo")
    assert (lost.returncode, "is gone" in lost.stderr, "seat" in before) == (0, True, True)


def test_a_seat_elsewhere_is_not_gone(server: RunningServer, tmp_path: Path) -> None:
    def step(*words: str) -> subprocess.CompletedProcess[str]:
        return run(server, tmp_path, *words, "--session", str(tmp_path / "one-for-all"))

    step("echo", "count", "by=5")
    assert "ecko" in (typo := step("ecko").stderr) and "is gone" not in typo
    elsewhere = step("tsunami")
    assert (elsewhere.returncode, "is gone" in elsewhere.stderr) == (0, False)
    back = step("echo")
    assert (back.returncode, back.stderr) == (0, ""), "the seat in the first game was kept"
    assert "you have counted to 5" in back.stdout


def test_lines_of_a_pipe_are_inputs(server: RunningServer, tmp_path: Path) -> None:
    played = run(server, tmp_path, "echo", command="play", text="count by=5\ncount by=500\nmap\ncuont\ninputs\n")
    assert played.returncode == 0
    for said in (
        '{"total":5}',
        "too_much",
        "nothing that you know of has a place",
        "did you mean count?",
        "count by=1..1000",
        "you have left world",
    ):
        assert said in played.stdout


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(words[0], words, environment)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def await_text(self, text: str) -> None:
        """Return when this has been shown since it was last awaited."""
        end_s = time.monotonic() + WITHIN_S
        while text not in self.shown:
            readable, _, _ = select.select([self._descriptor], [], [], max(0.0, end_s - time.monotonic()))
            assert readable, f"{text!r} was not shown: {self.shown[-2000:]!r}"
            read = os.read(self._descriptor, 65536).decode(errors="replace")
            if "\x1b[6n" in read:  # it asks where the cursor is, as of any terminal
                self.type("\x1b[1;1R")
            self.shown += read
        self.shown = self.shown.partition(text)[2]

    def end(self) -> int:
        """Wait for its end, reading on; its exit code."""
        while True:
            try:
                self.shown += os.read(self._descriptor, 65536).decode(errors="replace")
            except OSError:  # the other end has closed
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(status)


async def test_a_person_plays_on_a_terminal_and_gives_the_seat_back_with_ctrl_c(server: RunningServer) -> None:
    environment = {**os.environ, "WORLDLINE_URL": server.url, "TERM": "xterm"}
    terminal = Terminal([*COMMAND, "play", "echo", "--name", "ada"], environment)
    try:
        terminal.await_text("you have counted to 0")
        async with worldline.connect(server.url) as client:
            other = await client.join("echo")
            terminal.type("cou\t")
            terminal.await_text("nt")
            terminal.type(" by=7\r")
            terminal.await_text('{"total":7}')
            await other.input("say", text="hello")
            terminal.await_text("event at")
            terminal.await_text("hello")
            terminal.type("\x03")
            assert terminal.end() == 0

            async def alone() -> bool:
                (world,) = await client.worlds(mine=True)
                return [player.name for player in world.players] == [client.name]

            await eventually(alone, "the seat is given back")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(terminal.pid, signal.SIGKILL)
