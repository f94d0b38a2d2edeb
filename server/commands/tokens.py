"""``worldline tokens``: make, list and revoke the tokens of a data folder, whether or not its server runs.

Not here: what a token is and where it is kept (``server/tokens.py``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from server.commands.output import Column, CommandError, data_option, json_option, print_json, print_line, print_table
from server.tokens import TokenError, TokenRecord, create_token, read_tokens, revoke_token
from worldline import protocol

_NAME: Final = re.compile(r"[^\W_](?:[\w .-]*\w)?")
_ROLES: Final = ("agent", "spectator", "developer")


class TokenLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What ``--json`` prints for a token; ``token`` itself only where it has just been made."""

    name: str
    role: protocol.Role
    agent: str
    created: str
    token: str | None = None


@click.group()
def command() -> None:
    """Say who may be which agent on the server of a data folder.

    A token is shown once, when it is made. A running server knows new tokens at once and ends the sessions of revoked
    ones within a second.
    """


def _name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if len(name) > protocol.MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} is no name: letters, digits and spaces . _ - between them, at most {protocol.MAX_NAME_LENGTH}"
        )
    return name


@command.command()
@click.argument("name", callback=_name)
@click.option("--role", type=click.Choice(_ROLES), default="agent", show_default=True, help="What it may do.")
@data_option
@json_option
def create(name: str, role: protocol.Role, data: Path, as_json: bool) -> int:
    """Make a token for an agent called NAME, and print it: it is kept nowhere else."""
    try:
        record, token = create_token(data, name, role)
    except TokenError as error:
        raise CommandError(error.what, error.remedy) from error
    if as_json:
        print_json(_line(record, token))
        return 0
    click.echo(f"{name} ({role}) is agent {record.agent}; its token is shown only now:", err=True)
    print_line(token)
    return 0


@command.command()
@data_option
@json_option
def ls(data: Path, as_json: bool) -> int:
    """List the tokens, oldest first, without the tokens themselves."""
    try:
        lines = [_line(record) for record in read_tokens(data)]
    except TokenError as error:
        raise CommandError(error.what, error.remedy) from error
    if as_json:
        for line in lines:
            print_json(line)
        return 0
    columns = [Column("name"), Column("role"), Column("agent"), Column("created")]
    print_table(columns, ([line.name, line.role, line.agent, line.created] for line in lines))
    return 0


@command.command()
@click.argument("name")
@data_option
def revoke(name: str, data: Path) -> int:
    """Revoke the token of NAME (or of an agent id): its agent's sessions end."""
    try:
        record = revoke_token(data, name)
    except TokenError as error:
        raise CommandError(error.what, error.remedy) from error
    print_line(f"revoked the token of {record.name} ({record.role}, {record.agent})")
    return 0


def _line(record: TokenRecord, token: str | None = None) -> TokenLine:
    created = datetime.fromtimestamp(record.created_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return TokenLine(name=record.name, role=record.role, agent=record.agent, created=created, token=token)
