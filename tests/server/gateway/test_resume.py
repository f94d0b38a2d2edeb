"""Promise: a resume token is accepted exactly as it was signed, by whoever has the secret, until it expires; anything
else is no token, and never an error."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway import resume

SECRET = b"k" * 32
IDENTITY = resume.Identity(session="s_1", agent="a_1", name="Łucja 🐢", guest=True, expires_s=1000)
TOKEN = resume.sign(IDENTITY, SECRET)


def test_what_was_signed_is_read_until_it_expires() -> None:
    assert resume.read(TOKEN, SECRET, 999.9) == IDENTITY
    assert resume.read(TOKEN, SECRET, 1000.0) is None


def test_a_token_is_compact_ascii() -> None:
    assert TOKEN.isascii()
    assert len(TOKEN) < 130
    assert set(TOKEN) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_a_foreign_token_is_none() -> None:
    assert resume.read(TOKEN, os.urandom(32), 0.0) is None


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_a_truncated_token_is_none(length: int) -> None:
    assert resume.read(TOKEN[:length], SECRET, 0.0) is None


def test_no_single_bit_can_be_flipped() -> None:
    raw = TOKEN.encode()
    for place in range(len(raw)):
        for bit in range(7):
            flipped = bytearray(raw)
            flipped[place] ^= 1 << bit
            assert resume.read(flipped.decode(), SECRET, 0.0) is None, (place, bit)


def test_no_other_spelling_of_the_same_bytes_is_taken() -> None:
    for spelling in (TOKEN + "=", TOKEN + "A", TOKEN + "\n", " " + TOKEN, TOKEN.replace(".", "..", 1), TOKEN + "."):
        assert resume.read(spelling, SECRET, 0.0) is None


@given(st.text())
def test_any_text_is_no_token(text: str) -> None:
    assert resume.read(text, SECRET, 0.0) is None
    assert resume.read(f"{text}.{text}", SECRET, 0.0) is None


@pytest.mark.parametrize(
    "body",
    [(2, "s", "a", "n", "agent", 2**40), (1, "s", "a", "n", "admin", 2**40), (1, "s"), "text", {}],
    ids=["another format", "another role", "too short", "a string", "a map"],
)
def test_what_the_secret_signed_in_another_form_is_none(body: object) -> None:
    text = resume._text(msgspec.msgpack.encode(body))
    assert resume.read(f"{text}.{resume._signature(text, SECRET)}", SECRET, 0.0) is None
