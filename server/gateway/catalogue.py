"""The games of this server as `games` and `rules` tell them, and as inputs are checked against them.

Not here: how many play (the lobby knows), and running any of them (shards do).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from eventlog.store import Store
from games.code import BOT, SKILL, GameCode
from games.errors import ArgumentProblem
from server import messages
from server.gateway import refusals
from server.refusals import quoted
from worldline import protocol


class Catalogue:
    """The games by name."""

    def __init__(self, games: Mapping[str, GameCode]) -> None:
        self._games: dict[str, GameCode] = {}
        self._rules: dict[str, protocol.RulesReply] = {}
        self.working_inputs: dict[str, dict[str, dict[str, Any]]] = {}
        """By game: each input with args that fit its declaration, for hints."""
        for _, code in sorted(games.items()):
            self.put(code)

    def put(self, code: GameCode) -> None:
        """From now on the game is this version of it."""
        self._games[code.name] = code
        self._rules.pop(code.name, None)
        self.working_inputs[code.name] = {known: _working_args(code, known) for known in code.manifest.inputs}

    def __contains__(self, game: str) -> bool:
        return game in self._games

    @property
    def names(self) -> list[str]:
        """All games, in alphabetical order."""
        return list(self._games)

    @property
    def example(self) -> str:
        """A game that can be joined, for hints."""
        return next(iter(self._games), "")

    def check(self, game: str, request: protocol.Input) -> dict[str, Any]:
        """The args of an input as its game declares them. Raises `Refused` (`unknown_input`, `invalid_args`)."""
        try:
            return dict(self._games[game].manifest.check_input(request.name, request.args or {}))
        except ArgumentProblem as problem:
            raise refusals.Refused(_refusal(problem, request)) from None

    def check_act(self, game: str, request: protocol.Act, place: int) -> dict[str, Any]:
        """The args of one input of an act. Raises `Refused` (`unknown_input`, `invalid_args`), with its place."""
        given = request.inputs[place]
        try:
            return dict(self._games[game].manifest.check_input(given.name, given.args or {}))
        except ArgumentProblem as problem:
            like = protocol.Input(
                id=request.id, world=request.world, player=given.player, name=given.name, args=given.args
            )
            error = _refusal(problem, like)
            error.path = f"inputs[{place}].{problem.path}"
            if problem.suggestion is not None and problem.kind != "unknown_input":
                mended = msgspec.structs.replace(given, args=problem.suggestion)
                inputs = [*request.inputs[:place], mended, *request.inputs[place + 1 :]]
                error.hint = f"this works: {quoted(msgspec.structs.replace(request, inputs=inputs))}"
            elif problem.kind == "unknown_input" and problem.valid:
                error.hint = f"did you mean {quoted(problem.valid[0])}?"
            raise refusals.Refused(error) from None

    def check_settings(self, request: protocol.Create) -> dict[str, Any]:
        """The settings of a new world that are not the game's own. Raises `Refused` (`invalid_args`)."""
        given = request.settings or {}
        try:
            checked = self._games[request.game].manifest.check_settings(given)
        except ArgumentProblem as problem:
            raise refusals.Refused(
                protocol.Error(
                    re=request.id,
                    code=problem.kind,
                    message=problem.message,
                    hint=f"this works: {quoted(msgspec.structs.replace(request, settings=problem.suggestion))}",
                    path=problem.path,
                    valid=problem.valid,
                )
            ) from None
        return {name: checked[name] for name in given}

    def require(self, game: str, re: int) -> None:
        """Raises `Refused` (`unknown_game`) if there is no such game."""
        if game not in self._games:
            raise refusals.unknown_game(game, self._games, re)

    def rules(self, request: protocol.Rules) -> protocol.RulesReply:
        """How a game is played. Raises `Refused` (`unknown_game`)."""
        self.require(request.game, request.id)
        known = self._rules.get(request.game)
        if known is None:
            known = self._rules[request.game] = _rules(request.game, self._games[request.game])
        return protocol.RulesReply(**{name: getattr(known, name) for name in _RULES_FIELDS})

    def summaries(self, counts: messages.GameCounts) -> list[protocol.GameSummary]:
        """One line per game."""
        return [
            protocol.GameSummary(
                game=name,
                title=code.manifest.title,
                summary=code.manifest.summary,
                max_players=code.manifest.max_players,
                clock=code.manifest.clock,
                tick_hz=_whole(code.manifest.tick_hz),
                players=counts.players.get(name, 0),
                worlds=counts.worlds.get(name, 0),
                digest=code.digest,
                has_bot=(Path(code.origin) / BOT).is_file(),
            )
            for name, code in self._games.items()
        ]


def _working_args(code: GameCode, name: str) -> dict[str, Any]:
    """The least that an input takes."""
    try:
        return dict(code.manifest.check_input(name, {}))
    except ArgumentProblem as problem:
        return problem.suggestion or {}


def _refusal(problem: ArgumentProblem, request: protocol.Input) -> protocol.Error:
    """What the game's declaration says against an input, with a whole message that it would accept."""
    hint = problem.hint
    if problem.suggestion is not None:
        name = problem.valid[0] if problem.kind == "unknown_input" and problem.valid else request.name
        works = protocol.Input(
            id=request.id, world=request.world, player=request.player, name=name, args=problem.suggestion
        )
        hint = f"this works: {quoted(works)}"
    return protocol.Error(
        re=request.id,
        code=problem.kind,
        message=problem.message,
        hint=hint,
        path=problem.path,
        valid=problem.valid,
    )


_RULES_FIELDS = tuple(
    name for name in protocol.RulesReply.__struct_fields__ if name not in protocol.Reply.__struct_fields__
)


def _rules(name: str, code: GameCode) -> protocol.RulesReply:
    manifest = code.manifest
    return protocol.RulesReply(
        game=name,
        title=manifest.title,
        clock=manifest.clock,
        tick_hz=_whole(manifest.tick_hz),
        grace_s=_whole(manifest.grace_s),
        seats_per_agent=manifest.seats_per_agent,
        spectate=protocol.Spectate(when=manifest.spectate.when, delay_s=_whole(manifest.spectate.delay_s)),
        markdown=code.skill,
        inputs=manifest.input_schemas(),
        events=manifest.event_schemas(),
        observation=manifest.observation_schema(),
        settings=manifest.settings_schema(),
        digest=code.digest,
        deadline_ms=manifest.deadline_ms if manifest.clock in ("lockstep", "turn") else None,
    )


def _whole(number: float) -> float:
    return int(number) if float(number).is_integer() else number


def read_game(store: Store, game: messages.ServedGame) -> GameCode:
    """A game as the data folder has it. Raises GameError, EventLogError."""
    files = store.get_code(game.digest) | {SKILL: game.skill.encode()}
    return GameCode.from_files(game.name, files, origin=game.origin)
