"""Promise: no page of a stranger gets a person's browser to talk to a local server: neither by an Origin that is not
the server's own, nor by a name of the page's that leads here."""

from __future__ import annotations

import pytest
from websockets.datastructures import Headers

from server.gateway.origin import Misdirected, Place, check, is_loopback, place


def refused(host: str | None, origin: str | None, hosts: list[str] | None) -> int | None:
    """The status with which a request is refused; None if it is not."""
    headers = Headers()
    if host is not None:
        headers["Host"] = host
    if origin is not None:
        headers["Origin"] = origin
    try:
        check(headers, hosts)
    except Misdirected as error:
        assert str(error).endswith("\n")
        return int(error.status)
    return None


LOCAL = ["localhost", "localhost:8765", "LocalHost:1", "127.0.0.1:8765", "127.8.8.8", "[::1]:8765", "x.localhost"]
FOREIGN = ["evil.example", "evil.example:8765", "localhost.evil.example:8765", "10.0.0.1:8765", "[2001:db8::1]:80"]


@pytest.mark.parametrize("host", LOCAL)
def test_on_loopback_names_of_this_machine_are_served(host: str) -> None:
    assert refused(host, None, []) is None


@pytest.mark.parametrize("host", FOREIGN)
def test_on_loopback_other_names_are_not(host: str) -> None:
    assert refused(host, None, []) == 421
    assert refused(host, None, None) is None, "where others can connect they have their own names for us"


def test_the_operator_may_allow_a_name() -> None:
    assert refused("Play.Example.org:443", None, ["play.example.org"]) is None
    assert refused("play.example.org.", None, ["play.example.org"]) is None
    assert refused("other.example.org", None, ["play.example.org"]) == 421


@pytest.mark.parametrize(
    "host", [None, "", "a b", "a/b", "user@localhost", "localhost:port", "localhost:123456", "[::1"]
)
def test_a_host_is_one_name(host: str | None) -> None:
    assert refused(host, None, None) == 400
    two = Headers([("Host", "localhost"), ("Host", "localhost")])
    with pytest.raises(Misdirected):
        check(two, None)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8765", "http://localhost:8765"),
        ("LOCALHOST:8765", "http://localhost:8765"),
        ("127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("[::1]:8765", "http://[::1]:8765"),
        ("play.example.org", "https://play.example.org"),
        ("play.example.org:443", "https://play.example.org"),
        ("play.example.org", "https://play.example.org:443"),
        ("play.example.org", "http://play.example.org"),
        ("play.example.org:8443", "https://play.example.org:8443"),
    ],
)
def test_pages_of_this_server_may_connect(host: str, origin: str) -> None:
    assert refused(host, origin, None) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8765", "http://evil.example"),
        ("localhost:8765", "http://localhost:3000"),
        ("localhost:8765", "http://127.0.0.1:8765"),
        ("localhost:8765", "null"),
        ("localhost:8765", ""),
        ("localhost:8765", "file://"),
        ("localhost:8765", "chrome-extension://abcdefgh"),
        ("localhost:8765", "http://localhost:8765.evil.example"),
        ("localhost:8765", "http://localhost:8765@evil.example"),
        ("play.example.org", "https://play.example.org.evil.example"),
        ("play.example.org", "https://play.example.org:8443"),
    ],
)
def test_pages_of_others_may_not(host: str, origin: str) -> None:
    assert refused(host, origin, None) == 403


def test_a_page_whose_name_leads_here_is_not_served() -> None:
    # DNS rebinding: the browser believes that the page and this server are the same host.
    assert refused("evil.example:8765", "http://evil.example:8765", []) == 421


def test_two_origins_are_none() -> None:
    two = Headers([("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://evil.example")])
    with pytest.raises(Misdirected):
        check(two, [])


def test_what_a_place_is() -> None:
    assert place("A.b:80") == Place("a.b", 80)
    assert place("[::1]") == Place("::1", None)
    assert place("::1") is None
    assert is_loopback("::1")
    assert not is_loopback("localhost.example")
