"""Promise: the page is small, whole and closed: every file that it names is served, others' files are what their makers
published, and nothing in it can turn text into markup or code."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from server.gateway.paths import MAX_BODY_BYTES
from server.page import FOLDER, PREFIX, bodies

BEFORE_A_WORLD_BYTES = 250 * 1024
MOST_LINES = 400
OURS = sorted(path for path in FOLDER.glob("*.js"))
IMPORT = re.compile(r"""(?:from|import\()\s*["'](/page/[^"']+)["']""")
NAMED = re.compile(r"""(?:href|src)="(/[^"]*)\"""")
UNSAFE = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|javascript:")


def needed(path: str, found: set[str]) -> set[str]:
    """The files that a browser loads for a module, itself included; those loaded later on demand too."""
    if path not in found:
        found.add(path)
        for name in IMPORT.findall(bodies()[path].content.decode()):
            needed(name, found)
    return found


def test_every_file_that_the_page_names_is_served() -> None:
    served = bodies()
    for name in NAMED.findall(served["/"].content.decode()):
        assert name in served
    for path in OURS:
        for name in IMPORT.findall(path.read_text()):
            assert name in served, f"{path.name} imports {name}"


def test_everything_before_a_world_is_opened_is_at_most_250_kib() -> None:
    served = bodies()
    names = {name for name in NAMED.findall(served["/"].content.decode()) if name in served}
    for name in [name for name in names if name.endswith(".js")]:
        needed(name, names)
    total = sum(len(served[name].content) for name in names) + len(served["/"].content)
    assert total <= BEFORE_A_WORLD_BYTES
    assert all(len(body.content) <= MAX_BODY_BYTES for body in served.values())


def test_others_files_are_what_their_makers_published() -> None:
    vendor = FOLDER / "vendor"
    listed = json.loads((vendor / "VENDOR.json").read_text())["files"]
    assert {entry["file"] for entry in listed} == {path.name for path in vendor.glob("*.js")}
    for entry in listed:
        assert hashlib.sha256((vendor / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["version"] in entry["source"]
        assert entry["licence"]
        for name in entry["licence_files"]:
            assert "ermission" in (vendor / name).read_text()


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_module_can_make_markup_or_code_of_text(path: Path) -> None:
    text = path.read_text()
    assert UNSAFE.search(text) is None
    assert "dangerously" not in text
    assert text.startswith("// "), "a module opens with what it is for"
    assert len(text.splitlines()) <= MOST_LINES


def test_the_browser_runs_nothing_but_these_files() -> None:
    served = bodies()
    for path in ("/", "/embed"):
        policy = dict(served[path].headers)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in dict(served["/"].headers)["Content-Security-Policy"]
    assert "frame-ancestors *" in dict(served["/embed"].headers)["Content-Security-Policy"]
    assert "<script>" not in served["/"].content.decode()
    assert all(name.startswith(PREFIX) for name in served if name not in ("/", "/embed"))
