"""``worldline log grep``, ``stats`` and ``export``: find something in a log, count what is in it, take it elsewhere.

Needs no server, and disturbs none. Not here: which part of a log an option means (``log_options.py``), and how a record
becomes a line (``log_lines.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from eventlog.errors import EventLogError
from eventlog.intact import Intact
from eventlog.json_form import json_form
from eventlog.publication import published
from eventlog.reader import read_world
from eventlog.selection import Selection
from eventlog.statistics import Outcomes, PlayerStatistics, Statistics, statistics_of
from eventlog.store import Store
from server.commands import world_rows
from server.commands.log_lines import RECORD_COLUMNS, Narrator, Row, style
from server.commands.log_options import selection_options
from server.commands.output import (
    Column,
    CommandError,
    data_option,
    fail,
    json_option,
    print_json,
    print_table,
    tab_line,
)

Matched = TypeVar("Matched")

STATISTICS_COLUMNS: Final = (
    Column("WHAT"),
    Column("NAME"),
    Column("COUNT", number=True),
    Column("APPLIED", number=True),
    Column("REJECTED", number=True),
    Column("OTHER", number=True),
    Column("NOTES", number=True),
    Column("DETAIL", wrap=True),
)


# --- grep ------------------------------------------------------------------------------------------------


@click.command("grep")
@click.argument("pattern")
@click.argument("worlds", nargs=-1, metavar="[WORLD]...")
@click.option("--all", "every", is_flag=True, help="Search all worlds.")
@click.option("--game", help="Search all worlds of this game.")
@click.option("-i", "--ignore-case", is_flag=True, help="Take upper and lower case for the same.")
@click.option("-F", "--fixed", is_flag=True, help="PATTERN is a text, not a regular expression.")
@selection_options()
@data_option
@json_option
def grep(
    pattern: str,
    worlds: tuple[str, ...],
    every: bool,
    game: str | None,
    ignore_case: bool,
    fixed: bool,
    selection: Selection,
    data: Path,
    as_json: bool,
) -> int:
    """Print what matches PATTERN (a regular expression) in the log of each WORLD (default: the newest).

    What is searched are the lines that `worldline log show` prints into a pipe: names, args, outcomes, notes. With
    several worlds, --all or --game, each line begins with its world; worlds come in the order in which they were made.
    With --json the records, tick records with those entries only. Exit code 1 if nothing matches.
    """
    if worlds and (every or game is not None):
        raise click.UsageError("name worlds, or search all of them: leave one out")
    matches = _compiled(pattern, ignore_case=ignore_case, fixed=fixed).search
    chosen = _chosen(data, worlds, every=every, game=game)
    named = len(worlds) > 1 or every or game is not None
    search = _Search(data, selection, matches, named=named)
    if as_json:
        for form in search.forms(chosen):
            print_json(form)
    else:
        columns = (world_rows.WORLD, *RECORD_COLUMNS) if named else RECORD_COLUMNS
        print_table(columns, search.rows(chosen), _named_style if named else style)
    return search.end(pattern, chosen)


def _chosen(data: Path, worlds: tuple[str, ...], *, every: bool, game: str | None) -> list[str]:
    """The ids of the worlds that are to be searched, oldest first."""
    if game is not None:
        found = [info.world for info in world_rows.infos(world_rows.existing(data)) if info.game == game]
        if not found:
            raise CommandError(f"there is no world of {game} in {data}", "see what there is with `worldline log ls`")
        return sorted(found)
    if every:
        return sorted(Store.read_only(world_rows.existing(data)).world_ids())
    return sorted({world_rows.one_world(data, world) for world in worlds or (None,)})


def _named_style(row: Sequence[str]) -> list[str]:
    return ["bold", *style(row[1:])]


class _Search:
    """A search through the logs of worlds. ``named``: what is found says in which world."""

    def __init__(self, data: Path, selection: Selection, matches: Callable[[str], object], *, named: bool) -> None:
        self._data = data
        self._selection = selection
        self._matches = matches
        self._named = named
        self._count = 0
        self._damaged: list[EventLogError] = []

    def rows(self, worlds: Sequence[str]) -> Iterator[Row]:
        """The rows that match, world by world."""
        for world in worlds:
            for row in self._in(world, lambda found, forms: found.rows(forms)):
                yield (world, *row) if self._named else row

    def forms(self, worlds: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The records that match, world by world."""
        for world in worlds:
            for form in self._in(world, lambda found, forms: found.forms(forms)):
                yield {"world": world, **form} if self._named else form

    def end(self, pattern: str, worlds: Sequence[str]) -> int:
        """Say what is wrong with logs, or that nothing was found; return the exit code."""
        if len(self._damaged) == 1:
            raise self._damaged[0]
        if self._damaged:
            for problem in self._damaged:
                click.echo(f"notice: {problem}", err=True)
            return fail(f"{len(self._damaged)} logs are damaged", "see `worldline log verify`")
        if self._count:
            return 0
        where = f"the log of {worlds[0]}" if len(worlds) == 1 else f"the logs of {len(worlds)} worlds"
        return fail(f"nothing in {where} matches {pattern!r}", "search for less, or in another world")

    def _in(
        self, world: str, take: Callable[[_Found, Iterator[dict[str, Any]]], Iterator[Matched]]
    ) -> Iterator[Matched]:
        stored = Intact(read_world(self._data, world, from_tick=self._selection.from_tick))
        found = _Found(Narrator(with_beats="beat" in self._selection.kinds), self._matches)
        yield from take(found, self._selection.of(json_form(stored)))
        self._count += found.count
        if stored.problem is not None:
            self._damaged.append(stored.problem)


