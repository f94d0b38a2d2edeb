"""Promise: /metrics tells how the whole server is doing, from all its processes; no counter runs backwards when one of
them dies; and the page that explains the figures names each of them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import edge_client
from tests.system.harness import RunningServer, eventually
from tests.system.screen import Screen
from tests.system.test_replays_on_screen import played
from tests.system.test_tokens import tokens

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def fetch(server: RunningServer, token: str | None = None) -> str:
    """What /metrics answers. Raises urllib.error.HTTPError."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert response.headers["Cache-Control"] == "no-store"
        return str(response.read().decode())


async def samples(server: RunningServer) -> Samples:
    """Every value, by name and labels."""
    page = await asyncio.to_thread(fetch, server)
    families = text_string_to_metric_families(page)
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }


def counters(values: Samples) -> Samples:
    """Those that may only grow; a process that is gone takes its own figures along."""
    growing = ("_total", "_count", "_sum", "_bucket")
    return {key: value for key, value in values.items() if key[0].endswith(growing) and "process" not in dict(key[1])}


async def test_what_was_done_is_counted_and_a_death_takes_nothing_back(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    joined = await ada.ask("join", game="echo")
    for _ in range(3):
        assert (await ada.ask("input", world=joined["world"], name="count", args={"by": 1}, observe=True))["tick"]
    assert (await bob.request("input", world=joined["world"], name="count", args={"by": 1}))["code"] == "not_joined"
    await bob.close()

    async def bob_is_counted() -> bool:
        return (await samples(server))["worldline_disconnects_total", (("cause", "client_closed"),)] == 1

    await eventually(bob_is_counted, "the end of a connection is counted")
    before = await samples(server)
    assert before["worldline_inputs_total", (("outcome", "applied"),)] == 3
    assert before["worldline_input_to_durable_seconds_count", ()] == 3
    assert before["worldline_observations_total", ()] >= 1
    assert before["worldline_refusals_total", (("code", "not_joined"),)] == 1
    assert before["worldline_connections", (("role", "developer"),)] == 1
    assert before["worldline_worlds", (("status", "running"),)] == 1
    assert before["worldline_journal_sync_seconds_count", ()] >= 3
    assert before["worldline_tick_seconds_bucket", (("le", "+Inf"),)] == before["worldline_tick_seconds_count", ()] > 0
    assert ("worldline_process_cpu_seconds_total", (("process", "shard-00"),)) in before

    (shard,) = server.shard_pids()
    os.kill(shard, signal.SIGKILL)
    await ada.push("notice", code="world_recovering")
    assert (await ada.ask("input", world=joined["world"], name="count", args={"by": 1}))["tick"]
    after = await samples(server)
    assert after["worldline_shard_restarts_total", (("cause", "killed"),)] == 1
    assert after["worldline_inputs_total", (("outcome", "applied"),)] == 4
    lower = {key: (value, after[key]) for key, value in counters(before).items() if after[key] < value}
    assert lower == {}


async def test_a_replayer_is_one_of_the_processes(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, _ = await played(ada)
    assert {dict(labels)["process"] for (name, labels) in await samples(server) if "process_resident" in name} == {
        "supervisor",
        "gateway-00",
        "shard-00",
    }
    async with edge_client(server.url) as client:
        await Screen(client).open(world)
        used = await samples(server)
    assert used["worldline_process_resident_bytes", (("process", "replayer-00"),)] > 1024**2
    assert used["worldline_process_cpu_seconds_total", (("process", "replayer-00"),)] > 0


async def test_only_developers_may_see_them(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--guests", "agent")

    def refused(token: str | None) -> int:
        try:
            fetch(server, token)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        return 200

    assert refused(None) == 401
    assert refused(tokens(server.data, "create", "ada")) == 403
    assert refused(tokens(server.data, "create", "prometheus", "--role", "developer")) == 200


async def test_the_reference_names_every_figure_with_its_label(server: RunningServer) -> None:
    page = await asyncio.to_thread(fetch, server)
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    rows = re.findall(r"^\| `(worldline_\w+)` \| (\w+) \| (?:`(\w+)`)?", REFERENCE.read_text(), re.MULTILINE)
    assert {name: kind for name, kind, _ in rows} == kinds
    labels = {label for _, _, label in rows if label}
    used = set(re.findall(r'[{,](\w+)="', page)) - {"le"}
    assert used <= labels
