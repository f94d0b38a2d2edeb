"""Code and engines of a data folder by digest, each read and checked once: replays of one process share them.

Bounded: `KEPT` of each. Not here: the folder itself (``eventlog/store.py``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

from eventlog.store import Store
from games.code import Engine, GameCode, digest_of
from replays.errors import CodeChanged

KEPT: Final = 16
"""Some 100 KB each. A log names more than one only where code was reloaded."""

_Kind = TypeVar("_Kind")


class Shelf:
    """What ``store`` keeps, as replays use it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._codes: OrderedDict[str, GameCode] = OrderedDict()
        self._engines: OrderedDict[str, Engine] = OrderedDict()

    def code(self, game: str, digest: str, origin: str | None = None) -> GameCode:
        """The code of a game; ``origin`` is the folder that its messages name, if it was not read before.

        Raises `UnknownDigest`, `CodeChanged`, `GameError`."""
        return _kept(self._codes, f"{game}@{digest}", lambda: self._read_code(game, digest, origin))

    def engine(self, digest: str) -> Engine:
        """An engine. Raises `UnknownDigest`, `CodeChanged`."""
        return _kept(self._engines, digest, lambda: self._read_engine(digest))

    def _read_code(self, game: str, digest: str, origin: str | None) -> GameCode:
        files = self._store.get_code(digest)
        if digest_of(files) != digest:
            raise CodeChanged(self._store.data / "code" / digest)
        return GameCode.from_files(game, files, origin=origin)

    def _read_engine(self, digest: str) -> Engine:
        found = Engine.from_files(self._store.get_engine(digest))
        if found.digest != digest:
            raise CodeChanged(self._store.data / "engine" / digest)
        return found


def _kept(shelf: OrderedDict[str, _Kind], name: str, read: Callable[[], _Kind]) -> _Kind:
    found = shelf.get(name)
    if found is None:
        found = shelf[name] = read()
    shelf.move_to_end(name)
    while len(shelf) > KEPT:
        shelf.popitem(last=False)
    return found
