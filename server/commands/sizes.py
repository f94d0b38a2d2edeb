"""Sizes on the command line: ``500000``, ``500MiB``, ``1.5GiB``.

Not here: how sizes are printed (`server.commands.output.human_bytes`).
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

import click

UNITS: Final = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)", re.ASCII)


def size_bytes(text: str) -> int:
    """The size that ``text`` says, in bytes; the ``type`` of an option. Raises click.BadParameter if it says none."""
    match = _SIZE.fullmatch(text.strip())
    unit = UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise click.BadParameter(f"{text!r} is no size → write a number of bytes, or as 500KiB, 20MiB, 1.5GiB, 2TiB")
    return int(Fraction(match[1]) * unit)
