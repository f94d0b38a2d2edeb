"""Fixtures of the server's tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder whose path is short enough for unix sockets in it."""
    with tempfile.TemporaryDirectory(prefix="wl-", dir="/tmp") as folder:
        yield Path(folder)
