"""What runs in Node: the folder ``node`` with its scripts, and the packages that they need."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent / "node"


def script(name: str) -> str:
    """The path of a script. Fails if the packages that it needs are not there: `make test` installs them."""
    installed = FOLDER / "node_modules/.package-lock.json"
    remedy = f"npm ci --ignore-scripts --prefix {FOLDER}, or make test, which does that"
    assert installed.exists(), f"what the tests in Node need is not installed → {remedy}"
    return str(FOLDER / name)
