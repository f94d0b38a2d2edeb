"""What a server has to itself while it runs: its games, the port, the data folder, a folder for sockets.

`Premises.open` takes them in this order: TLS files → games → port → data folder → sockets. Either all of it is there,
or what was taken is given back.

Not here: the checks themselves (``server/startup.py``), and what runs on the premises (``server/switchboard.py``).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from eventlog.store import Store
from games.code import GameCode
from server import messages
from server.config import ServeConfig
from server.startup import (
    StartError,
    check_tls,
    check_tokens,
    keeps_fair_play,
    listen,
    load_games,
    make_socket_folder,
    open_secret,
    open_store,
    remove_socket_folder,
)

EVERY_ADDRESS: Final = ("", "0.0.0.0", "::")


class Premises:
    """Made by `open`; `close` gives everything back."""

    def __init__(
        self,
        config: ServeConfig,
        *,
        games: dict[str, GameCode],
        listener: socket.socket,
        store: Store,
        secret: bytes,
        sockets: Path,
        undo: contextlib.ExitStack,
    ) -> None:
        self.games = games
        """By name, each as it was saved last."""
        self.listener = listener
        self.port: int = listener.getsockname()[1]
        self.store = store
        self.secret = secret
        self.sockets = sockets
        self.fair_play = keeps_fair_play(config.fair_play, listener, config.allow_hosts)
        self._config = config
        self._undo = undo

    @classmethod
    def open(cls, config: ServeConfig) -> Premises:
        """Take everything, or raise StartError with nothing left behind."""
        with contextlib.ExitStack() as undo:
            check_tls(config.tls_cert, config.tls_key)
            games = load_games(config.games)
            listener = undo.enter_context(contextlib.closing(listen(config.host, config.port)))
            store = undo.enter_context(contextlib.closing(open_store(config.data)))
            secret = open_secret(config.data)
            check_tokens(config.data)
            _keep_code(store, config.data, games.values())
            sockets = make_socket_folder()
            undo.callback(remove_socket_folder, sockets)
            return cls(
                config,
                games=games,
                listener=listener,
                store=store,
                secret=secret,
                sockets=sockets,
                undo=undo.pop_all(),
            )

    def close(self) -> None:
        """Give everything back."""
        self._undo.close()

    def bots_address(self) -> str | None:
        """Where the server's own bots connect; None if they cannot."""
        if self._config.tls_cert is not None:
            return None
        host = self._config.host if self._config.host not in EVERY_ADDRESS else "127.0.0.1"
        return f"ws://{in_address(host)}:{self.port}/ws"

    def shard_up(self, shard: int) -> messages.ShardUp:
        """What gateways are told of a shard that is ready."""
        return messages.ShardUp(shard=shard, socket_path=self.shard_socket(shard))

    def shard_socket(self, shard: int) -> str:
        """Where a shard listens."""
        return str(self.sockets / f"shard-{shard:02}.sock")


def in_address(host: str) -> str:
    """A host as it is written in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _keep_code(store: Store, data: Path, games: Iterable[GameCode]) -> None:
    """Put the code of every game into the data folder: logs name it by digest, and shards run it from there."""
    try:
        for code in games:
            store.put_code(code.digest, code.files)
    except OSError as error:
        raise StartError(f"cannot write to {data}: {error.strerror}", "make room, or use another --data") from error
