"""The files of a game, and the engine's Lua code, each named by a digest of its content.

A log names the digests it was played with, and keeps the files: the same digests and entries give the same world.
``skill`` (SKILL.md) and bots are not part of the code: they change nothing that happens in a world.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from games.errors import GameError
from games.fields import lua_fields
from games.manifest import Manifest
from games.manifest_reader import read_manifest
from games.runtime.sandbox import Host, compile_engine, compile_game, locate

MANIFEST: Final = "game.toml"
MAIN: Final = "main.lua"
SKILL: Final = "SKILL.md"
BOT: Final = "bot.py"
"""The sample bot: no part of the code of a game, it plays like any agent."""
MAX_CODE_BYTES: Final = 4 * 1024 * 1024
"""All files of a game together: every world log's store keeps a copy of each version."""

KEPT: Final = (
    "max_players", "min_players", "clock", "tick_hz", "deadline_ms", "max_ticks", "grace_s", "idle_s", "actions",
    "seats_per_agent", "spectate", "settings",
)  # fmt: skip
"""What a world keeps of the game.toml that it began with, whatever code it goes on with later."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PACKAGED: Final = Path(__file__).resolve().parent
_PRELUDE: Final = _PACKAGED / "runtime" / "prelude"


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return BLAKE2b-128 in hex over names and contents, each with its length, in order of names."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()


def check_name(name: str, origin: str) -> None:
    """Raise GameError unless a game may have this name."""
    if not _NAME.fullmatch(name):
        raise GameError(origin, None, f"{name!r} is no name for a game: a-z first, then a-z, 0-9 and _, at most 32")


class GameCode(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a game. ``files`` are game.toml and all ``*.lua``, ``origin`` says where they came from."""

    name: str
    digest: str
    files: dict[str, bytes]
    manifest: Manifest
    skill: str
    origin: str

    @classmethod
    def load(cls, folder: Path) -> GameCode:
        """Read a game's folder; its name is the folder's. Raises GameError."""
        folder = folder.resolve()
        try:
            files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.lua"))}
            for name in (MANIFEST, SKILL):
                if (folder / name).is_file():
                    files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise GameError(str(error.filename or folder), None, error.strerror or str(error)) from error
        return cls.from_files(folder.name, files, origin=str(folder))

    @classmethod
    def from_files(cls, name: str, files: Mapping[str, bytes], *, origin: str | None = None) -> GameCode:
        """Make a game of the contents of its files; others than game.toml, ``*.lua`` and SKILL.md are left out.

        Raises GameError if the name or the manifest is not valid. Lua is looked at by `load_check`.
        """
        origin = origin or name
        check_name(name, origin)
        code = {file: data for file, data in files.items() if file == MANIFEST or file.endswith(".lua")}
        for needed in (MANIFEST, MAIN):
            if needed not in code:
                raise GameError(f"{origin}/{needed}", None, "this file is missing")
        if sum(map(len, code.values())) > MAX_CODE_BYTES:
            raise GameError(origin, None, f"the files of a game may hold {MAX_CODE_BYTES} bytes together")
        return cls(
            name=name,
            digest=digest_of(code),
            files=code,
            manifest=read_manifest(code[MANIFEST], f"{origin}/{MANIFEST}"),
            skill=files.get(SKILL, b"").decode(errors="replace"),
            origin=origin,
        )

    def going_on(self, began_with: Manifest) -> GameCode:
        """Return this code as a world runs it that began with another manifest: `KEPT` is as it was then."""
        kept = {name: getattr(began_with, name) for name in KEPT}
        return msgspec.structs.replace(self, manifest=msgspec.structs.replace(self.manifest, **kept))

    def changes_rules_of(self, other: GameCode) -> bool:
        """Whether a world that runs ``other`` would go on otherwise with this code; texts alone change nothing."""
        return _rules_of(self.going_on(other.manifest)) != _rules_of(other)


def _rules_of(code: GameCode) -> tuple[dict[str, bytes], Manifest]:
    lua = {name: source for name, source in code.files.items() if name != MANIFEST}
    return lua, msgspec.structs.replace(code.manifest, title="", summary="")


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the engine's Lua code: the part of the function from a log to a world that no game wrote."""

    digest: str
    files: dict[str, bytes]

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Engine:
        """Make an engine of the contents of its files, as a log's store keeps them."""
        return cls(digest=digest_of(files), files=dict(files))

    @staticmethod
    def current() -> Engine:
        """Return the engine that this version of Worldline runs new worlds with."""
        return _current_engine()


@cache
def _current_engine() -> Engine:
    return Engine.from_files({path.name: path.read_bytes() for path in sorted(_PRELUDE.glob("*.lua"))})


def find_games(extra_folders: Iterable[Path] = ()) -> dict[str, GameCode]:
    """Return all games by name: the packaged ones, then those in each folder (a game, or a folder of games).

    Raises GameError for a game that cannot be loaded, a folder without games, and a name that is taken.
    """
    games: dict[str, GameCode] = {}
    for folder in _game_folders(_PACKAGED):
        _add(games, GameCode.load(folder))
    for extra in extra_folders:
        folders = [extra] if (extra / MANIFEST).is_file() else _game_folders(extra)
        if not folders:
            raise GameError(str(extra), None, f"there is no game here: a game is a folder with a {MANIFEST}")
        for folder in folders:
            _add(games, GameCode.load(folder))
    return games


def _game_folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if (path / MANIFEST).is_file())


def _add(games: dict[str, GameCode], code: GameCode) -> None:
    if code.name in games:
        taken = games[code.name].origin
        raise GameError(code.origin, None, f"a game named {code.name!r} is already there: {taken}. Rename one of them")
    games[code.name] = code


def load_check(code: GameCode) -> None:
    """Compile and load every Lua file of a game in the sandbox. Raises GameError with file, line and reason."""
    engine = Engine.current()
    host = Host(compile_engine(engine.digest, engine.files))
    load_into(host, code, settings=code.manifest.check_settings({}), seed=0)
    for name in sorted(code.files):
        if name.endswith(".lua") and name != MAIN:
            problem = host.require(name.removesuffix(".lua").encode())
            if problem:
                raise locate(problem.decode(errors="replace"), code.origin, name)


def load_into(host: Host, code: GameCode, *, settings: Mapping[str, object], seed: int) -> None:
    """Load a game into a fresh Lua state, up to before its setup. Raises GameError with file, line and reason."""
    for name, bytecode in compile_game(code.digest, code.files, code.origin).items():
        problem = host.add(name.encode(), bytecode)
        if problem:
            raise locate(problem.decode(errors="replace"), code.origin, name)
    config = {
        "inputs": sorted(code.manifest.inputs),
        "input_args": {name: lua_fields(spec.args) for name, spec in code.manifest.inputs.items()},
        "actions": code.manifest.actions,
        "events": sorted(code.manifest.events),
        "event_args": {name: lua_fields(spec.args) for name, spec in code.manifest.events.items()},
        "settings": settings,
        "seed": seed,
        "tick_hz": code.manifest.tick_hz,
        "by_turns": code.manifest.clock == "turn",
    }
    problem = host.load(msgspec.msgpack.encode(config))
    if problem:
        raise locate(problem.decode(errors="replace"), code.origin)
