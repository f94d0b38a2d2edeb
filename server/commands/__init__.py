"""The command `worldline`: which sub-commands exist, and how any of them ends.

Each sub-command is one module of this package that exports ``command`` (a click command or group). The table
`COMMANDS` names them with their one-line help, so that ``worldline --help`` imports none of them; a module is
imported when its command runs. Exit codes: 0 done (also when the reader of our output went away), 1 failed or
found something (one line ``error: what → what to do`` on standard error), 2 usage.

Not here: what a command does, and how it prints (``output.py``).
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import click

from server.commands.output import CommandError, fail

PROGRAM: Final = "worldline"
OUR_PACKAGES: Final = frozenset({"worldline", "eventlog", "games", "replays", "server"})


class Entry(NamedTuple):
    """Where a sub-command lives, and the line that `worldline --help` shows for it."""

    module: str
    help: str


COMMANDS: Final[dict[str, Entry]] = {
    "serve": Entry("server.commands.serve", "Run a server."),
    "demo": Entry("server.commands.demo", "Run a server with sample bots and watch them play."),
    "bot": Entry("server.commands.bot", "Run a game's sample bots against a server."),
    "play": Entry("server.commands.play", "Play from the terminal."),
    "act": Entry("server.commands.act", "Play one step at a time: one input, one observation."),
    "watch": Entry("server.commands.watch", "Watch a world from the terminal."),
    "bench": Entry("server.commands.bench", "Measure a server under load."),
    "tokens": Entry("server.commands.tokens", "Say who may be which agent here; needs no server."),
    "log": Entry("server.commands.log", "Read the logs of worlds; needs no server."),
    "worlds": Entry("server.commands.worlds", "List worlds, stop them, remove ended ones."),
    "index": Entry("server.commands.index", "The cache for listings of worlds."),
    "replay": Entry("server.commands.replay", "Compute recorded worlds again; needs no server."),
    "fork": Entry("server.commands.fork", "Make a new world from any tick of another."),
    "games": Entry("server.commands.games", "Tools for people who write games."),
}
"""Every sub-command there is, in the order in which the help shows them."""


class LazyGroup(click.Group):
    """A click group that imports a sub-command's module only when that sub-command is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all sub-commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one sub-command, or None where there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(entry.module).command
        assert isinstance(command, click.Command), f"{entry.module}.command is not a click command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, but an unknown name is answered with the nearest known one."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            guess = f", did you mean {near[0]}?" if near else ""
            ctx.fail(f"there is no command {args[0]!r}{guess}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of sub-commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(message="%(prog)s %(version)s", package_name=PROGRAM, prog_name=PROGRAM)
def group() -> None:
    """Worldline: an event-sourced game server for AI agents. A world is its log."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `worldline` command line and return its exit code; the console script of the package.

    Errors become one line on standard error. A traceback is shown only with ``--log-level debug`` (or
    ``WORLDLINE_LOG_LEVEL=debug``).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not group.main(): that one ends the process by itself in some cases, a closed pipe (with code 1) among them.
        with group.make_context(PROGRAM, words) as context:
            result = group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:
        return _reader_is_gone()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else PROGRAM
        return fail(error.format_message().rstrip("."), f"see `{path} --help`", exit_code=2)
    except CommandError as error:
        if _debugging(words):
            raise
        return fail(error.what, error.remedy)
    except click.ClickException as error:
        return fail(error.format_message(), f"see `{PROGRAM} --help`")
    except (click.Abort, KeyboardInterrupt):
        return fail("interrupted", "run it again to finish")
    except Exception as error:
        if _debugging(words):
            raise
        if _explains_itself(error):
            what, _, remedy = str(error).partition(" → ")
            return fail(what, remedy)
        return fail(
            f"{type(error).__name__}: {error}",
            "run it again with WORLDLINE_LOG_LEVEL=debug to see where, and please report it",
        )
    return result if isinstance(result, int) else 0


def _explains_itself(error: Exception) -> bool:
    """Whether this is an error of one of our packages that already says ``what → what to do``."""
    return type(error).__module__.split(".")[0] in OUR_PACKAGES and " → " in str(error)


def _debugging(words: list[str]) -> bool:
    """Whether the person asked for tracebacks."""
    if os.environ.get("WORLDLINE_LOG_LEVEL", "").lower() == "debug":
        return True
    joined = " ".join(words)
    return "--log-level debug" in joined or "--log-level=debug" in joined


def _reader_is_gone() -> int:
    """End quietly: whoever read our output (``| head``) has had enough, which is not a failure."""
    # The interpreter flushes standard output once more at exit; give it somewhere to go.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
