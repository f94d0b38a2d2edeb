"""What all internal messages are."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The base of all internal messages."""
