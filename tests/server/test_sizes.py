"""Promise: a size on the command line means what it says, and what is none is refused with how to write one."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from server.commands import main
from server.commands.sizes import size_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("0", 0), ("512", 512), ("512B", 512), ("1KiB", 1024), ("1.5 kib", 1536), ("20MiB", 20 * 2**20)),
        *(("10GiB", 10 * 2**30), ("0.1TiB", 2**40 // 10), (" 7 gib ", 7 * 2**30)),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "-1", "10 G", "10GB", "GiB", "1e9", "1,5GiB", "10 GiB each", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no size → write a number of bytes, or as 500KiB"):
        size_bytes(text)


def test_serve_says_so_before_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--keep-bytes", "lots", "--data", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err
    assert "--keep-bytes" in said and "'lots' is no size → write a number of bytes" in said
    assert not (tmp_path / "data").exists()
