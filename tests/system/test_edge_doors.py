"""Promise: over real sockets, strangers' pages are kept out, a proxy's name can be let in, and with a certificate
everything goes over TLS; files that are no certificate and key stop the start with what to do."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import worldline
from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import WITHIN_S, edge_client, plain_http, stop_reading
from tests.system.harness import RunningServer, run_serve


async def status_of(url: str, **headers: str) -> int:
    """The HTTP status with which a WebSocket is refused; 101 if it is not."""
    try:
        async with connect(url, additional_headers=headers, proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_pages_of_strangers_are_kept_out(server: RunningServer) -> None:
    own = f"http://127.0.0.1:{server.port}"
    assert await status_of(server.url) == 101
    assert await status_of(server.url, Origin=own) == 101
    assert await status_of(server.url, Origin="http://evil.example") == 403
    assert await status_of(server.url, Origin="null") == 403
    for path in (b"/healthz", b"/ws"):
        request = b"GET " + path + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n"
        status, _, body = await plain_http(server.url, request)
        assert status == 421
        assert b"--allow-host" in body


async def test_a_name_can_be_let_in_and_guests_are_spectators_then(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--allow-host", "play.example.org")
    request = b"GET /healthz HTTP/1.1\r\nHost: play.example.org\r\nOrigin: https://play.example.org\r\n\r\n"
    assert (await plain_http(server.url, request))[0] == 200
    guest = await connect_agent(server.url, "bob")
    assert guest.welcome["role"] == "spectator"


async def test_where_others_connect_any_name_is_served_but_no_strangers_page(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--host", "0.0.0.0")
    url = f"ws://127.0.0.1:{server.port}/ws"
    request = b"GET /healthz HTTP/1.1\r\nHost: play.example.org\r\n\r\n"
    assert (await plain_http(url, request))[0] == 200
    assert await status_of(url, Origin="http://evil.example") == 403


# --- TLS --------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine and its key, as files."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.mark.needs("openssl")
async def test_with_a_certificate_agents_play_over_tls(
    serve: ServerFactory, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate
    server = serve("--shards", "1", "--tls-cert", str(cert), "--tls-key", str(key))
    assert server.url.startswith("wss://127.0.0.1:")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    async with worldline.connect(server.url, name="ada") as client:
        me = await client.join("echo")
        assert (await me.input("count", by=3)).result == {"total": 3}
    # Without TLS nobody is served, and who does not trust the certificate is not fooled.
    with pytest.raises(worldline.Disconnected):
        async with worldline.connect(server.url.replace("wss:", "ws:")):
            pass
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(worldline.Disconnected, match="CERTIFICATE_VERIFY_FAILED"):
        async with worldline.connect(server.url):
            pass
    assert server.terminate() == 0
    assert "Traceback" not in server.stderr()


@pytest.mark.needs("openssl")
async def test_over_tls_too_a_reader_that_stops_delays_nobody(
    serve: ServerFactory, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    server = serve("--shards", "1", "--limits", "off", "--tls-cert", str(cert), "--tls-key", str(key))
    trust = ssl.create_default_context(cafile=str(cert))
    async with edge_client(server.url, ssl=trust) as deaf, edge_client(server.url, ssl=trust) as other:
        for number in range(40):
            await deaf.send({"type": "rules", "id": number + 10, "game": "tsunami"})
        stop_reading(deaf)
        for number in range(100, 400):
            async with asyncio.timeout(WITHIN_S):
                await deaf.send({"type": "rules", "id": number, "game": "tsunami"})
        assert (await other.ask({"type": "games", "id": 7}))["type"] == "games"
        assert server.terminate() == 0


@pytest.mark.needs("openssl")
def test_files_that_are_no_certificate_and_key_stop_the_start(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    other_key, locked, text = tmp_path / "other.pem", tmp_path / "locked.pem", tmp_path / "text.pem"
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out"]
    subprocess.run([*make, str(other_key)], check=True, capture_output=True)
    subprocess.run([*make, str(locked), "-aes256", "-pass", "pass:secret"], check=True, capture_output=True)
    text.write_text("no certificate")
    for arguments, said in (
        (["--tls-cert", str(cert)], "--tls-key"),
        (["--tls-cert", str(cert), "--tls-key", str(tmp_path / "gone.pem")], "No such file"),
        (["--tls-cert", str(text), "--tls-key", str(key)], "no certificate and key"),
        (["--tls-cert", str(cert), "--tls-key", str(other_key)], "is not the key of"),
        (["--tls-cert", str(cert), "--tls-key", str(locked)], "without a password"),
    ):
        done = run_serve(tmp_path / "data", *arguments, cwd=tmp_path)
        assert done.returncode == 1, arguments
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: "), line
        assert said in line, line
    assert not (tmp_path / "data").exists()
