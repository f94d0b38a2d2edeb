"""Promise: a replay file that is damaged, cut off, foreign, of a later version or made with bad intent is refused with
its place, and nothing of it reaches the data folder or any other."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eventlog.errors import FormatTooNew
from eventlog.records import Close
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from games.code import digest_of
from replays import bundle_file
from replays.bundle import export_world, import_bundle
from replays.bundle_file import CODE, ENGINE, HEADER, HEADER_BYTES, LOG, SNAPSHOT, BundleReader
from replays.errors import BundleDamaged, BundleError, NotABundle
from replays.verify import verify_bundle
from tests.eventlog.building import fingerprint, genesis

WORLD: Final = "w_one"
CODE_FILES: Final = {"game.toml": b"title", "main.lua": b"return {}"}
ENGINE_FILES: Final = {"host.lua": b"return 1"}
CODE_DIGEST, ENGINE_DIGEST = digest_of(CODE_FILES), digest_of(ENGINE_FILES)

Row = tuple[int, str, str, bytes]
"""Kind, group, name, content."""


def log_bytes(world: str = WORLD) -> bytes:
    """A whole log: it begins and ends."""
    log = WorldLog.create(genesis(world, digest=CODE_DIGEST, engine=ENGINE_DIGEST), shard=0)
    end = Close(tick=5, reason="test", fingerprint=fingerprint(5), outcomes=[])
    return log.head.data + log.append(end).data


def small(folder: Path) -> Path:
    """A replay file of hardly more than a kilobyte, exported from a real data folder."""
    data = folder / "source"
    world = data / "worlds" / WORLD
    world.mkdir(parents=True)
    (world / "0001.wlog").write_bytes(log_bytes())
    store = Store.attach(data)
    store.put_code(CODE_DIGEST, CODE_FILES)
    store.put_engine(ENGINE_DIGEST, ENGINE_FILES)
    export_world(data, WORLD, folder / "small.replay")
    return folder / "small.replay"


def rows() -> list[Row]:
    """What `small` holds."""
    return [
        (LOG, "", "0001.wlog", log_bytes()),
        *((CODE, CODE_DIGEST, name, CODE_FILES[name]) for name in sorted(CODE_FILES)),
        *((ENGINE, ENGINE_DIGEST, name, ENGINE_FILES[name]) for name in sorted(ENGINE_FILES)),
    ]


def digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=32).digest()


def crafted(path: Path, members: list[Row], *, world: str = WORLD, version: int = 1) -> Path:
    """A replay file whose checksums are right, whatever it says; written from the description, not by our writer."""
    stored = [zlib.compress(content, 9) for *_, content in members]
    table: list[Any] = [
        [kind, group, name, len(packed), len(content), digest(packed)]
        for (kind, group, name, content), packed in zip(members, stored, strict=True)
    ]
    return sealed(path, b"".join(stored), msgspec.msgpack.encode([world, table]), version=version)


def sealed(path: Path, members: bytes, table: bytes, *, version: int = 1) -> Path:
    head = HEADER.pack(b"WRPL", version, len(table), HEADER_BYTES + len(members), digest(table))
    path.write_bytes(head + zlib.crc32(head).to_bytes(4, "little") + members + table)
    return path


def test_the_description_of_the_format_is_complete(tmp_path: Path) -> None:
    assert crafted(tmp_path / "crafted.replay", rows()).read_bytes() == small(tmp_path).read_bytes()


def test_every_flipped_bit_is_noticed_and_nothing_is_imported(tmp_path: Path) -> None:
    path, data = small(tmp_path), tmp_path / "data"
    whole = path.read_bytes()
    assert len(whole) < 2000
    for byte in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 1 << bit]) + whole[byte + 1 :])
            with pytest.raises(BundleError) as caught:
                import_bundle(path, data)
            if byte < 4:
                assert isinstance(caught.value, NotABundle)
            else:
                assert isinstance(caught.value, BundleDamaged), (byte, bit)
                assert caught.value.offset <= byte
    assert not data.exists()
    path.write_bytes(whole)
    assert not import_bundle(path, data).there_already


def test_every_length_that_it_may_be_cut_off_to_is_noticed(tmp_path: Path) -> None:
    path = small(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError) as caught:
            import_bundle(path, tmp_path / "data")
        if length:
            assert isinstance(caught.value, BundleDamaged)
            assert caught.value.offset == length
            assert "cut off" in str(caught.value)
    path.write_bytes(whole + b"\0")
    with pytest.raises(BundleDamaged, match="1 bytes follow its end"):
        import_bundle(path, tmp_path / "data")


def test_a_later_version_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = crafted(tmp_path / "x.replay", rows(), version=2)
    with pytest.raises(FormatTooNew, match=r"format version 2, this program reads up to 1 → upgrade"):
        import_bundle(path, tmp_path / "data")
    assert verify_bundle(path).status == "cannot"


BAD_NAMES = ["../main.lua", "/etc/main.lua", "a/main.lua", "..", ".", "", "a\0b", "a\nb", "..\\main.lua", "x" * 256]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("kind", [LOG, SNAPSHOT, CODE, ENGINE, 0, 5])
def test_no_name_in_it_leads_anywhere_else(tmp_path: Path, kind: int, name: str) -> None:
    group = CODE_DIGEST if kind in (CODE, ENGINE) else ""
    path = crafted(tmp_path / "x.replay", [*rows(), (kind, group, name, b"evil")])
    refused(path)


@pytest.mark.parametrize("group", ["..", "../../x", "/tmp", "", CODE_DIGEST + "/..", CODE_DIGEST.upper()])
def test_no_digest_in_it_leads_anywhere_else(tmp_path: Path, group: str) -> None:
    refused(crafted(tmp_path / "x.replay", [*rows(), (CODE, group, "main.lua", b"evil")]))


@pytest.mark.parametrize("world", ["../w_one", "/w_one", "..", "", ".removed-x", "w_one/x", "w" * 41])
def test_no_world_in_it_leads_anywhere_else(tmp_path: Path, world: str) -> None:
    refused(crafted(tmp_path / "x.replay", rows(), world=world))


def refused(path: Path) -> None:
    """Importing it is an error, verifying it too, and neither leaves anything anywhere."""
    before = sorted(path.parent.parent.rglob("*"))
    with pytest.raises(BundleDamaged):
        import_bundle(path, path.parent / "data" / "deep")
    assert verify_bundle(path).status == "damaged"
    assert sorted(path.parent.parent.rglob("*")) == before


def changed(at: int, **changes: Any) -> Callable[[], list[Row]]:
    """The rows of `small` with one of them changed."""

    def make() -> list[Row]:
        fields: dict[str, Any] = dict(zip(("kind", "group", "name", "content"), rows()[at], strict=True)) | changes
        row: Row = (fields["kind"], fields["group"], fields["name"], fields["content"])
        return [*rows()[:at], row, *rows()[at + 1 :]]

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (list, "it holds no log"),
        (lambda: rows()[1:], "it holds no log"),
        (changed(0, name="0002.wlog"), "0001.wlog is missing"),
        (changed(0, content=log_bytes("w_two")), "this is file 1 of w_two"),
        (changed(0, content=log_bytes()[:-1]), "it ends inside a record"),
        (changed(0, content=log_bytes() + b"\0"), "it ends inside a record"),
        (changed(0, content=b""), "it ends inside a record"),
        (changed(1, content=b"other"), f"the code {CODE_DIGEST} does not match its digest"),
        (changed(3, content=b"other"), f"the engine {ENGINE_DIGEST} does not match its digest"),
        (lambda: rows()[:1] + rows()[3:], f"it lacks code {CODE_DIGEST}"),
        (lambda: rows()[:3], f"it lacks engine {ENGINE_DIGEST}"),
        (lambda: [*rows(), (ENGINE, "ff" * 16, "host.lua", b"")], f"its log names no engine {'ff' * 16}"),
        (lambda: [*rows(), rows()[-1]], "not in order"),
        (lambda: rows()[::-1], "not in order"),
        (lambda: [rows()[0], (SNAPSHOT, "", "0000000001.snap", b"no"), *rows()[1:]], "0000000001.snap"),
    ],
)
def test_what_does_not_belong_together_is_named(tmp_path: Path, make: Callable[[], list[Row]], says: str) -> None:
    path = crafted(tmp_path / "x.replay", make())
    refused(path)
    with pytest.raises(BundleDamaged) as caught:
        import_bundle(path, tmp_path / "data")
    assert says in str(caught.value)


def test_nothing_is_unpacked_beyond_what_the_table_says(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(100_000_000), 9)
    table = msgspec.msgpack.encode([WORLD, [[LOG, "", "0001.wlog", len(packed), 100, digest(packed)]]])
    path = sealed(tmp_path / "bomb.replay", packed, table)
    with BundleReader(path) as bundle, pytest.raises(BundleDamaged, match="another length"):
        bundle.read(bundle.members[0])
    huge = msgspec.msgpack.encode([WORLD, [[LOG, "", "0001.wlog", len(packed), 1 << 40, digest(packed)]]])
    with pytest.raises(BundleDamaged, match="claims"):
        BundleReader(sealed(path, packed, huge))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(junk=b"\x92\xa1\x80", table=b"\x92\xa1\x80".decode("latin-1"))  # text that is not UTF-8
@given(junk=st.binary(max_size=200), table=st.recursive(st.none() | st.integers() | st.text() | st.binary(), st.lists))
def test_whatever_a_table_holds_is_an_error_that_explains_itself(tmp_path: Path, junk: bytes, table: Any) -> None:
    try:
        encoded = msgspec.msgpack.encode(table)
    except (OverflowError, UnicodeEncodeError):
        encoded = junk
    for content in (encoded, junk):
        path = sealed(tmp_path / "x.replay", junk, content)
        with pytest.raises(BundleError, match=" → "):
            BundleReader(path)
    path.write_bytes(junk)
    with pytest.raises(BundleError, match=" → "):
        BundleReader(path)


def test_the_header_has_the_size_that_the_format_says() -> None:
    assert (HEADER_BYTES, bundle_file.VERSION) == (56, 1)
