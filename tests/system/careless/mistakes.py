"""Messages with a mistake in them: what is wrong, the message, the code and the path of the refusal.

In a message, WORLD is a world of echo in which the agent has a seat; OWN a manual world of echo of its own, at tick 3,
in which it has one, too; TAKEN another's world of echo in which it has none; DUEL a lockstep world in which it has a
seat and which waits for its input.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Mistake(NamedTuple):
    """A wrong message, and how it is refused. ``path`` None: the refusal is about no field."""

    message: dict[str, Any]
    code: str
    path: str | None


COUNT: Final = {"type": "input", "id": 7, "world": "WORLD", "name": "count", "args": {"by": 1}}
ACT: Final = {"type": "act", "id": 7, "world": "OWN", "wait_ms": 0}
ONE: Final = {"player": "p_1", "name": "count", "args": {"by": 1}}


def message(kind: str, **fields: Any) -> dict[str, Any]:
    """A request with id 7."""
    return {"type": kind, "id": 7, **fields}


MISTAKES: Final[dict[str, Mistake]] = {
    # typos in names
    "game with a capital": Mistake(message("rules", game="Echo"), "unknown_game", "game"),
    "game with a space": Mistake(message("join", game="ec ho"), "unknown_game", "game"),
    "game of a leaderboard": Mistake(message("leaderboard", game="tsunami!"), "unknown_game", "game"),
    "game to be made": Mistake(message("create", game="snake"), "unknown_game", "game"),
    "type in capitals": Mistake({"type": "GAMES", "id": 7}, "unknown_type", "type"),
    "type with a space": Mistake({"type": "join ", "id": 7, "game": "echo"}, "unknown_type", "type"),
    "input with a typo": Mistake({**COUNT, "name": "Count"}, "unknown_input", "name"),
    "input of another game": Mistake({**COUNT, "name": "move"}, "unknown_input", "name"),
    "player with a typo": Mistake(message("observe", world="WORLD", player="p1"), "unknown_player", "player"),
    "player of a leave": Mistake(message("leave", world="WORLD", player="p_42"), "unknown_player", "player"),
    "player of an input": Mistake({**COUNT, "player": "ada"}, "unknown_player", "player"),
    # wrong types
    "game is a list": Mistake(message("join", game=["echo"]), "invalid_args", "game"),
    "observe is a word": Mistake(message("join", game="echo", observe="yes"), "invalid_args", "observe"),
    "mine is a number": Mistake(message("worlds", mine=1), "invalid_args", "mine"),
    "limit is a word": Mistake(message("worlds", limit="ten"), "invalid_args", "limit"),
    "seed is a word": Mistake(message("create", game="echo", seed="lucky"), "invalid_args", "seed"),
    "seed is negative": Mistake(message("create", game="echo", seed=-1), "invalid_args", "seed"),
    "private is a word": Mistake(message("create", game="echo", private="no"), "invalid_args", "private"),
    "settings is a list": Mistake(message("create", game="duel", settings=[1]), "invalid_args", "settings"),
    "seq is a word": Mistake({**COUNT, "seq": "first"}, "invalid_args", "seq"),
    "seq is a fraction": Mistake({**COUNT, "seq": 1.5}, "invalid_args", "seq"),
    "note is a map": Mistake({**COUNT, "note": {"why": "so"}}, "invalid_args", "note"),
    "seen_tick is negative": Mistake({**COUNT, "seen_tick": -4}, "invalid_args", "seen_tick"),
    "args is a word": Mistake({**COUNT, "args": "by=1"}, "invalid_args", "args"),
    "args is a number": Mistake({**COUNT, "args": 1}, "invalid_args", "args"),
    "since is a word": Mistake(message("observe", world="WORLD", since="start"), "invalid_args", "since"),
    "kinds is a word": Mistake(
        message("observe", world="WORLD", until="event", kinds="said", wait_ms=0), "invalid_args", "kinds"
    ),
    "world is null": Mistake(message("leave", world=None), "invalid_args", "world"),
    # out of range
    "a wait of a minute": Mistake(message("observe", world="WORLD", wait_ms=60_000), "invalid_args", "wait_ms"),
    "a wait of less than nothing": Mistake(message("observe", world="WORLD", wait_ms=-1), "invalid_args", "wait_ms"),
    "an input that waits an hour": Mistake({**COUNT, "wait_ms": 3_600_000}, "invalid_args", "wait_ms"),
    "a page of no worlds": Mistake(message("worlds", limit=0), "invalid_args", "limit"),
    "too many standings": Mistake(message("leaderboard", game="echo", limit=1000), "invalid_args", "limit"),
    "steps without end": Mistake(message("step", world="OWN", ticks=10**9), "invalid_args", "ticks"),
    "no steps": Mistake(message("step", world="OWN", ticks=0), "invalid_args", "ticks"),
    "a step of half a tick": Mistake(message("step", world="OWN", ticks=0.5), "invalid_args", "ticks"),
    "an argument far too large": Mistake({**COUNT, "args": {"by": 1_000_000}}, "invalid_args", "args.by"),
    "an argument of nothing": Mistake({**COUNT, "args": {"by": None}}, "invalid_args", "args.by"),
    "an argument in quotes": Mistake({**COUNT, "args": {"by": "5"}}, "invalid_args", "args.by"),
    "an argument below its range": Mistake({**COUNT, "args": {"by": 0}}, "invalid_args", "args.by"),
    "a number for a text": Mistake({**COUNT, "name": "say", "args": {"text": 5}}, "invalid_args", "args.text"),
    "a setting out of range": Mistake(
        message("create", game="duel", settings={"start": 12}), "invalid_args", "settings.start"
    ),
    "an unknown setting": Mistake(
        message("create", game="duel", settings={"stat": 1}), "invalid_args", "settings.stat"
    ),
    # what does not go together
    "kinds without waiting for an event": Mistake(
        message("observe", world="WORLD", until="tick", kinds=["said"], wait_ms=0), "invalid_args", "until"
    ),
    "a kind that there is not": Mistake(
        message("observe", world="WORLD", until="event", kinds=["sayed"], wait_ms=0), "invalid_args", "kinds"
    ),
    "a clock that there is not": Mistake(message("create", game="echo", clock="fast"), "invalid_args", "clock"),
    "waiting for a word": Mistake(message("observe", world="WORLD", until="death", wait_ms=0), "invalid_args", "until"),
    "waiting for a turn where there are none": Mistake(
        message("observe", world="WORLD", until="turn", wait_ms=0), "invalid_args", "until"
    ),
    "a page that nobody gave": Mistake(message("leaderboard", game="echo", next="more"), "invalid_args", "next"),
    # several at a time
    "act without inputs": Mistake({**ACT}, "invalid_args", "inputs"),
    "act with a map": Mistake({**ACT, "inputs": {}}, "invalid_args", "inputs"),
    "act with an unknown input": Mistake(
        {**ACT, "inputs": [{**ONE, "name": "cont"}]}, "unknown_input", "inputs[0].name"
    ),
    "act with a wrong argument": Mistake(
        {**ACT, "inputs": [{**ONE, "args": {"by": 0}}]}, "invalid_args", "inputs[0].args.by"
    ),
    "act for somebody else": Mistake(
        {**ACT, "inputs": [{**ONE, "player": "p_9"}]}, "unknown_player", "inputs[0].player"
    ),
    # watching
    "a watch without a world": Mistake(message("watch"), "invalid_args", "world"),
    "a watch a thousand times a second": Mistake(message("watch", world="TAKEN", hz=1000), "invalid_args", "hz"),
    # worlds as they are
    "a step from another tick": Mistake(message("step", world="OWN", ticks=1, at_tick=99), "wrong_tick", "at_tick"),
    "a gap in the seqs": Mistake({**COUNT, "seq": 50}, "seq_conflict", "seq"),
    "looking into a world without a seat": Mistake(message("observe", world="TAKEN"), "not_joined", "world"),
    "acting in a world without a seat": Mistake({**COUNT, "world": "TAKEN"}, "not_joined", "world"),
    "leaving a world without a seat": Mistake(message("leave", world="TAKEN"), "not_joined", "world"),
    "a world that there is not": Mistake(message("observe", world="w_0"), "unknown_world", "world"),
    "joining a world that there is not": Mistake(message("join", world="w_nowhere"), "unknown_world", "world"),
    "stepping a world that is not yours": Mistake(message("step", world="TAKEN", ticks=1), "not_owner", "world"),
    "playing a world that is not yours": Mistake(message("play", world="TAKEN"), "not_owner", "world"),
}
