"""Promise: what would stop a server from serving is said in one clear line before anything is started."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from server.startup import (
    SEND_BUFFER_BYTES,
    StartError,
    listen,
    load_games,
    make_socket_folder,
    open_secret,
    open_store,
    remove_socket_folder,
)

BROKEN_TOML = 'title = "Broken"\nsummary = "S"\nmax_players = "many"\n'
GOOD_TOML = (
    'title = "T"\nsummary = "S"\nmax_players = 2\nmin_players = 1\nclock = "realtime"\ntick_hz = 10\n'
    "grace_s = 5\nidle_s = 5\n"
)


def test_port_zero_takes_a_free_one_and_small_buffers() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
        # The kernel doubles what it is asked for.
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1


def test_a_port_in_use_is_named() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} at 127.0.0.1 is in use → .*--port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid", ".."])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(StartError, match=r"cannot listen at .* → use --host"):
        listen(host, 0)


def test_clients_may_connect_before_a_gateway_is_there() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5) as client:
        assert client.getpeername() == listener.getsockname()


def test_the_socket_folder_is_private_and_its_paths_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("long" * 20)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    folder = make_socket_folder()
    try:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(folder / "shard-100000.sock"))
        assert list(deep.iterdir()) == []
    finally:
        remove_socket_folder(folder)
    assert not folder.exists()


def test_a_data_folder_in_use_is_refused_and_free_again_after(tmp_path: Path) -> None:
    store = open_store(tmp_path / "data")
    with pytest.raises(StartError) as refused:
        open_store(tmp_path / "data")
    assert "in use" in refused.value.message and "--data" in refused.value.remedy
    store.close()
    open_store(tmp_path / "data").close()


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StartError) as refused:
        open_store(tmp_path / "file" / "data")
    assert str(tmp_path / "file" / "data") in refused.value.message and "--data" in refused.value.remedy


@pytest.mark.parametrize(
    ("manifest", "main", "where"),
    [
        (BROKEN_TOML, "return {}", "game.toml:3"),
        ('title = "Half\n', "return {}", "game.toml:1"),
        (GOOD_TOML, "local game = {}\nfunction game.tick(world, dt\nend\nreturn game\n", "main.lua:3"),
        (GOOD_TOML, "local game = {}\nerror('not today')\nreturn game\n", "main.lua:2"),
        (GOOD_TOML, "local game = {}\nlocal x = nothing.here\nreturn game\n", "main.lua:2"),
    ],
    ids=["wrong type", "no TOML", "no Lua", "raises", "fails on load"],
)
def test_a_broken_game_is_refused_with_file_and_line(tmp_path: Path, manifest: str, main: str, where: str) -> None:
    game = tmp_path / "broken"
    game.mkdir()
    (game / "game.toml").write_text(manifest)
    (game / "main.lua").write_text(main)
    with pytest.raises(StartError) as refused:
        load_games([tmp_path])
    assert where in refused.value.message, refused.value.message
    assert "\n" not in refused.value.message


def test_a_games_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="nowhere"):
        load_games([tmp_path / "nowhere"])


def test_the_packaged_games_load() -> None:
    assert "tsunami" in load_games([])


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    secret = open_secret(tmp_path)
    assert len(secret) == 32
    assert open_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    assert open_secret(tmp_path / "other") != secret
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["secret.key"]


def test_a_secret_that_was_cut_short_is_not_signed_with(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(StartError, match="5 bytes, not 32 → "):
        open_secret(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == b"short"
