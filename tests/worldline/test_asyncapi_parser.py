"""Promise: the AsyncAPI document is one, by the word of the AsyncAPI initiative's own parser, which has nothing to say
against it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.published_protocol import REFERENCE
from tests.system.node_tests import script
from worldline import protocol
from worldline.protocol.asyncapi import asyncapi, messages


def parsed(path: Path) -> dict[str, Any]:
    """What the parser says of a document."""
    done = subprocess.run(
        ["node", script("check_asyncapi.mjs"), str(path)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.needs("node", "npm")
def test_the_parser_accepts_the_document_without_a_word() -> None:
    said = parsed(REFERENCE / "asyncapi.json")
    assert said["problems"] == []
    assert said["version"].startswith("3.")
    assert said["messages"] == len(messages())
    assert said["operations"] == len(protocol.REQUESTS) + len(protocol.PUSHES) + 1  # an error may come unasked, too


@pytest.mark.needs("node", "npm")
def test_the_parser_finds_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    broken = asyncapi()
    broken["operations"]["join"]["messages"] = [{"$ref": "#/channels/ws/messages/Nothing"}]
    path.write_text(json.dumps(broken))
    assert any("operations.join" in problem for problem in parsed(path)["problems"])
    broken = asyncapi()
    broken["components"]["messages"]["Ping"]["examples"][0]["payload"]["id"] = "one"
    path.write_text(json.dumps(broken))
    assert parsed(path)["problems"] == ["components.messages.Ping.examples.0: data/id must be integer"]
