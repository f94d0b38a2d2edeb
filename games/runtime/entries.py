"""Do entries fit a world? A decision without any Lua: whoever made the entries has made a mistake if not.

Player ids are counted by the world and never used twice, a seat holds one player, seqs have no gaps. The world checks
this before anything is applied, so that a wrong entry changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from games.manifest import Manifest
from games.runtime.effects import AnyEntry, Clock, Join, Leave, Silence, Take
from games.runtime.players import PlayerState


def check_entries(
    entries: Sequence[AnyEntry], players: Mapping[str, PlayerState], joins: int, manifest: Manifest
) -> None:
    """Raise ValueError unless the entries fit, one after another, a world with these players and so many joins."""
    seqs = {player.id: player.next_seq for player in players.values()}
    seats = {player.id: player.seat for player in players.values()}
    vacant = {player.id for player in players.values() if player.is_vacant}
    for entry in entries:
        if isinstance(entry, Clock):
            continue
        if isinstance(entry, Join):
            joins += 1
            if entry.player != f"p_{joins}":
                raise ValueError(f"{entry.player} cannot join: the next player is p_{joins}")
            if entry.seat in seats.values() or not 1 <= entry.seat <= manifest.max_players:
                raise ValueError(f"{entry.player} cannot join: seat {entry.seat} is not free")
            seqs[entry.player], seats[entry.player] = 1, entry.seat
            continue
        if entry.player not in seqs:
            raise ValueError(f"{entry.player} is not seated")
        if isinstance(entry, Take):
            if entry.player not in vacant:
                raise ValueError(f"the seat of {entry.player} cannot be taken: it is not vacant")
            vacant.remove(entry.player)
            continue
        if isinstance(entry, Leave):
            del seqs[entry.player], seats[entry.player]
            continue
        if entry.name not in manifest.inputs:
            raise ValueError(f"there is no input {entry.name}")
        if isinstance(entry, Silence):
            continue
        if entry.seq != seqs[entry.player]:
            raise ValueError(f"seq {entry.seq} of {entry.player} does not fit: {seqs[entry.player]} is the next")
        seqs[entry.player] += 1
