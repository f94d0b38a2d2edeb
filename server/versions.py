"""The versions that a world's genesis names: of what computes the world, beside its code and its engine."""

from __future__ import annotations

import lupa

from games.runtime.sandbox import lua_version
from server import version


def genesis_versions() -> dict[str, str]:
    """Of LuaJIT, lupa and Worldline, as they are here."""
    return {"lua": lua_version(), "lupa": lupa.__version__, "worldline": version()}