def _compiled(pattern: str, *, ignore_case: bool, fixed: bool) -> re.Pattern[str]:
    try:
        return re.compile(re.escape(pattern) if fixed else pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError) as error:
        raise click.UsageError(f"{pattern!r} is no regular expression: {error}; with -F it is taken as text") from error


class _Found:
    """What matches in a log. ``count``: how many rows did so far."""

    def __init__(self, narrator: Narrator, matches: Callable[[str], object]) -> None:
        self._narrator = narrator
        self._matches = matches
        self.count = 0

    def rows(self, forms: Iterator[dict[str, Any]]) -> Iterator[Row]:
        """The rows that match."""
        for row in self._narrator.rows(forms):
            if self._matches(tab_line(row)):
                self.count += 1
                yield row

    def forms(self, forms: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The records of which a row matches, with those entries only."""
        for form in forms:
            fits = [bool(self._matches(tab_line(row))) for row in self._narrator.rows([form])]
            self.count += sum(fits)
            if not any(fits):
                continue
            entries = form.get("entries")
            # A record without entries has one row of its own.
            yield {**form, "entries": [e for e, fit in zip(entries, fits, strict=True) if fit]} if entries else form


# --- stats -----------------------------------------------------------------------------------------------


@click.command("stats")
@click.argument("world", required=False)
@selection_options()
@data_option
@json_option
def stats(world: str | None, selection: Selection, data: Path, as_json: bool) -> None:
    """Count what is in WORLD's log (default: the newest): records, entries, inputs by name and player, outcomes."""
    world_id = world_rows.one_world(data, world)
    stored = Intact(read_world(data, world_id, from_tick=selection.from_tick))
    found = statistics_of(world_id, selection.of(json_form(stored)))
    if as_json:
        print_json(found)
    else:
        print_table(STATISTICS_COLUMNS, _statistics_rows(found))
    stored.report()


def _statistics_rows(found: Statistics) -> Iterator[Row]:
    ticks = "" if found.first_tick is None else f"ticks {found.first_tick}-{found.last_tick}"
    yield ("world", found.world, str(sum(found.records.values())), "", "", "", "", ticks)
    for what, counts in (("record", found.records), ("entry", found.entries)):
        for kind, count in counts.items():
            yield (what, kind, str(count), "", "", "", "", "")
    for name, outcomes in sorted(found.inputs.items()):
        yield _outcomes_row("input", name, outcomes, _codes(outcomes))
    for player in found.players.values():
        yield _outcomes_row("player", player.player, player.inputs, _about(player))


def _outcomes_row(what: str, name: str, outcomes: Outcomes, detail: str) -> Row:
    figures = (outcomes.count, outcomes.applied, outcomes.rejected, outcomes.other, outcomes.notes)
    return (what, name, *map(str, figures), detail)


def _about(player: PlayerStatistics) -> str:
    who = f"{player.name} ({player.agent})" if player.agent else ""
    silent = f"silent {player.timeouts} times" if player.timeouts else ""
    return ", ".join(part for part in (who, silent, _codes(player.inputs)) if part)


def _codes(outcomes: Outcomes) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(outcomes.codes.items()))


# --- export ----------------------------------------------------------------------------------------------


@click.command("export")
@click.argument("world", required=False)
@click.option("--public", is_flag=True, help="Leave out the seed, and the agents' notes.")
@click.option(
    "--notes-of", multiple=True, metavar="AGENT", help="With --public: keep the notes of this agent (its id)."
)
@selection_options()
@data_option
@click.option("--json", is_flag=True, expose_value=False, help="It is JSON in any case.")
def export_log(world: str | None, public: bool, notes_of: tuple[str, ...], selection: Selection, data: Path) -> None:
    """Print WORLD's log (default: the newest) as JSON, one record a line, to be read by other programs.

    With --public as others may have it: whoever knows the seed can tell what is to come in a world that still runs.
    """
    if notes_of and not public:
        raise click.UsageError("--notes-of says whose notes --public leaves in: add --public")
    world_id = world_rows.one_world(data, world)
    # From the genesis on: who a player's agent is stands in its join.
    stored = Intact(read_world(data, world_id))
    forms = json_form(stored)
    for form in selection.of(published(forms, notes_of=notes_of) if public else forms):
        print_json(form)
    stored.report()
