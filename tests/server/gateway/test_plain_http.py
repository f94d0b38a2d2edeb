"""Promise: plain HTTP answers exactly what is in its table, to whom it is for; every request gets an answer, whatever
becomes of the one who makes it; and no visitor holds up another."""

from __future__ import annotations

import asyncio
import http
import logging
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from server import messages
from server.config import Guests
from server.gateway.limits import GatewayLimits
from server.gateway.paths import MAX_BODY_BYTES, Asked, Body, Paths
from server.tokens import create_token
from tests.server.gateway.stand_in import WITHIN_S, Edge, eventually, running_edge, talking
from tests.system.edge_client import plain_http

PAGE = Body(content=b"<p>hello", kind="text/html", headers=(("Content-Security-Policy", "default-src 'none'"),))


async def get(edge: Edge, path: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Ask for a path, as a program on this machine."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    return await plain_http(edge.url, "\r\n".join(lines).encode())


def add(edge: Edge, path: str, body: Any, **options: Any) -> None:
    """Put something into the table of a gateway that runs already."""
    edge.gateway._entrance.paths.add(path, body, **options)


# --- what is answered -------------------------------------------------------------------------------------


async def test_a_path_answers_its_body_and_its_headers_and_head_the_same_without_it(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        add(edge, "/page", PAGE)
        status, headers, body = await get(edge, "/page?x=1")
        assert (status, body) == (200, b"<p>hello")
        assert headers["content-type"] == "text/html"
        assert headers["content-security-policy"] == "default-src 'none'"
        assert (headers["content-length"], headers["x-content-type-options"]) == ("8", "nosniff")
        head_status, head_headers, head_body = await get(edge, "/page", method="HEAD")
        assert (head_status, head_body) == (200, b"")
        del headers["date"], head_headers["date"]
        assert head_headers == headers
        assert (await get(edge, "/page", method="POST"))[0] == 405


async def test_who_has_a_body_already_does_not_get_it_again(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        add(edge, "/page", PAGE)
        tag = (await get(edge, "/page"))[1]["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            status, headers, body = await get(edge, "/page", f"If-None-Match: {known}")
            assert (status, headers["etag"], body) == (304, tag, b"")
        assert (await get(edge, "/page", 'If-None-Match: "other"'))[0] == 200
        add(edge, "/now", Body(content=b"now", cache="no-store"))
        assert "etag" not in (await get(edge, "/now"))[1]


async def test_only_exact_paths_are_there_and_the_nearest_is_named(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        add(edge, "/page", PAGE)
        for path in ("/page/", "/Page", "/pag%65", "//page", "/./page", "/page/../page", "/page;x"):
            status, _, body = await get(edge, path)
            assert status == 404
            assert b"/page" in body.partition(b".")[2], path
        assert b"mean" not in (await get(edge, "/nothing-like-it-at-all"))[2]


async def test_a_body_may_be_made_when_it_is_asked_for(tmp_path: Path) -> None:
    asked: list[Asked] = []

    def made(what: Asked) -> Body:
        asked.append(what)
        return Body(content=what.query.encode())

    async def made_later(what: Asked) -> Body:
        await asyncio.sleep(0)
        return made(what)

    async with running_edge(tmp_path) as edge:
        add(edge, "/made", made)
        add(edge, "/later", made_later)
        assert (await get(edge, "/made?a=1"))[2] == b"a=1"
        assert (await get(edge, "/later?b=2"))[2] == b"b=2"
        assert [what.path for what in asked] == ["/made", "/later"]


async def test_what_cannot_be_made_is_an_answer_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    limits = GatewayLimits(produce_timeout_s=0.05)

    async def never(_: Asked) -> Body:
        await asyncio.Event().wait()
        raise AssertionError

    async def fails(_: Asked) -> Body:
        raise RuntimeError("the shard said no")

    def fails_at_once(_: Asked) -> Body:
        raise RuntimeError("no such thing")

    async with running_edge(tmp_path, limits) as edge:
        add(edge, "/never", never)
        add(edge, "/fails", fails)
        add(edge, "/fails-at-once", fails_at_once)
        add(edge, "/too-much", lambda _: Body(content=b"x" * (MAX_BODY_BYTES + 1)))
        status, headers, _ = await get(edge, "/never?token=secret")
        assert (status, headers["retry-after"]) == (503, "5")
        for path in ("/fails", "/fails-at-once", "/too-much"):
            status, _, body = await get(edge, path + "?token=secret")
            assert status == 500
            reference = body.decode().rsplit(" ", 1)[1].strip(".\n")
            assert f"internal error at {path}, reference {reference}" in caplog.text
        assert "secret" not in caplog.text
        assert (await get(edge, "/healthz"))[0] == 200


def test_the_table_takes_no_path_twice_and_no_body_that_is_too_large() -> None:
    paths = Paths()
    paths.add("/page", PAGE)
    for path, body in (("/page", PAGE), ("page", PAGE), ("/page?x", PAGE), ("/large", Body(content=b"x" * 262_145))):
        with pytest.raises(ValueError, match=r"path|there is|larg|more than"):
            paths.add(path, body)
    assert paths.find("/large") is None


# --- who may see it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guests", "needs", "without", "as_agent", "as_developer"),
    [
        ("developer", "developer", 200, 403, 200),
        ("agent", "developer", 401, 403, 200),
        ("spectator", "spectator", 200, 200, 200),
        ("none", "spectator", 401, 200, 200),
        ("none", None, 200, 200, 200),
    ],
)
async def test_a_path_is_for_a_role_that_a_token_proves_or_that_guests_have(
    tmp_path: Path, guests: Guests, needs: str | None, without: int, as_agent: int, as_developer: int
) -> None:
    _, agent = create_token(tmp_path, "ada", "agent")
    _, developer = create_token(tmp_path, "eve", "developer")
    async with running_edge(tmp_path, guests=guests) as edge:
        add(edge, "/page", PAGE, needs=needs)
        for token, expected in ((None, without), (agent, as_agent), (developer, as_developer)):
            headers = [] if token is None else [f"Authorization: Bearer {token}"]
            status, answered, body = await get(edge, "/page", *headers)
            assert status == expected, token
            assert (body == PAGE.content) == (status == 200)
            assert ("www-authenticate" in answered) == (status == 401)


async def test_whoever_tries_tokens_over_http_waits_like_one_who_tries_them_in_hellos(tmp_path: Path) -> None:
    limits = GatewayLimits(failed_hellos=3)
    guess = "Authorization: Bearer wl_guess"
    async with running_edge(tmp_path, limits) as edge:
        add(edge, "/page", PAGE, needs="spectator")
        for _ in range(3):
            assert (await get(edge, "/page", "X-Forwarded-For: 192.0.2.1", guess))[0] == 401
        status, headers, _ = await get(edge, "/page", "X-Forwarded-For: 192.0.2.1")
        assert status == 429
        assert 0 < int(headers["retry-after"]) <= 60
        assert (await get(edge, "/healthz", "X-Forwarded-For: 192.0.2.1"))[0] == 200
        assert (await get(edge, "/page", "X-Forwarded-For: 192.0.2.2"))[0] == 200


# --- how much of it ---------------------------------------------------------------------------------------


async def open_and_read_nothing(edge: Edge, path: str, *headers: str) -> socket.socket:
    """Ask for a path with a kernel that keeps little, and leave the answer where it is."""
    address = urlsplit(edge.url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (address.hostname, address.port))
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    await loop.sock_sendall(sock, "\r\n".join(lines).encode())
    return sock


async def read_all(sock: socket.socket) -> bytes:
    """Everything until the other side ends; raises ConnectionResetError if it cuts off."""
    read = b""
    async with asyncio.timeout(WITHIN_S):
        while chunk := await asyncio.get_running_loop().sock_recv(sock, 2048):
            read += chunk
    sock.close()
    return read


async def test_who_reads_slowly_gets_everything(tmp_path: Path) -> None:
    limits = GatewayLimits(close_timeout_s=0.05)
    sizes = range(MAX_BODY_BYTES // 4, MAX_BODY_BYTES + 1, 16_384)  # what the kernel takes is the machine's business
    content = bytes(range(256)) * (MAX_BODY_BYTES // 256)
    async with running_edge(tmp_path, limits) as edge:
        for size in sizes:
            add(edge, f"/{size}", Body(content=content[:size]))
        slow = [await open_and_read_nothing(edge, f"/{size}") for size in sizes]
        await eventually(lambda: edge.gateway._entrance.answers == len(slow), "the answers are under way")
        # Others are served meanwhile, for longer than a close frame may take.
        until_s = asyncio.get_running_loop().time() + 4 * limits.close_timeout_s
        while asyncio.get_running_loop().time() < until_s:
            assert (await get(edge, f"/{sizes[0]}"))[2] == content[: sizes[0]]
        for sock, size in zip(slow, sizes, strict=True):
            assert (await read_all(sock)).partition(b"\r\n\r\n")[2] == content[:size]
        await eventually(lambda: edge.gateway._entrance.answers == 0, "the answers have been read")


async def test_who_never_reads_is_cut_off_and_frees_its_place(tmp_path: Path) -> None:
    limits = GatewayLimits(answer_timeout_s=0.3, max_answers=2)
    async with running_edge(tmp_path, limits) as edge:
        add(edge, "/large", Body(content=b"x" * MAX_BODY_BYTES))
        deaf = [await open_and_read_nothing(edge, "/large") for _ in range(2)]
        status, headers, _ = await get(edge, "/large")
        assert (status, headers["retry-after"]) == (503, "5")
        assert (await get(edge, "/healthz"))[0] == 200
        await eventually(lambda: edge.gateway._entrance.answers == 0, "both are cut off")
        assert (await get(edge, "/large"))[0] == 200
        for sock in deaf:
            sock.close()


async def test_an_address_has_so_many_answers_at_a_time(tmp_path: Path) -> None:
    limits = GatewayLimits(max_connections_per_address=2)
    somebody = "X-Forwarded-For: 192.0.2.1"
    async with running_edge(tmp_path, limits) as edge:
        add(edge, "/large", Body(content=b"x" * MAX_BODY_BYTES))
        one = await open_and_read_nothing(edge, "/large", somebody)
        async with talking(edge, additional_headers={"X-Forwarded-For": "192.0.2.1"}):
            status, headers, _ = await get(edge, "/large", somebody)
            assert (status, headers["retry-after"]) == (503, "5")
            assert (await get(edge, "/large", "X-Forwarded-For: 192.0.2.2"))[0] == 200
        assert len(await read_all(one)) > MAX_BODY_BYTES
        await eventually(lambda: edge.gateway._entrance.connections == 0, "both have gone")
        assert (await get(edge, "/large", somebody))[0] == 200


# --- health -----------------------------------------------------------------------------------------------


async def test_ready_means_that_worlds_can_be_played(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:

        async def ready() -> tuple[int, str]:
            status, headers, body = await get(edge, "/readyz")
            assert headers["cache-control"] == "no-store"
            return status, msgspec.json.decode(body)["status"]

        async with asyncio.timeout(WITHIN_S):
            while await ready() != (200, "ok"):
                pass
        # A process that replays logs, and is not there yet, keeps nobody from playing.
        edge.control.send(messages.ReplayerUp(replayer=0, socket_path=str(tmp_path / "nowhere.sock")))
        edge.gateway._backends.expect(-11)
        assert await ready() == (200, "ok")
        edge.control.send(messages.ShardDown(shard=0, worlds=[]))
        async with asyncio.timeout(WITHIN_S):
            while await ready() != (503, "starting"):
                pass
        assert (await get(edge, "/healthz"))[0] == http.HTTPStatus.OK
