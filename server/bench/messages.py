"""What the bench and its agent processes tell each other, as frames of ``server/link.py``.

The order of a run: `Configure` → `AgentsJoined` … until all have joined → `Begin` → `OpenWindow` → `CloseWindow` →
`Finish` → `Acknowledgements` … → `AgentsDone`. `AgentsFailed` may come at any time and ends the run.
"""

from __future__ import annotations

from typing import Final, Literal

from server.audit import Acknowledged
from server.bench.options import Policy
from server.histogram import Histogram
from server.messages import Message

ACKNOWLEDGEMENTS_PER_MESSAGE: Final = 20_000  # below a megabyte, far from a link's frame limit


# --- to the agents' process ---------------------------------------------------------------------------


class Configure(Message, tag="configure"):
    """Connect ``count`` agents, numbered from ``first``, and join them. Limits are those of the server."""

    url: str
    game: str
    game_folders: list[str]
    first: int
    count: int
    think_s: tuple[float, float]
    policy: Policy
    seed: int


class Begin(Message, tag="begin"):
    """Start to decide; each agent after a random part of its thinking time, so that they do not march in step."""


class OpenWindow(Message, tag="open_window"):
    """Measure what is sent from now on."""


class CloseWindow(Message, tag="close_window"):
    """Measure nothing that is sent from now on; what is on its way still counts."""


class Finish(Message, tag="finish"):
    """Decide nothing more, wait for what is on its way, tell what was measured."""


ToAgents = Configure | Begin | OpenWindow | CloseWindow | Finish

# --- from the agents' process -------------------------------------------------------------------------


class AgentsJoined(Message, tag="agents_joined"):
    """So many agents of this process have a seat now."""

    count: int


class AgentsProgress(Message, tag="agents_progress"):
    """Twice a second: how many decisions this process has made so far."""

    decisions: int


class AgentsFailed(Message, tag="agents_failed"):
    """The run cannot go on."""

    reason: str


class Acknowledgements(Message, tag="acknowledgements"):
    """A part of all outcomes that the agents of this process were told, in the window and outside of it."""

    items: list[Acknowledged]


class AgentsDone(Message, tag="agents_done"):
    """What was measured in the window. The last message of a process."""

    pid: int
    cpu_s: float
    """Processor time used between the window's opening and its close."""
    rss_bytes: int
    outcome_seconds: Histogram
    observation_seconds: Histogram
    json_bytes: list[int]
    """Sizes of observations as JSON, a sample of at most some thousands."""
    applied: int
    rejected: dict[str, int]
    """Inputs that the game's rules rejected, by code."""
    refused: dict[str, int]
    """Requests that the server refused, by code."""
    unanswered: int
    """Requests without a reply when the process gave up waiting."""
    crashed: dict[str, int]
    """Agents whose bot raised, by the error's text; they play no more."""


FromAgents = AgentsJoined | AgentsProgress | AgentsFailed | Acknowledgements | AgentsDone

Phase = Literal["joining", "warming up", "measuring", "finishing", "stopping", "reading logs"]
"""What a run is doing, for progress displays."""
