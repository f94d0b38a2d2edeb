"""Promise: who has only the published page on the protocol can write a client in another language. One in Node, with
no library but ``ws``, plays Tsunami and Snakes through real TCP cuts at awkward moments, resumes, and loses nothing:
each of its inputs is in the log, exactly once, as it was told."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.cutting import CuttingProxy, Direction, cutting_proxy, logged_inputs, logged_joins
from tests.system.node_tests import script

PLAYED_WITHIN_S = 100.0
SNAKES = Path(__file__).resolve().parents[2] / "games" / "snakes"
SEED, TURNS = 1, 25
NEAR_SEED = 18  # a relic lies near the homes: 8 s to go there, and 8 s back


class Cut(NamedTuple):
    """Where a connection is cut: in the next piece of ``direction`` that holds ``text``, after ``share`` of its bytes;
    ``passing`` such pieces pass before."""

    direction: Direction
    text: bytes
    share: float
    passing: int = 0


HALF_AN_INPUT = Cut("up", b'"type":"input"', 0.5, 1)
"""It never happened: the server has not read it."""
OUTCOME_LOST = Cut("down", b'"type":"outcome"', 0.0)
"""It has happened, and its agent does not know."""
HALF_A_WELCOME = Cut("down", b'"type":"welcome"', 0.5)
"""In the middle of coming back."""
HALF_AN_OBSERVATION = Cut("down", b'"type":"observation"', 0.3)


def cut_in_order(proxy: CuttingProxy, cuts: Sequence[Cut]) -> list[Cut]:
    """Let the proxy cut like this, one after the other; returns those that are still to come."""
    left = list(cuts)
    passing = [cut.passing for cut in cuts]

    def may_pass(direction: Direction, data: bytes) -> int:
        if left and left[0].direction == direction:
            text = data if direction == "down" else unmasked(data)
            if left[0].text in text:
                if passing[0]:
                    passing[0] -= 1
                else:
                    passing.pop(0)
                    return int(len(data) * left.pop(0).share)
        return len(data)

    proxy.may_pass = may_pass
    return left


def unmasked(data: bytes) -> bytes:
    """The payload of a client's frame (RFC 6455: it is masked), if a piece begins with one."""
    if len(data) < 6 or not data[1] & 0x80:
        return b""
    begin = 4 if data[1] & 0x7F == 126 else 10 if data[1] & 0x7F == 127 else 2
    mask, payload = data[begin : begin + 4], data[begin + 4 :]
    return bytes(byte ^ mask[number % 4] for number, byte in enumerate(payload))


async def play(url: str, game: str, most: int, world: str) -> list[dict[str, Any]]:
    """Run the client in a world; what it said, line by line."""
    process = await asyncio.create_subprocess_exec(
        "node",
        script("client.mjs"),
        url,
        game,
        str(most),
        world,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, problems = await asyncio.wait_for(process.communicate(), PLAYED_WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, problems.decode()
    return [json.loads(line) for line in said.splitlines()]


def check_nothing_is_lost(data: Path, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every input of the client is in the log once, and every outcome that it was told is of one of them."""
    *lines, end = said
    assert end["done"], said
    outcomes = [line for line in lines if "refused" not in line]
    told = [(line["seq"], line["tick"], line["name"], line["args"]) for line in outcomes]
    assert [seq for seq, *_ in told] == list(range(1, len(told) + 1))
    assert logged_inputs(data, end["world"], end["player"]) == told
    assert logged_joins(data, end["world"], end["agent"]) == [end["player"]]
    assert end["events"] == list(range(1, end["cursor"])), "an event was lost, or they came in another order"
    return outcomes


@pytest.mark.needs("node", "npm")
async def test_it_plays_tsunami_is_cut_off_and_loses_nothing(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", games=None)
    created = await (await connect_agent(server.url)).ask("create", game="tsunami", seed=NEAR_SEED)
    async with cutting_proxy(server.url) as proxy:
        cuts = [HALF_AN_INPUT, OUTCOME_LOST, HALF_A_WELCOME, HALF_AN_OBSERVATION]
        left = cut_in_order(proxy, cuts)
        said = await play(proxy.url, "tsunami", 60, created["world"])
        assert not left
        assert proxy.cuts == len(cuts)
    assert said[-1]["resumed"] == len(cuts) - 1, "half a welcome is none"
    assert server.terminate() == 0
    outcomes = check_nothing_is_lost(server.data, said)
    assert [line["again"] for line in outcomes].count(True) == 1, "the one whose outcome was lost was told again"
    assert (outcomes[0]["name"], outcomes[0]["status"]) == ("buy_speed", "rejected")
    assert {"collect", "move"} <= {line["name"] for line in outcomes}
    assert (outcomes[-1]["name"], outcomes[-1]["status"]) == ("deposit", "applied"), "a relic was brought home"


def patient_snakes(folder: Path) -> Path:
    """Snakes as it is, but for its deadline: no machine is so busy that a move comes too late."""
    game = folder / "patient_snakes"
    shutil.copytree(SNAKES, game, ignore=shutil.ignore_patterns("replays", "__pycache__"))
    manifest = game / "game.toml"
    text, changed = re.subn(r"(?m)^deadline_ms = \d+$", "deadline_ms = 60_000", manifest.read_text())
    assert changed == 1
    manifest.write_text(text)
    return game


@pytest.mark.needs("node", "npm")
async def test_it_plays_snakes_against_another_is_cut_off_and_loses_nothing(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    game = patient_snakes(tmp_path)
    server = serve("--shards", "1", games=game)
    # Chosen so that nobody dies within these turns: the same moves lead to the same board every time.
    world = (await (await connect_agent(server.url)).ask("create", game=game.name, seed=SEED))["world"]
    async with cutting_proxy(server.url) as proxy:
        cuts = [
            *(OUTCOME_LOST._replace(passing=3), HALF_AN_INPUT, HALF_A_WELCOME),
            HALF_AN_INPUT._replace(passing=2, share=0.9),
        ]
        left = cut_in_order(proxy, cuts)
        said, other = await asyncio.gather(
            play(proxy.url, "snakes", TURNS, world), play(server.url, "snakes", TURNS, world)
        )
        assert not left
        assert proxy.cuts == len(cuts)
    assert (said[-1]["resumed"], other[-1]["resumed"]) == (len(cuts) - 1, 0)
    assert server.terminate() == 0
    told = [[line["tick"] for line in check_nothing_is_lost(server.data, each)] for each in (said, other)]
    # Both have decided every turn: while one was away, the other waited, and nobody's default was played.
    assert told == [list(range(1, TURNS + 1))] * 2
