"""Promise: what README and docs tell a reader to do works as it stands there.

Every fenced block is run or parsed, by its language (CONTRIBUTING.md has the table). One folder stands for the
reader's checkout on each page, with ``.venv`` in it; a server that the page starts runs until the page starts another
or ends, and then must stop cleanly on Ctrl-C. A page that only talks to a server gets one.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec
import pytest
from lupa import luajit21

from server.commands import COMMANDS
from tests.faults_tried import KINDS

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND_TIMEOUT_S: Final = 100
START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 20

DRY_MAKE: Final = f"make --no-print-directory --dry-run -C {shlex.quote(str(ROOT))}"
STAND_INS: Final = {
    # The tests cannot run themselves, and their environment is made already: these ask make what it would do.
    "make test": f"{DRY_MAKE} test",
    "make check": f"{DRY_MAKE} check",
    # Half a minute of full load: tests/system has a shorter one.
    "make bench": f"{DRY_MAKE} bench",
    # What `make demo` comes down to once the environment is there.
    "make demo": "worldline demo",
    'make demo ARGS="--seconds 20 --agents 100"': "worldline demo --seconds 5 --agents 20",
    # A minute of full load, in the checkout: tests/system/test_chaos.py has all of it.
    ".venv/bin/python -m tests.system.chaos --seconds 60 --agents 50 --seed 1": (
        f"cd {shlex.quote(str(ROOT))} && {sys.executable} -m tests.system.chaos --seconds 4 --agents 4 --seed 1"
    ),
    # tests/test_wheel.py does this, without the network.
    "pip install .": "worldline --version",
}
"""Commands of which a test runs something else, each with the reason."""

SERVERS: Final = re.compile(r"(?:\.venv/bin/)?worldline (serve|demo)\b(?!.*--(seconds|help))")
"""Commands that run until Ctrl-C."""


class Block(msgspec.Struct, frozen=True):
    """One fenced block: where it stands, its language and its lines."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    language, first, body = None, 0, list[str]()
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.fullmatch(r" {0,3}```(.*)", line)
        if fence is None:
            body.append(line)
        elif language is None:
            language, first, body = fence[1].strip(), number, []
        else:
            yield Block(page, first, language, "\n".join(body) + "\n")
            language = None
    assert language is None, f"{page}:{first}: this block has no end"


