"""A demo without a terminal: lines of text, for pipes and logs. Pure functions of a `model.Picture`."""

from __future__ import annotations

from server.demo.killing import Kill
from server.demo.model import Line, Picture, WorldRow, best_players


def status_line(picture: Picture) -> str:
    """How all worlds are doing, in one line; the first one in detail."""
    if not picture.worlds:
        return f"{picture.up_s:.0f} s · no world yet"
    first, players = picture.worlds[0], sum(len(row.players) for row in picture.worlds)
    parts = [f"{picture.up_s:.0f} s", counted(len(picture.worlds), "world"), counted(players, "player"), _world(first)]
    if first.hz is not None:
        slowest = min(row.hz for row in picture.worlds if row.hz is not None)
        parts.append(f"slowest world {slowest:.1f} Hz")
    parts += [f"leading {player.name} with {player.score:g}" for player in best_players(first, 1)]
    return " · ".join(parts)


def counted(count: int, what: str) -> str:
    """``1 world``, ``2 worlds``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def kill_line(kill: Kill) -> str:
    """What a kill has cost, as far as it is known."""
    worlds = counted(kill.worlds, "world")
    if kill.back_s is None:
        return f"kill -9 of tick worker {kill.shard} with {worlds}: " + (kill.failed or f"{kill.passed_s:.1f} s …")
    back = f"kill -9: {worlds} back in {kill.back_s:.2f} s"
    if kill.account is None:
        return f"{back} · {kill.failed or 'counting …'}"
    account = kill.account
    return f"{back} · {account.acknowledged} acknowledged · {account.lost} lost · {account.doubled} doubled"


def event_line(line: Line) -> str:
    """One thing that happened."""
    where = f"{line.world}@{line.tick} " if line.tick is not None else ""
    who = f"{line.player} " if line.player else ""
    note = f" ({line.note})" if line.note else ""
    return f"  {where}{who}{line.text}{note}"


def _world(row: WorldRow) -> str:
    text = f"{row.world} tick {row.tick}"
    if row.hz is None or row.tick_p50_ms is None or row.tick_p99_ms is None:
        return text
    return f"{text} at {row.hz:.1f} Hz, {row.tick_p50_ms:.2f} ms (p99 {row.tick_p99_ms:.2f})"
