"""Tokens: how somebody proves to be an agent of this server. ``tokens.json`` in the data folder holds them.

A token is 256 random bits, shown once when it is made. The file holds its SHA-256 only: whoever reads the file cannot
use what is in it. No salt and no slow hash: those protect secrets that can be guessed, which 256 random bits cannot.
From the hash follows the agent's id, so an agent is the same over all its connections and every restart.

The file is replaced as a whole and readable for its owner only. Commands change it while a server runs; they take
``tokens.lock`` one after the other. A `TokenBook` notices the change.

Not here: what a role may do (``server/gateway/permissions.py``), and who is let in without a token
(``server/gateway/identity.py``).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from server.durable import replace_file
from server.identifiers import agent_from
from worldline import protocol

FILE_NAME: Final = "tokens.json"
LOCK_NAME: Final = "tokens.lock"
PREFIX: Final = "wl_"  # so that a token is known for what it is where it should not be
RANDOM_BYTES: Final = 32

_log = logging.getLogger("worldline.tokens")


class TokenError(Exception):
    """Tokens cannot be read or changed: ``what`` says why and where, ``remedy`` what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} → {remedy}")
        self.what = what
        self.remedy = remedy


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of one token. ``created_ms`` is Unix time."""

    name: protocol.Name
    role: protocol.Role
    sha256: str
    created_ms: int

    @property
    def agent(self) -> str:
        """Who is proved by it: an id like ``a_…``, always the same."""
        return agent_from(hashlib.sha256(b"worldline agent " + self.sha256.encode()).digest())


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal[1]
    tokens: list[TokenRecord]


def hashed(token: str) -> str:
    """What is kept of a token: its SHA-256 in hexadecimal. Whatever a client shows has one."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def read_tokens(data: Path) -> list[TokenRecord]:
    """The tokens of a data folder, oldest first; none if it has no such file. Raises TokenError."""
    path = data / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).tokens
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TokenError(f"cannot read {path}: {error.strerror}", "give it back to this user") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        remedy = "bring it back from a backup, or remove it and make the tokens anew"
        raise TokenError(f"{path} is not a file of tokens: {error}", remedy) from error


def create_token(data: Path, name: str, role: protocol.Role) -> tuple[TokenRecord, str]:
    """Make a token, keep its record, and return both: the token itself is nowhere else. Raises TokenError."""
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    made = TokenRecord(name=name, role=role, sha256=hashed(token), created_ms=time.time_ns() // 1_000_000)
    with _changing(data) as records:
        if any(record.name == name for record in records):
            raise TokenError(f"there is a token named {name!r} already", "take another name, or revoke that one first")
        records.append(made)
    return made, token


def revoke_token(data: Path, name: str) -> TokenRecord:
    """Forget the token of this name, or of this agent id, and return its record. Raises TokenError."""
    with _changing(data) as records:
        for record in records:
            if name in (record.name, record.agent):
                records.remove(record)
                return record
    raise TokenError(f"there is no token named {name!r} in {data}", "see which there are: worldline tokens ls")


@contextlib.contextmanager
def _changing(data: Path) -> Iterator[list[TokenRecord]]:
    """The records, to be changed; written when the block ends without an exception. One command at a time."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TokenError(f"cannot write to {data}: {error.strerror}", "name another folder with --data") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        records = read_tokens(data)
        before = list(records)
        yield records
        if records != before:
            _write(data, records)
    finally:
        os.close(lock)


def _write(data: Path, records: list[TokenRecord]) -> None:
    body = msgspec.json.format(msgspec.json.encode(_File(format=1, tokens=records)), indent=1) + b"\n"
    try:
        replace_file(data / FILE_NAME, body)
    except OSError as error:
        raise TokenError(f"cannot write {data / FILE_NAME}: {error.strerror}", "make room, or mend the disk") from error


class TokenBook:
    """The tokens of a data folder as a running server knows them; `refresh` reads the file again if it was changed.

    ``changes`` counts how often it was.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self.changes = 0
        self._seen: tuple[int, int, int] | None = None
        self._by_hash: dict[str, TokenRecord] = {}
        self._by_agent: dict[str, TokenRecord] = {}

    def refresh(self) -> None:
        """Look whether the file was changed; if so take over what it says.

        A file that cannot be read is logged, and what was known stays: a slip of an editor locks nobody out.
        """
        try:
            status = (self._data / FILE_NAME).stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        except OSError:
            seen = None
        if seen == self._seen:
            return
        self._seen = seen
        try:
            records = read_tokens(self._data)
        except TokenError as error:
            _log.error("tokens stay as they were: %s", error)
            return
        self._by_hash = {record.sha256: record for record in records}
        self._by_agent = {record.agent: record for record in records}
        self.changes += 1

    def find(self, token: str) -> TokenRecord | None:
        """The record of a token that a client shows."""
        return self._by_hash.get(hashed(token))

    def of_agent(self, agent: str) -> TokenRecord | None:
        """The record of the agent's token, if it still has one."""
        return self._by_agent.get(agent)
