"""A log as others may have it: without the seed, and without the notes of agents. Pure, on the JSON form of records.

Notes are what an agent says about why; they are its own. What is left out is left out whole: no field tells that there
was one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any


def published(forms: Iterable[dict[str, Any]], *, notes_of: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """The same records, from the genesis on, without what is not for everybody.

    ``notes_of``: agents (ids) whose notes stay.
    """
    own: set[str] = set()
    for form in forms:
        if form["record"] == "genesis":
            yield {key: value for key, value in form.items() if key != "seed"}
        elif form.get("entries"):
            for entry in form["entries"]:
                if entry["kind"] == "join":
                    (own.add if entry["agent"] in notes_of else own.discard)(entry["player"])
            yield {**form, "entries": [_without_note(entry, own) for entry in form["entries"]]}
        else:
            yield form


def _without_note(entry: dict[str, Any], own: Collection[str]) -> dict[str, Any]:
    if "note" not in entry or entry["player"] in own:
        return entry
    return {key: value for key, value in entry.items() if key != "note"}
