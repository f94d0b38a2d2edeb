"""A look at Lua source before it is compiled, for words that would make worlds differ between machines.

Refused are ``^`` (it calls the C library even for whole exponents, and the JIT folds it differently), number suffixes
LL, ULL and i (they make cdata), ``__gc`` and ``__mode`` (they show when memory is collected), and compiled code. A
tokenizer finds them, because they may stand in strings and comments. Not here: syntax, which the compiler checks.
"""

from __future__ import annotations

import re
from typing import Final

BYTECODE: Final = b"\x1b"
BOM: Final = b"\xef\xbb\xbf"

_TOKENS: Final = re.compile(
    rb"""
      (?P<comment> --\[(?P<level>=*)\[ .*? (?:\](?P=level)\]|\Z) | --[^\r\n]* | \A(?:\xef\xbb\xbf)?\#[^\r\n]* )
    | (?P<text>    \[(?P<level2>=*)\[ .*? (?:\](?P=level2)\]|\Z)
                 | "(?:\\(?:z\s*|\r\n|\n\r|.)|[^"\\\r\n])*" | '(?:\\(?:z\s*|\r\n|\n\r|.)|[^'\\\r\n])*' )
    | (?P<number>  0[xX](?:[pP][+-]|[\w.])* | \.?\d(?:[eE][+-]|[\w.])* )
    | (?P<name>    [A-Za-z_\x80-\xff][\w\x80-\xff]* )
    | (?P<power>   \^ )
    """,
    re.VERBOSE | re.DOTALL,
)
_SUFFIX: Final = re.compile(rb"(?:u?ll|i)\Z", re.IGNORECASE)
_COLLECTOR: Final = re.compile(rb"""\A["']?(?:\[=*\[)?(__gc|__mode)(?:\]=*\])?["']?\Z""")


def find_refused(source: bytes) -> tuple[int, str] | None:
    """Return (line, reason) of the first thing in Lua source that no game may contain, or None."""
    if source.startswith((BYTECODE, BOM + BYTECODE)):
        return 1, "this is compiled Lua: only source text is loaded"
    for token in _TOKENS.finditer(source):
        reason = _reason(token)
        if reason:
            return source.count(b"\n", 0, token.start()) + 1, reason
    return None


def _reason(token: re.Match[bytes]) -> str | None:
    """Say why a token is refused, or None."""
    kind, word = token.lastgroup, token.group()
    if kind == "power":
        return "'^' gives other results on other machines: write x*x or math.pow(x, y)"
    if kind == "number" and _SUFFIX.search(word):
        return f"'{word.decode()}': numbers with LL, ULL or i are not available"
    # A string is looked at too: metatable["__gc"] would do the same.
    found = _COLLECTOR.match(word) if kind in ("name", "text", "level2") else None
    if found:
        return f"'{found.group(1).decode()}' shows when memory is collected, which differs between two runs"
    return None
