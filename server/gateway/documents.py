"""What the server tells about itself over plain HTTP, for programs and models that know nothing yet.

``/llms.txt`` says what this is and how to begin, ``/games/NAME/SKILL.md`` how a game is played, ``/asyncapi.json`` and
``/schema/NAME.json`` the protocol and the games for machines. Nothing here is secret: whoever comes may read it.

Invariant: a game's documents are those of the version that new worlds are played with.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec

from server import messages
from server.config import Guests
from server.gateway.catalogue import Catalogue
from server.gateway.paths import JSON, MARKDOWN, MAX_BODY_BYTES, Asked, Body, Paths, Producer
from worldline import protocol
from worldline.protocol import asyncapi

_GUESTS: Final[dict[Guests, str]] = {
    "none": "Nobody is let in without a token: ask this server's operator for one, and send it as `token` in hello.",
    "spectator": (
        "Without a token you may look at games and worlds. To play, ask this server's operator for one, and send it as "
        "`token` in hello."
    ),
    "agent": "You need no token to play.",
    "developer": "You need no token, and may do everything.",
}


def add_documents(paths: Paths, catalogue: Catalogue, guests: Guests) -> None:
    """Put them all into the table."""
    paths.add("/llms.txt", lambda _: Body(content=introduction(catalogue, guests).encode()))
    paths.add("/asyncapi.json", Body(content=asyncapi.encoded_asyncapi(), kind=JSON))
    for kind in asyncapi.messages():
        paths.add(f"/schema/{kind.__name__}.json", Body(content=_encoded(asyncapi.message_schema(kind)), kind=JSON))
    for game in catalogue.names:  # in lower case, as no message is
        paths.add(f"/schema/{game}.json", _schema_of(catalogue, game))
        paths.add(f"/games/{game}/SKILL.md", _skill_of(catalogue, game))


def game_schema(rules: protocol.RulesReply) -> dict[str, Any]:
    """The JSON Schemas of a game's inputs (their args), events (their data), observation (its data) and settings."""
    return {
        "$schema": asyncapi.SCHEMA_DIALECT,
        "title": rules.title,
        "$comment": f"Game {rules.game}, version {rules.digest}. Take the schema that you need from $defs.",
        "$defs": {
            **{f"input.{name}": schema for name, schema in rules.inputs.items()},
            **{f"event.{name}": schema for name, schema in rules.events.items()},
            "observation": rules.observation,
            "settings": rules.settings,
        },
    }


def introduction(catalogue: Catalogue, guests: Guests) -> str:
    """What a model that has only this server's address needs to begin, in the form of llmstxt.org."""
    rules = [_rules(catalogue, game) for game in catalogue.names]
    nobody = messages.GameCounts(request=0, players={}, worlds={})
    summaries = {summary.game: summary for summary in catalogue.summaries(nobody)}
    lines = [
        "# Worldline",
        "",
        "> A server for games that AI agents play, over one WebSocket that carries JSON. What it acknowledges is kept:"
        " worlds survive restarts, and who loses the connection loses nothing.",
        "",
        "Connect a WebSocket to `/ws` at this address: `wss://` if you have read this over https, else `ws://`. "
        + _GUESTS[guests],
        "",
        "Send one JSON object a message, with a `type` and an `id` of your own, a number; exactly one reply has it as"
        " `re`. Messages without `re` tell what happens meanwhile. To begin:",
        "",
        *(f"    {msgspec.json.encode(message).decode()}" for message in first_messages(catalogue)),
        "",
        "- `joined` says in which `world` you are, and `rules` how the game is played: `markdown` is the guide below.",
        "- An `outcome` is what became of an input, `applied` or `rejected` by the game's rules. An `error` means that"
        " nothing was done; its `hint` says what to do. With `retry_after_ms` the same may succeed after that time.",
        "- `observe` with `until` waits until something happens: there is no need to ask again and again.",
        "- Count your inputs in each world: `seq` 1, 2, 3. After a lost connection say hello with the `resume` of your"
        " `welcome`, and send what was not answered again with its `seq`: it is done once.",
    ]
    if rules:
        lines += ["", "## Games", ""]
        for one in rules:
            guide = f"/games/{one.game}/SKILL.md" if one.markdown else f"/schema/{one.game}.json"
            known = summaries[one.game]
            players = f"For up to {known.max_players} players, clock {one.clock}."
            lines.append(f"- [{one.title}]({guide}): {known.summary} {players}")
    lines += ["", "## For programs", ""]
    lines += ["- [The protocol](/asyncapi.json): AsyncAPI, with the JSON Schema and examples of every message"]
    lines += [
        f"- [{one.title}](/schema/{one.game}.json): JSON Schemas of its inputs, events, observation and settings"
        for one in rules
    ]
    lines += ["", "## Optional", "", "- [Page](/): for people, to watch worlds in a browser"]
    lines += ["- [Health](/healthz): how the server is"]
    return "\n".join(lines) + "\n"


def first_messages(catalogue: Catalogue) -> list[protocol.Request]:
    """The messages with which somebody new begins: in a game that waits for nobody, if there is one. What has to be
    filled in is between angle brackets."""
    hello = protocol.Hello(id=1, name="my agent")
    if not catalogue.names:
        return [hello]
    alone = (game for game in catalogue.names if _rules(catalogue, game).clock == "realtime")
    game = next(alone, catalogue.example)
    name, args = next(iter(catalogue.working_inputs[game].items()), (None, {}))
    first: list[protocol.Request] = [
        hello,
        protocol.Rules(id=2, game=game),
        protocol.Join(id=3, game=game, observe=True),
    ]
    world = "<world>"
    if name is not None:
        first.append(protocol.Input(id=4, world=world, name=name, args=args or None, seq=1, observe=True))
    return [*first, protocol.Observe(id=5, world=world, until="event"), protocol.Leave(id=6, world=world)]


def _rules(catalogue: Catalogue, game: str) -> protocol.RulesReply:
    return catalogue.rules(protocol.Rules(id=0, game=game))


def _schema_of(catalogue: Catalogue, game: str) -> Producer:
    def made(_: Asked) -> Body:
        return _bounded(_encoded(game_schema(_rules(catalogue, game))), JSON)

    return made


def _skill_of(catalogue: Catalogue, game: str) -> Producer:
    def made(_: Asked) -> Body:
        markdown = _rules(catalogue, game).markdown
        if not markdown:
            why = f"The game {game} has no SKILL.md; its inputs are at /schema/{game}.json.\n"
            return Body(content=why.encode(), status=HTTPStatus.NOT_FOUND)
        return _bounded(markdown.encode(), MARKDOWN)

    return made


def _bounded(content: bytes, kind: str) -> Body:
    """What a game's author made may be too large for plain HTTP."""
    if len(content) <= MAX_BODY_BYTES:
        return Body(content=content, kind=kind)
    why = f"This is larger than {MAX_BODY_BYTES} bytes: ask for it over the WebSocket, with `rules`.\n"
    return Body(content=why.encode(), status=HTTPStatus.NOT_FOUND)


def _encoded(schema: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(schema), indent=1) + b"\n"
