"""Every limit of the edge, with its unit and its reason; and the window that counts refusals.

`GatewayLimits` is what a gateway is made with; tests make one with shorter times.

Not here: the buckets of requests (``admission``), and who comes from where (``visitors``).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

from worldline import protocol

MIN_BURST: Final = 2
"""A bucket for one request has no room for the millisecond by which ``retry_after_ms`` is on the safe side."""


class GatewayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What connections may cost. The defaults are the protocol's."""

    rate_hz: float = 10.0
    """Requests a second in the long run: an agent that decides every second needs two."""
    burst: int = 20
    """Requests at once after a pause: joining and looking around is a handful. At least `MIN_BURST`."""
    agent_rate_hz: float = 20.0
    """Requests a second of one agent over all its connections here: two at full speed."""
    agent_burst: int = 40
    """What they may send at once after a pause: as much as two connections."""
    free_pings_hz: int = 10
    """Pings a second that cost nothing, so that measuring never competes with playing."""
    rate_limited: bool = True
    """False switches rates and flooding off (``--limits off``: benches, trainers); everything else stays bounded."""

    max_open_requests: int = 64
    """Requests that wait for their reply at one time: bounds what the replies can pile up to."""
    max_message_bytes: int = 65_536
    """A note (16 KiB) and args with room to spare; larger frames close with 1009."""
    max_reply_bytes: int = 2**20
    """No reply is larger; clients may size their buffers by it."""
    max_queue_frames: int = 16
    """Frames read ahead of the one being handled; then the socket is left to the kernel's flow control."""

    max_connections: int = 8192
    """Of this gateway, WebSockets or not: at 25 KiB each they need 200 MiB."""
    max_connections_per_agent: int = 16
    """More players than anybody drives by hand, and one connection can drive many."""
    max_connections_per_address: int = 256
    """From one address, or one IPv6 network of 64 bits: a class behind one router, but no botnet of one machine."""
    failed_hellos: int = 10
    """So many hellos of one address may be refused within `failed_hellos_s`; then it waits before it connects again."""
    failed_hellos_s: float = 60.0
    max_remembered: int = 100_000
    """Agents and addresses that have gone, of which what they used up is remembered until it has come back."""

    max_answers: int = 256
    """Answers over plain HTTP that are under way at one time: with bodies of 256 KiB they need 64 MiB."""
    answer_timeout_s: float = 10.0
    """How long a visitor may take from the first byte of its request to the last one of the answer over plain HTTP, or
    of its handshake: 256 KiB at 26 KiB a second."""
    produce_timeout_s: float = 5.0
    """How long an answer over plain HTTP may take to be made: half of that, the other half is for reading it."""

    hello_timeout_s: float = 10.0
    """Who has not said hello by then is no client."""
    ping_every_s: float = 20.0
    """Pings for connections that are quiet: proxies cut them after 30-120 s."""
    silence_s: float = 180.0
    """Neither data nor pong for so long: gone. A model that blocks its own loop may think for three minutes."""
    unanswered_ping_s: float = 60.0
    """A ping without pong for so long while bytes wait: gone."""
    full_s: float = 20.0
    """A reader that has been behind by a full outbox for so long is too slow."""
    sweep_every_s: float = 1.0
    """How often connections are looked at for the rules above."""

    write_buffer_bytes: int = 65_536
    """Written ahead to the transport; beyond it messages wait in the outbox, where pushes can still be dropped."""
    outbox_bytes: int = 262_144
    """Waiting for one connection, transport included: beyond it no further request is read."""

    flood_refusals: int = 100
    """So many refusals within `flood_s` close with 4029: a client that ignores what it is told."""
    flood_s: float = 10.0

    close_timeout_s: float = 1.0
    """How long the other side may take to answer a close frame before its socket is dropped."""
    drain_s: float = 0.4
    """How long open requests may finish when the server stops. With `close_timeout_s` well below 3 s."""
    restart_after_ms: int = 1_000
    """When clients shall come back after a restart, at the earliest; each gets its own time up to twice this."""

    def announced(self) -> protocol.Limits:
        """These limits as `welcome` tells them."""
        return protocol.Limits(
            rate_hz=_whole(self.rate_hz) if self.rate_limited else None,
            burst=self.burst if self.rate_limited else None,
            agent_rate_hz=_whole(self.agent_rate_hz) if self.rate_limited else None,
            max_open_requests=self.max_open_requests,
            max_message_bytes=self.max_message_bytes,
            max_reply_bytes=self.max_reply_bytes,
            max_note_bytes=protocol.MAX_NOTE_BYTES,
            max_wait_ms=protocol.MAX_WAIT_MS,
            silence_s=math.ceil(self.silence_s),
        )


class FloodWindow:
    """Counts refusals in a sliding window. Times are seconds of any one clock."""

    def __init__(self, refusals: int, window_s: float) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque(maxlen=refusals)

    def refused(self, now_s: float) -> bool:
        """Count a refusal; True if the window now holds as many as are allowed at most."""
        self._times.append(now_s)
        return len(self._times) == self._times.maxlen and now_s - self._times[0] <= self._window_s


def _whole(number: float) -> float:
    return int(number) if number.is_integer() else number
