"""What must be right before a server starts: the games, the port, the data folder. Checked in this order.

Each check either gives what it is asked for or raises a `StartError` that says what is wrong and what to do about it; a
failed start leaves everything as it was.

Not here: when they are done (``server/premises.py``).
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import secrets
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eventlog import limits
from eventlog.disk import NO_ROOM, RealDisk
from eventlog.errors import EventLogError
from eventlog.recovery import recover
from eventlog.removal import finish_removals
from eventlog.store import Store
from games.code import GameCode, find_games, load_check
from games.errors import GameError
from server.config import FairPlay, Guests
from server.durable import replace_file
from server.tls import TlsError, server_context
from server.tokens import TokenError, read_tokens

BACKLOG: Final = 4096  # 1,000 connects in 0.4 s; with the default of 100 it takes 1.3 s
SEND_BUFFER_BYTES: Final = 65_536  # else the kernel hides minutes of stale frames from the rules for slow readers
SECRET_BYTES: Final = 32  # as long as the signatures that are made with it
SOCKET_PATH_LIMIT: Final = 107  # bytes of a unix socket's path, without the zero at its end

_log = logging.getLogger("worldline.supervisor")


class StartError(Exception):
    """The server cannot start. ``message`` says what is wrong and where, ``remedy`` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} → {remedy}")
        self.message = message
        self.remedy = remedy


def load_games(folders: Sequence[Path]) -> dict[str, GameCode]:
    """Find the packaged games and those in ``folders``, and load each once in the sandbox.

    Raises StartError that names file, line and reason of the first broken one.
    """
    try:
        games = find_games(list(folders))
        for code in games.values():
            load_check(code)
    except GameError as error:
        reason = " ".join(str(error).split())
        raise StartError(reason, "mend the game, or start without its folder") from error
    if not games:
        raise StartError("there is no game to serve", "name a folder that holds one with --games")
    return games


def listen(host: str, port: int) -> socket.socket:
    """Bind ``host``:``port`` and listen; port 0 takes a free one. Raises StartError.

    Connections wait in the backlog until a gateway takes the socket over.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise StartError(f"cannot listen at {host!r}: {error}", "use --host with an address of this machine") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(f"port {port} at {host} is in use", "stop what listens there, or use another --port")
    if error.errno == errno.EACCES:
        return StartError(f"port {port} may not be used by this user", "use a --port from 1024 up")
    return StartError(
        f"cannot listen at {host} port {port}: {error.strerror}", "use --host with an address of this machine"
    )


def open_store(data: Path) -> Store:
    """Open and lock the data folder, redo the journals that a crashed server left in it, and finish its removals.

    Raises StartError if it is in use, not writable, or damaged.
    """
    try:
        store = Store.open(data)
    except EventLogError as error:
        raise _refused(error) from error
    except OSError as error:
        raise StartError(f"cannot use {data} as data folder: {error.strerror}", "use another --data") from error
    try:
        report = recover(data)
        removed = finish_removals(data)
    except (EventLogError, OSError) as error:
        store.close()
        if isinstance(error, EventLogError):
            raise _refused(error) from error
        raise StartError(f"cannot recover {data}: {error.strerror}", "make room or mend the disk") from error
    try:
        check_room(data)
    except OSError as error:
        store.close()
        if error.errno in NO_ROOM:
            raise StartError(f"there is no room for a journal in {data}", "make room, or use another --data") from error
        raise StartError(f"cannot write to {data}: {error.strerror}", "mend the disk, or use another --data") from error
    if report.journals:
        _log.info("redid %d journals of a server that was killed: %d worlds", report.journals, len(report.worlds))
    if removed:
        _log.info("finished the removal of %d worlds that was broken off", removed)
    return store


def check_room(data: Path) -> None:
    """Write what a journal begins with and remove it again. Raises OSError if there is no room for it.

    A server that runs waits for room; one that starts says so.
    """
    path, disk = data / "room.new", RealDisk()
    path.unlink(missing_ok=True)
    try:
        descriptor = disk.create(path)
        try:
            disk.write(descriptor, bytes(limits.FILL_STEP_BYTES), 0)
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
    finally:
        path.unlink(missing_ok=True)


def _refused(error: EventLogError) -> StartError:
    """An error of the log says itself what to do, behind an arrow."""
    message, _, remedy = str(error).partition(" → ")
    return StartError(message, remedy or "use another --data")


def open_secret(data: Path) -> bytes:
    """Return the data folder's secret, which signs resume tokens; make it if it is missing. The folder is locked by us.

    It is on disk, complete and readable for its owner only, before anything is signed with it. Raises StartError.
    """
    path = data / "secret.key"
    try:
        if not path.exists():
            replace_file(path, secrets.token_bytes(SECRET_BYTES))
        secret = path.read_bytes()
    except OSError as error:
        full = error.errno in NO_ROOM
        remedy = "make room, or use another --data" if full else "give it back to this user, or remove it"
        raise StartError(f"cannot use {path}: {error.strerror}", remedy) from error
    if len(secret) != SECRET_BYTES:
        raise StartError(
            f"{path} holds {len(secret)} bytes, not {SECRET_BYTES}",
            "bring it back from a backup, or remove it: sessions from before cannot be resumed then",
        )
    return secret


def check_tls(certificate: Path | None, key: Path | None) -> None:
    """Raise StartError if there is no TLS with these files; both may be None."""
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise StartError("TLS needs a certificate and its key", "give --tls-cert and --tls-key, or neither")
    try:
        server_context(certificate, key)
    except TlsError as error:
        raise StartError(error.what, error.remedy) from error


def served_hosts(listener: socket.socket, allowed: Sequence[str]) -> list[str] | None:
    """The Host names that are served beside this machine's own; None: any, since others may have their names for us."""
    return [name.lower() for name in allowed] if allowed or _on_loopback(listener) else None


def default_guests(listener: socket.socket, allowed: Sequence[str]) -> Guests:
    """What one may be without a token: everything only where nobody else can connect, directly or by a proxy."""
    return "developer" if _on_loopback(listener) and not allowed else "spectator"


def keeps_fair_play(fair_play: FairPlay, listener: socket.socket, allowed: Sequence[str]) -> bool:
    """Whether what could help a player is kept from others: by default, wherever others can connect."""
    return fair_play == "on" or (fair_play == "auto" and default_guests(listener, allowed) != "developer")


def _on_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def check_tokens(data: Path) -> None:
    """Raise StartError if the data folder's tokens cannot be read: a server that forgot them would lock people out."""
    try:
        read_tokens(data)
    except TokenError as error:
        raise StartError(error.what, error.remedy) from error


def make_socket_folder() -> Path:
    """Make a private temporary folder for the unix sockets between processes. Raises StartError."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="worldline-"))
        if len(str(folder)) > SOCKET_PATH_LIMIT - len("/shard-000000.sock"):
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="worldline-", dir="/tmp"))
    except OSError as error:
        raise StartError(f"cannot make a temporary folder: {error.strerror}", "set TMPDIR to one with room") from error
    return folder


def remove_socket_folder(folder: Path) -> None:
    """Remove what `make_socket_folder` made, with what is in it."""
    shutil.rmtree(folder, ignore_errors=True)  # leftovers there harm nobody, and there is nobody to tell any more