class Running:
    """A server in the background, as a reader's other terminal; ``url`` is the address it printed."""

    def __init__(self, command: str, folder: Path) -> None:
        words = shlex.split(command)
        if "--port" in words:
            at = words.index("--port")
            del words[at : at + 2]
        self.command = command
        self.output: list[str] = []
        self._said_url = threading.Event()
        self.url = ""
        self._process = subprocess.Popen(
            [*words, "--port", "0"],
            cwd=folder,
            env=environment(folder, None),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if not self._said_url.wait(START_TIMEOUT_S) or not self.url:
            self._process.kill()
            self._reader.join()
            pytest.fail(f"`{command}` did not print an address:\n{''.join(self.output)}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            # A demo prints where its page is, a server where clients connect.
            address = re.search(r"(?:ws|http)(s?://\S+?/)(?:ws)?\s", line)
            if address and not self.url:
                self.url = f"ws{address[1]}ws"
                self._said_url.set()
        self._said_url.set()

    def stop(self) -> None:
        """Press Ctrl-C; the server must end well and in time."""
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = None
        self._reader.join()
        assert code == 0, f"`{self.command}` ended with {code}:\n{''.join(self.output)}"


def environment(folder: Path, url: str | None) -> dict[str, str]:
    """The variables of a reader who has just made `.venv`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WORLDLINE", "PYTHON"))}
    clean["PATH"] = f"{folder / '.venv/bin'}:{clean['PATH']}"
    clean["NO_COLOR"] = "1"
    clean["XDG_STATE_HOME"] = str(folder / ".state")
    if url is not None:
        clean["WORLDLINE_URL"] = url
    return clean


class Reader:
    """Somebody who does what a page says, in one folder, from top to bottom."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: Running | None = None
        (folder / ".venv").symlink_to(sys.prefix)

    def follow(self, block: Block) -> None:
        """Run or parse one block."""
        match block.language:
            case "console":
                self._console(block)
            case "python":
                self._python(block)
            case "json":
                msgspec.json.decode(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "lua":
                luajit21.LuaRuntime().compile(block.text)
            case "text":
                assert not re.search(r"^\$ ", block.text, re.MULTILINE), (
                    f"{block.where}: commands go into console blocks"
                )
            case other:
                pytest.fail(
                    f"{block.where}: say what this block is: console, python, json, toml, lua or text, not {other!r}"
                )

    def close(self) -> None:
        """Stop what is running."""
        if self.server is not None:
            server, self.server = self.server, None
            server.stop()

    def _console(self, block: Block) -> None:
        text = block.text.replace("\\\n", "")
        assert text.startswith("$ "), f"{block.where}: a console block begins with a command, `$ …`"
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            command = STAND_INS.get(command.strip(), command.strip())
            if SERVERS.match(command):
                self.close()
                self.server = Running(command, self.folder)
            else:
                self._command(block, command, expected)

    def _command(self, block: Block, command: str, expected: str) -> None:
        done = self._run(["bash", "-c", command])
        failed = re.search("^error:", expected, re.MULTILINE) is not None
        assert (done.returncode != 0) == failed, (
            f"{block.where}: `{command}` ended with {done.returncode}:\n{done.stdout}"
        )
        if expected.strip():
            pattern = re.escape(squeezed(expected)).replace("…", ".*?")
            assert re.fullmatch(pattern, squeezed(done.stdout), re.DOTALL), (
                f"{block.where}: `{command}` printed\n{done.stdout}\nthe page says\n{expected}"
            )

    def _python(self, block: Block) -> None:
        name = re.match(r"# (\w+\.py)\n", block.text)
        path = self.folder / (name[1] if name else "snippet.py")
        path.write_text(block.text)
        if name:
            return
        done = self._run([".venv/bin/python", str(path)])
        assert done.returncode == 0, f"{block.where}: ended with {done.returncode}:\n{done.stdout}"

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        needs_server = "python" in command[0] or re.search(r"\.py\b|worldline bot\b", command[-1])
        if needs_server and self.server is None:
            self.server = Running("worldline serve", self.folder)
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(self.folder, self.server.url if self.server else None),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )


def squeezed(text: str) -> str:
    """Return ``text`` with every run of spaces and line ends as one space: pages wrap and align as they like."""
    return " ".join(text.split())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_can_be_followed(page: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    try:
        for block in blocks(page):
            reader.follow(block)
    finally:
        reader.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_snippet_hides_as_an_indented_block(page: Path) -> None:
    """An indented block has no language, so nothing above would run it."""
    outside = re.sub(r"^ {0,3}```.*?^ {0,3}```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    hidden = re.findall(r"\n\n(?: {4}|\t)[^\n]*", outside)
    assert not hidden, f"{page.relative_to(ROOT)}: use a fenced block for {hidden[0].strip()!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which does not exist"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"`(tests/[^`\s]+)`", text):
        file, _, function = name.partition("::")
        assert (ROOT / file).exists(), f"{page.relative_to(ROOT)} names {name}, which does not exist"
        assert not function or f"def {function}(" in (ROOT / file).read_text(), f"{page.relative_to(ROOT)} names {name}"
    for name in re.findall(r"python -m (tests[.\w]+)", text):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"no module {name}"
    named = set(re.findall(r"`(test_\w+)`", text))
    defined = {
        function
        for file in (ROOT / "tests").rglob("test_*.py")
        for function in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert named <= defined, f"{page.relative_to(ROOT)} names {sorted(named - defined)}"


def test_the_reliability_page_has_every_kind_of_fault_that_is_counted() -> None:
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \| 0 \| 0 \|$", (ROOT / "docs/reliability.md").read_text(), re.MULTILINE)
    assert [kind for kind, _ in rows] == list(KINDS)


def test_the_readers_bot_has_fifteen_lines() -> None:
    """README promises a bot in fifteen lines; longer ones belong in the tutorial."""
    scripts = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    assert scripts, "README shows no bot"
    for script in scripts:
        code = [line for line in script.text.splitlines() if line.strip() and not line.startswith("#")]
        assert len(code) <= 15, script.where


def options(command: click.Command) -> set[str]:
    """The long options of a command and of its sub-commands, but for those it hides."""
    found = {
        name
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
        for name in option.opts
        if name.startswith("--")
    }
    if isinstance(command, click.Group):
        found = found.union(*map(options, command.commands.values()))
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_option_and_no_other(name: str) -> None:
    page = (ROOT / "docs/reference/commands.md").read_text()
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert section is not None, f"docs/reference/commands.md has no section {name}"
    rows = [line for line in section[1].splitlines() if line.startswith("| `")]
    named = {option for line in rows for option in re.findall(r"--[a-z-]+", line.split("|")[1])}
    assert named == options(importlib.import_module(COMMANDS[name].module).command)


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs/README.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        if page != ROOT / "docs/README.md":
            assert f"]({page.relative_to(ROOT / 'docs')})" in index, f"docs/README.md does not list {page.name}"


def test_the_tests_that_the_journals_rules_name_exist() -> None:
    page = (ROOT / "docs/reference/journal-rules.md").read_text()
    named = re.findall(r"`(tests/[^`:]+\.py)(?:::(test_\w+))?`", page)
    assert len(named) == page.count("`tests/") > 30
    for path, test in named:
        assert re.search(
            rf"^(?:async )?def {test + '[(]' if test else 'test_'}", (ROOT / path).read_text(), re.MULTILINE
        ), (path, test)
    rules = {line.split("|")[1].strip() for line in page.splitlines() if "`tests/" in line}
    assert rules >= set("123456789")
