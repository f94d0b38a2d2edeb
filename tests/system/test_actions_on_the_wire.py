"""Promise: an agent reads in its observation what it can do, and what it reads there it can send as it stands."""

from __future__ import annotations

import worldline
from tests.system.harness import RunningServer


async def test_an_offered_action_can_be_sent_back(server: RunningServer) -> None:
    async with worldline.connect(server.url, name="ada") as client:
        me = await client.join("tsunami", observe=True)
        for form in ("data", "text", "both"):
            seen = await me.observe(format=form)
            assert seen.actions
        offered = next(action for action in seen.actions or [] if action.name == "move")
        assert offered.why
        outcome = await me.input(offered.name, offered.args, observe=True)
        assert outcome.ok
        assert outcome.observation is not None
        assert any(action.args == {"to": "home"} for action in outcome.observation.actions or []) is (
            not outcome.observation.data["at_home"]
        )
        other = await client.join("echo", observe=True)
        assert other.observation is not None
        assert other.observation.actions is None
