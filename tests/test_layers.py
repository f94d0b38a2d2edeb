"""Promise: the house has floors. No package imports a higher one, no modules import each other in a circle, and
`import worldline` costs an agent's author only websockets and msgspec."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "worldline": set[str](),
    "eventlog": set[str](),
    "games": set[str](),
    "replays": {"eventlog", "games"},
    "server": {"worldline", "eventlog", "games", "replays"},
}
"""Which of our packages each package may import besides itself."""

THIRD_PARTY = {
    "worldline": {"websockets", "msgspec"},
    "eventlog": {"msgspec"},
    "games": {"msgspec", "lupa"},
    "replays": {"msgspec"},
    "server": {
        "websockets",
        "msgspec",
        "uvloop",
        "aiolimiter",
        "prometheus_client",
        "prompt_toolkit",
        "click",
        "rich",
        "lupa",
    },
}
"""Which packages of others each may import: a new dependency needs a reason in docs/decisions/."""


def modules() -> dict[str, Path]:
    """Return every module of ours by its dotted name."""
    found = {}
    for package in MAY_IMPORT:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, *, at_import_only: bool) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of what a module imports.

    ``at_import_only`` leaves out what is imported inside functions and under TYPE_CHECKING: that cannot make a circle.
    """

    def visit(node: ast.AST) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports out in full"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif at_import_only and runs_later(node):
            return
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    yield from visit(ast.parse(path.read_text(), filename=str(path)))


def runs_later(node: ast.AST) -> bool:
    """Whether the code under this node does not run when its module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def misplaced(name: str, path: Path) -> Iterator[str]:
    """Yield one line for each import of a module that its floor does not allow."""
    package = name.split(".")[0]
    allowed = MAY_IMPORT[package] | {package}
    if package == "games" and name.endswith(".bot"):
        # A sample bot stands for an agent somebody else wrote: it uses the client and nothing else of ours.
        allowed = {"worldline"}
    for line, target in imports(path, at_import_only=False):
        top = target.split(".")[0]
        known = top in MAY_IMPORT or top in sys.stdlib_module_names or top == "__future__"
        if top in MAY_IMPORT and top not in allowed:
            yield f"{path}:{line}: {name} may not import {target}"
        if not known and top not in THIRD_PARTY[package]:
            yield f"{path}:{line}: {package} may not depend on {top}"


def test_every_package_of_ours_is_there() -> None:
    names = modules()
    assert set(MAY_IMPORT) <= set(names), "each package opens with an __init__.py that says what it is for"


def test_nothing_imports_upwards() -> None:
    problems = [problem for name, path in modules().items() for problem in misplaced(name, path)]
    assert not problems, "\n".join(problems)


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for _, target in imports(path, at_import_only=True):
            # `from package import thing` names a module or something in one.
            module = target if target in known else target.rpartition(".")[0]
            if module in known and module != name:
                graph[name].add(module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("these modules import each other in a circle: " + " → ".join(error.args[1]))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("worldline.client", "import eventlog.records"),
        ("eventlog.worldlog", "def late():\n    from games import manifest"),
        ("games.tsunami.bot", "from games.manifest import Manifest"),
        ("replays.replay", "import server.messages"),
        ("games.manifest", "import websockets"),
    ],
)
def test_an_import_from_a_higher_floor_is_found(name: str, source: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    assert list(misplaced(name, path)), "the check above would not notice this import"


def test_importing_the_client_loads_only_websockets_and_msgspec() -> None:
    program = (
        "import sys; before = set(sys.modules); import worldline;"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    foreign = {
        name
        for name in done.stdout.split()
        if name not in sys.stdlib_module_names and not name.startswith(("_", "encodings"))
    }
    # msgspec tries typing_extensions, and does without it where it is not installed.
    assert foreign - {"typing_extensions"} == {"worldline", "websockets", "msgspec"}
