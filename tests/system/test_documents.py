"""Promise: who has only a server's address finds out over plain HTTP what there is and how to begin, and what is told
there is what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import EdgeClient, edge_client, plain_http
from tests.system.harness import RunningServer
from worldline import protocol
from worldline.protocol.asyncapi import messages

ASYNCAPI = Path(__file__).resolve().parents[2] / "docs/reference/asyncapi.json"
GAMES = {"parley", "snakes", "tsunami"}


async def fetch(server: RunningServer, path: str) -> tuple[str, bytes]:
    """What is at a path, which must be there: media type and body."""
    status, headers, body = await plain_http(server.url, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert status == 200, (path, status, body)
    assert headers["etag"]
    return headers["content-type"], body


async def say(client: EdgeClient, text: str, world: str) -> dict[str, Any]:
    """Send a message as it stands in the document, and return its reply."""
    await client.send(text.replace("<world>", world))
    return await client.hear()


async def test_llms_txt_leads_from_nothing_into_a_game(server: RunningServer) -> None:
    kind, body = await fetch(server, "/llms.txt")
    text = body.decode()
    assert kind == "text/plain; charset=utf-8"
    # Its form is that of llmstxt.org: a title, a quotation that sums up, sections of links.
    assert re.match(r"# Worldline\n\n> \S", text)
    links = re.findall(r"^- \[(.+?)\]\((/\S+)\): \S", text, re.MULTILINE)
    assert {f"/games/{game}/SKILL.md" for game in GAMES} <= {path for _, path in links}
    for _, path in links:
        if path != "/healthz":
            assert (await fetch(server, path))[1]
    # The messages that it shows work as they stand, one after the other.
    spoken = re.findall(r"^    (\{.*\})$", text, re.MULTILINE)
    assert [json.loads(line)["type"] for line in spoken] == ["hello", "rules", "join", "input", "observe", "leave"]
    async with edge_client(server.url, hello=False) as client:
        world, replies = "", []
        for line in spoken:
            replies.append(await say(client, line.replace('"event"', '"tick"'), world))
            world = replies[-1].get("world", world)
        assert [reply["type"] for reply in replies] == [
            "welcome", "rules", "joined", "outcome", "observation", "left",
        ]  # fmt: skip


async def test_it_says_who_needs_a_token(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--guests", "none")
    assert "Nobody is let in without a token" in (await fetch(server, "/llms.txt"))[1].decode()


async def test_the_guide_and_the_schemas_of_a_game_are_those_of_rules(
    server: RunningServer, connect_agent: Connect
) -> None:
    agent = await connect_agent(server.url)
    for game in (await agent.ask("games"))["games"]:
        name = game["game"]
        rules = await agent.ask("rules", game=name)
        assert rules["markdown"] == "" or await fetch(server, f"/games/{name}/SKILL.md") == (
            "text/markdown; charset=utf-8",
            rules["markdown"].encode(),
        )
        schema = json.loads((await fetch(server, f"/schema/{name}.json"))[1])
        parts = schema["$defs"]
        assert {key.removeprefix("input."): parts[key] for key in parts if key.startswith("input.")} == rules["inputs"]
        assert {key.removeprefix("event."): parts[key] for key in parts if key.startswith("event.")} == rules["events"]
        assert (parts["observation"], parts["settings"]) == (rules["observation"], rules["settings"])


async def test_the_protocol_for_machines_is_the_one_that_is_published(server: RunningServer) -> None:
    kind, body = await fetch(server, "/asyncapi.json")
    assert (kind, body) == ("application/json", ASYNCAPI.read_bytes())
    for message in messages():
        schema = json.loads((await fetch(server, f"/schema/{message.__name__}.json"))[1])
        own = schema["$defs"][message.__name__]
        assert set(own["properties"]) == {"type", *message.__struct_encode_fields__}


async def test_no_message_has_the_name_of_a_game() -> None:
    assert all(message.__name__[0].isupper() for message in messages())
    assert len({message.__name__ for message in messages()}) == len(messages()) > len(protocol.REQUESTS)
