"""Promise: what is published of the protocol is what is spoken. Every message has a description, an answer and an
example that our own types read; the published files are made from the Structs, and are up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from tests.published_protocol import COMMAND, REFERENCE, missing, out_of_date
from worldline import protocol
from worldline.protocol import examples
from worldline.protocol.asyncapi import asyncapi, message_schema, messages

ROOT = REFERENCE.parents[1]
DOCUMENT: dict[str, Any] = json.loads((REFERENCE / "asyncapi.json").read_bytes())
EXAMPLES = [
    (name, example["payload"])
    for name, message in DOCUMENT["components"]["messages"].items()
    for example in message["examples"]
]


def test_every_message_has_a_description_an_answer_and_an_example() -> None:
    assert not missing(), "\n".join(["", *missing()])


def test_the_published_files_are_up_to_date() -> None:
    late = [str(path.relative_to(ROOT)) for path in out_of_date()]
    assert not late, f"{', '.join(late)} not as worldline/protocol/ is → run {COMMAND}"


@pytest.mark.parametrize(("name", "payload"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_every_example_of_the_document_is_a_message_of_ours(name: str, payload: dict[str, Any]) -> None:
    is_request = issubclass(getattr(protocol, name), protocol.Request)
    union: Any = protocol.ClientMessage if is_request else protocol.ServerMessage
    text = json.dumps(payload)
    message = msgspec.json.decode(text, type=union)
    assert type(message).__name__ == name
    # What goes in comes out: no field is unknown, and none is another than was meant.
    assert msgspec.to_builtins(message) == payload
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=union) == message


def test_every_example_is_published() -> None:
    every = [*examples.REQUESTS, *examples.REPLIES, *examples.PUSHES]
    assert len(EXAMPLES) == len(every) >= len(messages())


def test_every_reference_in_the_document_leads_somewhere() -> None:
    found = 0
    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert isinstance(place, dict)
        found += 1
    assert found > len(messages())


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [reference for item in part for reference in references(item)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return own + [reference for item in part.values() for reference in references(item)]


def test_each_request_is_an_operation_with_its_answer_or_an_error() -> None:
    operations = asyncapi()["operations"]
    for request, answer in protocol.ANSWERS.items():
        operation = operations[str(request.__struct_config__.tag)]
        said, answered = operation["messages"], operation["reply"]["messages"]
        assert [item["$ref"].rsplit("/", 1)[1] for item in said] == [request.__name__]
        assert [item["$ref"].rsplit("/", 1)[1] for item in answered] == [answer.__name__, "Error"]


@pytest.mark.parametrize("kind", messages(), ids=lambda kind: str(kind.__name__))
def test_the_schema_of_a_message_is_complete_in_itself(kind: type[msgspec.Struct]) -> None:
    schema = message_schema(kind)
    assert schema["$ref"] == f"#/$defs/{kind.__name__}"
    for reference in references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]
    assert schema["examples"]


def test_what_is_missing_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wave(protocol.Request, tag="wave", kw_only=True):
        pass

    class Waved(protocol.Reply, tag="waved", kw_only=True):
        pass

    monkeypatch.setattr(protocol, "REQUESTS", (*protocol.REQUESTS, Wave))
    monkeypatch.setattr(protocol, "ServerMessage", protocol.ServerMessage | Waved)
    assert missing() == [
        "Wave has no description → write its docstring",
        "Wave has no example → add one to worldline/protocol/examples.py",
        "nothing answers Wave → add what does to ANSWERS in worldline/protocol/__init__.py",
        "Waved has no description → write its docstring",
        "Waved has no example → add one to worldline/protocol/examples.py",
        "Waved answers nothing → add it to ANSWERS or PUSHES in worldline/protocol/__init__.py",
    ]


def test_the_document_is_the_same_in_every_process() -> None:
    program = "import sys; from worldline.protocol.asyncapi import encoded_asyncapi as made; "
    program += "sys.stdout.buffer.write(made())"
    made = [
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, cwd=ROOT, capture_output=True)
        for seed in ("1", "2")
    ]
    assert made[0].stdout == made[1].stdout == (REFERENCE / "asyncapi.json").read_bytes()
