"""How every sub-command prints: tables for people, plain lines for pipes, ``--json`` for programs.

Results go to standard output; logs, progress and errors to standard error. A table is drawn with rich only on
a terminal; in a pipe it becomes one line per row with tabs between the cells and no heading, and with
``--json`` one JSON object per line. NO_COLOR is honoured (by rich). An error is one line,
``error: what → what to do``.

Not here: exit codes (`server.commands.main` decides) and what is printed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

DEFAULT_DATA: Final = "./worldline-data"

# C0 and C1 controls and DEL: in other people's text they could drive the reader's terminal.
CONTROL_CHARACTERS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

Style = Callable[[Sequence[str]], Sequence[str]]
"""How the cells of a row look on a terminal: for each a style of rich, "" for none."""


class CommandError(Exception):
    """A command cannot do what it was asked: exit code 1, one line on standard error.

    ``what`` says what happened and where, ``remedy`` what to do next.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} → {remedy}")
        self.what = what
        self.remedy = remedy


class Column(msgspec.Struct, frozen=True):
    """One column of a table: its heading, whether its cells are numbers, and whether long cells may wrap."""

    heading: str
    number: bool = False
    wrap: bool = False


def data_option(function: Decorated) -> Decorated:
    """Add ``--data DIR`` (argument ``data``, a Path; also WORLDLINE_DATA) to a command."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_DATA,
        show_default=True,
        envvar="WORLDLINE_DATA",
        help="The data folder.",
    )(function)


def json_option(function: Decorated) -> Decorated:
    """Add ``--json`` (argument ``as_json``) to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")(function)


def fail(what: str, remedy: str, *, exit_code: int = 1) -> int:
    """Print ``error: what → what to do`` on standard error and return ``exit_code``."""
    one_line = " ".join(what.split())
    click.echo(f"error: {one_line} → {remedy}", err=True)
    return exit_code


def print_json(value: Any) -> None:
    """Print one value as one line of JSON, at once: a reader of a growing log must see it now."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """Print one line of a result, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tab_line(row: Sequence[str]) -> str:
    """A row as it is printed into a pipe, without the end of the line."""
    return "\t".join(map(clean, row))


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], style: Style | None = None) -> None:
    """Print a table: drawn on a terminal, with ``style``, else one line per row with tabs between the cells."""
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write(tab_line(row) + "\n")
        sys.stdout.flush()  # what is said on standard error comes after it, also where both go to the same file
        return
    # Imported here: rich costs more time than the rest of a command that prints into a pipe.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.number else "left",
            no_wrap=not column.wrap,
            overflow="fold" if column.wrap else "ellipsis",
        )
    for row in rows:
        # Cells hold other people's text (names, notes): a Text is never read as markup.
        looks = style(row) if style is not None else [""] * len(row)
        table.add_row(*(Text(clean(cell), look) for cell, look in zip(row, looks, strict=True)))
    Console(highlight=False).print(table)


def print_row(row: Sequence[str], style: Style, widths: Sequence[int]) -> None:
    """Print one row at once, where no column can be fitted to what is yet to come: each is at least as wide as
    ``widths`` says. In a pipe as `print_table` does."""
    if not sys.stdout.isatty():
        print_line(tab_line(row))
        return
    from rich.console import Console
    from rich.text import Text

    line = Text("  ").join(
        Text(clean(cell).ljust(width), look) for cell, look, width in zip(row, style(row), widths, strict=True)
    )
    line.rstrip()
    Console(highlight=False, soft_wrap=True).print(line)


def clean(text: str) -> str:
    """Return ``text`` with control characters written as ``\\x1b`` and the like, so that it is one harmless line."""
    return CONTROL_CHARACTERS.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def human_bytes(count: int) -> str:
    """Write a number of bytes as people read it: ``512 B``, ``1.4 KiB``, ``38.0 MiB``."""
    if count < 1024:
        return f"{count} B"
    size = count / 1024
    for unit in ("KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
