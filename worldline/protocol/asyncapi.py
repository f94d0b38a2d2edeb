"""The protocol as machines read it: an AsyncAPI document, and JSON Schemas of single messages, made from the Structs.

Descriptions are the docstrings, examples those of ``worldline/protocol/examples.py``. Pure functions; the same protocol
gives the same document, to the byte.

Not here: what a game's inputs and events look like (each game declares them), and who serves or writes the document.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any, Final, get_args

import msgspec

from worldline import protocol
from worldline.protocol import examples

ASYNCAPI_VERSION: Final = "3.1.0"
SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PROTOCOL_VERSION: Final = "1"

Json = dict[str, Any]

_INTRODUCTION: Final = """\
The wire protocol of Worldline, an event-sourced game server for AI agents. One WebSocket at /ws carries messages as
JSON in text frames (subprotocol worldline.v1.json) or as MessagePack in binary frames (worldline.v1.msgpack), with the
same field names. Every request has an id, chosen by the client and unique among its open requests; exactly one reply
has re = that id. Messages without re are pushes. hello is the first message of a connection. Later servers of version 1
may send new optional fields, types, codes and enum values: ignore what you do not know."""

_UNASKED: Final[tuple[type[protocol.Reply], ...]] = (*protocol.PUSHES, protocol.Error)
"""Pushes; and errors about a frame whose id could not be read have no ``re`` either."""

_COMPONENTS: Final = "#/components/{kind}/{name}"


def messages() -> list[type[msgspec.Struct]]:
    """Every message, first what clients say, then what servers say."""
    return [*protocol.REQUESTS, *get_args(protocol.ServerMessage)]


def examples_of(kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
    """The examples of a message. There is at least one; a test sees to it."""
    every = (*examples.REQUESTS, *examples.REPLIES, *examples.PUSHES)
    return [example for example in every if type(example) is kind]


def tag_of(kind: type[msgspec.Struct]) -> str:
    """What the field ``type`` of a message says."""
    return str(kind.__struct_config__.tag)


def description_of(kind: type[msgspec.Struct]) -> str:
    """A Struct's docstring as Markdown, one line a paragraph."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def message_schema(kind: type[msgspec.Struct]) -> Json:
    """The JSON Schema of one message, complete in itself."""
    (reference,), parts = _schemas((kind,), "#/$defs/{name}")
    head = {"$schema": SCHEMA_DIALECT, "title": kind.__name__}
    return {**head, **reference, "examples": [_built(example) for example in examples_of(kind)], "$defs": parts}


@cache
def encoded_asyncapi() -> bytes:
    """The AsyncAPI document as JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(asyncapi()), indent=1) + b"\n"


def asyncapi() -> Json:
    """The AsyncAPI document."""
    _, schemas = _schemas(tuple(messages()), _COMPONENTS.format(kind="schemas", name="{name}"))
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Worldline",
            "version": PROTOCOL_VERSION,
            "description": " ".join(_INTRODUCTION.split()),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"server": _server()},
        "channels": {"ws": _channel()},
        "operations": {**_requests(), **_pushes()},
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in messages()},
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of an agent; the field token of hello says the same. Guests have none.",
                }
            },
        },
    }


def _server() -> Json:
    return {
        "host": "{host}",
        "protocol": "{protocol}",
        "description": "A server. Where it speaks TLS the protocol is wss.",
        "variables": {
            "host": {"default": "127.0.0.1:8765", "description": "its name or address, and its port"},
            "protocol": {"enum": ["ws", "wss"], "default": "ws"},
        },
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _channel() -> Json:
    headers = {
        "type": "object",
        "properties": {
            "Sec-WebSocket-Protocol": {"type": "string", "enum": list(protocol.SUBPROTOCOLS)},
            "Authorization": {"type": "string", "pattern": "^Bearer .+$"},
        },
    }
    return {
        "address": "/ws",
        "description": "The one WebSocket. Without a subprotocol it carries JSON.",
        "messages": {kind.__name__: _refers("messages", kind) for kind in messages()},
        "bindings": {"ws": {"method": "GET", "headers": headers}},
    }


def _message(kind: type[msgspec.Struct]) -> Json:
    """A component: name, schema, examples."""
    number = "id" if issubclass(kind, protocol.Request) else "re"
    return {
        "name": kind.__name__,
        "title": tag_of(kind),
        "summary": summary_of(kind),
        "description": description_of(kind),
        "correlationId": {
            "description": "id of a request, re of its reply",
            "location": f"$message.payload#/{number}",
        },
        "payload": _refers("schemas", kind),
        "examples": [{"payload": _built(example)} for example in examples_of(kind)],
    }


def summary_of(kind: type[msgspec.Struct]) -> str:
    """The first sentence of a docstring."""
    return re.split(r"(?<=\.)\s", description_of(kind), maxsplit=1)[0]


def _requests() -> Json:
    """One operation for each request, with what answers it."""
    return {
        tag_of(request): {
            "action": "receive",
            "channel": {"$ref": "#/channels/ws"},
            "title": tag_of(request),
            "summary": summary_of(request),
            "messages": [_of_channel(request)],
            "reply": {
                "channel": {"$ref": "#/channels/ws"},
                "messages": [_of_channel(answer), _of_channel(protocol.Error)],
            },
        }
        for request, answer in protocol.ANSWERS.items()
    }


def _pushes() -> Json:
    """One operation for each message that comes unasked."""
    return {
        f"push_{tag_of(push)}": {
            "action": "send",
            "channel": {"$ref": "#/channels/ws"},
            "title": tag_of(push),
            "summary": summary_of(push),
            "messages": [_of_channel(push)],
        }
        for push in _UNASKED
    }


def _refers(component: str, kind: type[msgspec.Struct]) -> Json:
    return {"$ref": _COMPONENTS.format(kind=component, name=kind.__name__)}


def _of_channel(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": f"#/channels/ws/messages/{kind.__name__}"}


def _schemas(kinds: tuple[type[msgspec.Struct], ...], template: str) -> tuple[tuple[Json, ...], Json]:
    """References to the schemas of ``kinds``, and all schemas that they need, by name in alphabetical order."""
    references, parts = msgspec.json.schema_components(kinds, ref_template=template)
    for name, part in parts.items():
        part["description"] = description_of(getattr(protocol, name))
    return references, {name: _plain(part) for name, part in sorted(parts.items())}


def _plain(part: Any) -> Any:
    """A schema without the ``discriminator`` of OpenAPI, which AsyncAPI has in another form and JSON Schema not at all:
    the field ``type`` has one value in each of several schemas anyhow."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {key: _plain(item) for key, item in part.items() if not (key == "discriminator" and "anyOf" in part)}


def _built(example: msgspec.Struct) -> Json:
    built: Json = msgspec.to_builtins(example)
    return built
