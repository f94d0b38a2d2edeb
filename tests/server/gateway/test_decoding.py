"""Promise: whatever bytes come, they become one well-formed request or one refusal with the documented code, the place
and a hint whose value works - the same in both encodings."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.gateway.decoding import Decoded, Encoding, decode
from server.gateway.hints import Examples
from server.gateway.refusals import Refused
from tests.server.gateway.hints import mended
from worldline import protocol

EXAMPLES = Examples(game="tsunami", inputs={"move": {"x": 1}}, world="w_1", player="p_1", free_id=5)
ENCODINGS: tuple[Encoding, ...] = ("json", "msgpack")


def read(data: bytes, encoding: Encoding = "json", *, text_frame: bool | None = None) -> Decoded:
    as_text = encoding == "json" if text_frame is None else text_frame
    return decode(data, text_frame=as_text, encoding=encoding, examples=lambda: EXAMPLES)


def write(message: Any, encoding: Encoding) -> bytes:
    return msgspec.json.encode(message) if encoding == "json" else msgspec.msgpack.encode(message)


def refusal(data: bytes, encoding: Encoding = "json", *, text_frame: bool | None = None) -> dict[str, Any]:
    with pytest.raises(Refused) as refused:
        read(data, encoding, text_frame=text_frame)
    error: dict[str, Any] = json.loads(msgspec.json.encode(refused.value.error))
    assert error["message"]
    assert error["hint"]
    return error


RIGHT: list[tuple[dict[str, Any], protocol.Request]] = [
    ({"type": "hello", "id": 1}, protocol.Hello(id=1)),
    ({"type": "hello", "id": 1, "name": " a\u0007d\u202ea "}, protocol.Hello(id=1, name="ada")),
    ({"type": "hello", "id": 1, "name": "\u0000"}, protocol.Hello(id=1)),
    ({"type": "ping", "id": 0}, protocol.Ping(id=0)),
    ({"type": "ping", "id": 3.0}, protocol.Ping(id=3)),
    ({"type": "ping", "id": protocol.MAX_INTEGER}, protocol.Ping(id=protocol.MAX_INTEGER)),
    ({"type": "join", "id": 1, "game": "tsunami", "world": None}, protocol.Join(id=1, game="tsunami")),
    ({"type": "observe", "id": 1, "world": "w_1", "format": None}, protocol.Observe(id=1, world="w_1")),
    (
        {"type": "input", "id": 1, "world": "w_1", "name": "move", "args": {"x": 3.0, "z": None, "l": [1.0, 1.5]}},
        protocol.Input(id=1, world="w_1", name="move", args={"x": 3, "l": [1, 1.5]}),
    ),
    (
        {"type": "act", "id": 1, "world": "w_1", "inputs": [{"player": "p_1", "name": "a", "args": {"x": 3.0}}]},
        protocol.Act(id=1, world="w_1", inputs=[protocol.ActInput(player="p_1", name="a", args={"x": 3})]),
    ),
    (
        {"type": "input", "id": 1, "world": "w_1", "name": "say", "note": "a\n\tb\u0000\u001b[31m"},
        protocol.Input(id=1, world="w_1", name="say", note="a\n\tb[31m"),
    ),
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("message", "request_"), RIGHT)
def test_a_right_message_is_a_request(message: dict[str, Any], request_: protocol.Request, encoding: Encoding) -> None:
    decoded = read(write(message, encoding), encoding)
    assert isinstance(decoded.request, type(request_))
    assert msgspec.to_builtins(decoded.request) == msgspec.to_builtins(request_)
    assert decoded.ignored is None
    assert decoded.hint is None


MENDABLE: list[tuple[dict[str, Any], str, str]] = [
    # a wrong message, the code of its refusal, the path that it names
    ({"type": "pong", "id": 1}, "unknown_type", "type"),
    ({"type": "", "id": 1}, "unknown_type", "type"),
    ({"id": 1}, "invalid_args", "type"),
    ({"type": 7, "id": 1}, "invalid_args", "type"),
    ({"type": "ping"}, "invalid_args", "id"),
    ({"type": "ping", "id": "1"}, "invalid_args", "id"),
    ({"type": "ping", "id": -1}, "invalid_args", "id"),
    ({"type": "ping", "id": 1.5}, "invalid_args", "id"),
    ({"type": "ping", "id": True}, "invalid_args", "id"),
    ({"type": "ping", "id": 2**53}, "invalid_args", "id"),
    ({"type": "observe", "id": 1, "world": "w_1", "kinds": "hit"}, "invalid_args", "kinds"),
    ({"type": "observe", "id": 1, "world": "w_1", "kinds": [1]}, "invalid_args", "kinds"),
    ({"type": "subscribe", "id": 1, "world": "w_1", "observe_hz": 61}, "invalid_args", "observe_hz"),
    ({"type": "act", "id": 1, "world": "w_1", "inputs": {}}, "invalid_args", "inputs"),
    ({"type": "act", "id": 1, "world": "w_1", "inputs": [7]}, "invalid_args", "inputs[0]"),
    ({"type": "act", "id": 1, "world": "w_1", "inputs": [{"name": "a"}]}, "invalid_args", "inputs[0].player"),
    (
        {"type": "act", "id": 1, "world": "w_1", "inputs": [{"player": "p_1", "name": "a", "seq": 0}]},
        "invalid_args",
        "inputs[0].seq",
    ),
    (
        {"type": "act", "id": 1, "world": "w_1", "inputs": [{"player": "p_1", "name": "a", "note": "x" * 16_385}]},
        "too_large",
        "inputs[0].note",
    ),
    ({"type": "rules", "id": 1}, "invalid_args", "game"),
    ({"type": "rules", "id": 1, "game": 3}, "invalid_args", "game"),
    ({"type": "rules", "id": 1, "game": "x" * 41}, "invalid_args", "game"),
    ({"type": "worlds", "id": 1, "limit": 0}, "invalid_args", "limit"),
    ({"type": "worlds", "id": 1, "limit": 101}, "invalid_args", "limit"),
    ({"type": "worlds", "id": 1, "status": "asleep"}, "invalid_args", "status"),
    ({"type": "worlds", "id": 1, "mine": "yes"}, "invalid_args", "mine"),
    ({"type": "observe", "id": 1}, "invalid_args", "world"),
    ({"type": "observe", "id": 1, "world": ["w_1"]}, "invalid_args", "world"),
    ({"type": "observe", "id": 1, "world": "w_1", "since": -3}, "invalid_args", "since"),
    ({"type": "observe", "id": 1, "world": "w_1", "format": "xml"}, "invalid_args", "format"),
    ({"type": "observe", "id": 1, "world": "w_1", "player": 3}, "invalid_args", "player"),
    ({"type": "input", "id": 1, "world": "w_1"}, "invalid_args", "name"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "move", "seq": 0}, "invalid_args", "seq"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "move", "seq": "first"}, "invalid_args", "seq"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "move", "args": [1]}, "invalid_args", "args"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "move", "observe": 1}, "invalid_args", "observe"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "move", "args": {"x": 2**53}}, "invalid_args", "args.x"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "move", "args": {"x": -(2**53)}}, "invalid_args", "args.x"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "m", "args": {"l": [1, 2**60]}}, "invalid_args", "args.l[1]"),
    ({"type": "input", "id": 1, "world": "w_1", "name": "m", "note": "é" * 8193}, "too_large", "note"),
    ({"type": "hello", "id": 1, "name": "x" * 65}, "invalid_args", "name"),
    ({"type": "hello", "id": 1, "client": 1}, "invalid_args", "client"),
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("message", "code", "path"), MENDABLE)
def test_a_wrong_value_is_named_and_the_hint_works(
    message: dict[str, Any], code: str, path: str, encoding: Encoding
) -> None:
    error = refusal(write(message, encoding), encoding)
    assert (error["code"], error["path"]) == (code, path)
    assert error.get("re") == (1 if message.get("id") == 1 and message["id"] is not True else None)
    read(write(mended(message, error), encoding), encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_without_a_world_the_hint_says_how_to_get_one(encoding: Encoding) -> None:
    data = write({"type": "observe", "id": 1}, encoding)
    with pytest.raises(Refused) as refused:
        decode(
            data,
            text_frame=encoding == "json",
            encoding=encoding,
            examples=lambda: Examples(game="tsunami", inputs={"move": {"x": 1}}),
        )
    error = json.loads(msgspec.json.encode(refused.value.error))
    assert mended({}, error) == {"type": "join", "id": 1, "game": "tsunami"}


UNREADABLE: list[tuple[bytes, Encoding]] = [
    (b"", "json"),
    (b"hello", "json"),
    (b'{"type":"ping","id":1', "json"),
    (b'{"type":"ping","id":1}{"type":"ping","id":2}', "json"),
    (b'["ping", 1]', "json"),
    (b"3", "json"),
    (b"null", "json"),
    (b'{"type":"ping","id":NaN}', "json"),
    (b'{"type":"input","id":1,"world":"w_1","name":"m","args":{"x":Infinity}}', "json"),
    (b'{"type":"input","id":1,"world":"w_1","name":"m","args":{"x":1e999}}', "json"),
    (b'{"type":"hello","id":1,"name":"\xff\xfe"}', "json"),
    (b'{"type":"hello","id":1,"name":"\\ud800"}', "json"),
    (b"\xef\xbb\xbf" + b'{"type":"ping","id":1}', "json"),
    (b"[" * 3000 + b"]" * 3000, "json"),
    (b'{"type":"ping","id":1,"x":' + b"[" * 3000 + b"]" * 3000 + b"}", "json"),
    (b"", "msgpack"),
    (b"\xc1", "msgpack"),
    (b"\x93\x01\x02", "msgpack"),
    (b"\x93\x01\x02\x03", "msgpack"),
    (b"\x91" * 3000 + b"\x01", "msgpack"),
    (b"\x82\xa4type\xa5hello\xa2id\x01\xa4name\xa1\xff", "msgpack"),
    (msgspec.msgpack.encode({1: 2}), "msgpack"),
    (msgspec.msgpack.encode({"type": "ping", "id": 1, "x": b"bin"}), "msgpack"),
    (msgspec.msgpack.encode({"type": "ping", "id": 1, "x": msgspec.msgpack.Ext(1, b"ext")}), "msgpack"),
    (
        msgspec.msgpack.encode({"type": "input", "id": 1, "world": "w", "name": "m", "args": {"x": b"bin"}}),
        "msgpack",
    ),
    (
        msgspec.msgpack.encode({"type": "input", "id": 1, "world": "w", "name": "m", "args": {"x": {3: 4}}}),
        "msgpack",
    ),
]


@pytest.mark.parametrize(("data", "encoding"), UNREADABLE)
def test_what_is_no_message_is_malformed(data: bytes, encoding: Encoding) -> None:
    error = refusal(data, encoding)
    assert error["code"] == "malformed"
    read(write(mended({}, error), encoding), encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_frame_of_the_wrong_kind_is_malformed(encoding: Encoding) -> None:
    data = write({"type": "ping", "id": 1}, encoding)
    error = refusal(data, encoding, text_frame=encoding != "json")
    assert error["code"] == "malformed"
    assert "re" not in error
    assert all(name in error["message"] + error["hint"] for name in protocol.SUBPROTOCOLS)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_in_messagepack_too(number: float) -> None:
    message = {"type": "input", "id": 1, "world": "w_1", "name": "move", "args": {"x": number}}
    error = refusal(msgspec.msgpack.encode(message), "msgpack")
    assert (error["code"], error["path"], error["re"]) == ("invalid_args", "args.x", 1)
    read(write(mended(message, error), "msgpack"), "msgpack")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("where", ["args", "unknown"])
def test_nesting_ends_at_32(encoding: Encoding, where: str) -> None:
    def nested(levels: int) -> dict[str, Any]:
        """A message in which values are nested ``levels`` deep, itself included."""
        value: Any = 1
        for _ in range(levels - (2 if where == "args" else 1)):
            value = [value]
        if where == "args":
            return {"type": "input", "id": 1, "world": "w_1", "name": "m", "args": {"x": value}}
        return {"type": "ping", "id": 1, "x": value}

    read(write(nested(protocol.MAX_NESTING), encoding), encoding)
    error = refusal(write(nested(protocol.MAX_NESTING + 1), encoding), encoding)
    assert (error["code"], error["re"]) == ("malformed", 1)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_unknown_fields_do_no_harm_and_are_named(encoding: Encoding) -> None:
    message = {"type": "observe", "id": 1, "world": "w_1", "sinse": 4, "wait": 3}
    decoded = read(write(message, encoding), encoding)
    assert msgspec.to_builtins(decoded.request) == {"type": "observe", "id": 1, "world": "w_1"}
    assert decoded.ignored == ["sinse", "wait"]
    assert decoded.hint is not None
    assert "did you mean since by sinse" in decoded.hint


def test_names_of_unknown_fields_are_cut_and_counted() -> None:
    message = {"type": "ping", "id": 1, **{"x" * 100 + str(n): n for n in range(500)}}
    decoded = read(write(message, "json"))
    assert decoded.ignored is not None
    assert len(decoded.ignored) == 20
    assert max(map(len, decoded.ignored)) <= protocol.MAX_ID_LENGTH


@given(st.binary(max_size=200), st.sampled_from(ENCODINGS))
@example(b'{"type":"input","id":1,"world":"w","name":"m","args":{"x":-0.0}}', "json")
def test_any_bytes_are_a_request_or_a_refusal(data: bytes, encoding: Encoding) -> None:
    try:
        decoded = read(data, encoding)
    except Refused as refused:
        assert refused.error.code in protocol.ERROR_CODES
    else:
        assert 0 <= decoded.request.id <= protocol.MAX_INTEGER


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_messages = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(protocol.REQUEST_TYPES))},
    optional={
        "id": st.integers(-1, 2**54) | _values,
        "world": st.text(max_size=50) | _values,
        "game": st.text(max_size=50) | _values,
        "name": st.text(max_size=80) | _values,
        "args": st.dictionaries(st.text(max_size=8), _values, max_size=4) | _values,
        "seq": st.integers(-1, 2**54) | _values,
        "note": st.text(max_size=50) | _values,
        "zip": _values,
    },
)


def assert_plain(value: Any) -> None:
    """What the rest of the server may rely on."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert isinstance(key, str)
            assert_plain(item)
    elif isinstance(value, list):
        for item in value:
            assert_plain(item)
    elif isinstance(value, float):
        assert math.isfinite(value)
        assert not value.is_integer() or abs(value) > protocol.MAX_INTEGER
    else:
        assert value is None or isinstance(value, str | bool | int)
        assert not isinstance(value, int) or abs(value) <= protocol.MAX_INTEGER


@given(_messages)
def test_whatever_passes_is_plain(message: dict[str, Any]) -> None:
    try:
        data = msgspec.msgpack.encode(message)
    except (OverflowError, UnicodeEncodeError):
        return  # no encoder can write it
    try:
        decoded = read(data, "msgpack")
    except Refused as refused:
        assert refused.error.hint
    else:
        assert_plain(msgspec.to_builtins(decoded.request))
