"""Every limit of the edge, with its unit and its reason, and the counters that apply them.

`GatewayLimits` is what a gateway is made with; tests make one with shorter times. The counters know no connection:
`RequestBucket` (how often one may ask), `FloodWindow` (how often one may be refused).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec
from aiolimiter import AsyncLimiter

from worldline import protocol

FREE_STEPS: Final = 128
"""How finely the bucket's free capacity is read for ``retry_after_ms``: 1/128 of a request, 0.8 ms at 10 a second."""


class GatewayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may cost. The defaults are the protocol's."""

    rate_hz: float = 10.0
    """Requests a second in the long run: an agent that decides every second needs two."""
    burst: int = 20
    """Requests at once after a pause: joining and looking around is a handful. At least 2: a bucket for one request
    has no room for the millisecond by which `retry_after_ms` is on the safe side."""
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
            max_open_requests=self.max_open_requests,
            max_message_bytes=self.max_message_bytes,
            max_reply_bytes=self.max_reply_bytes,
            max_note_bytes=protocol.MAX_NOTE_BYTES,
            silence_s=math.ceil(self.silence_s),
        )


def retry_after_ms(free: float, refused: int, rate_hz: float) -> int:
    """When a refused request may come again: ceil(1000 × (1 - free + refused) / rate) + 1.

    ``free`` is the bucket's free capacity (0-1 requests), ``refused`` how many were refused before this one since the
    last acceptance: each of them was told its own time, so this one comes after them (PROTOCOL: Limits).
    """
    return math.ceil(1000.0 * (1.0 - free + refused) / rate_hz) + 1


class RequestBucket:
    """The token bucket of one connection: `AsyncLimiter(burst, burst / rate_hz)`, never waited for.

    A guest has one connection, so this is the agent's bucket too.
    """

    def __init__(self, rate_hz: float, burst: int) -> None:
        self._rate_hz = rate_hz
        self._limiter = AsyncLimiter(burst, burst / rate_hz)
        self._refused = 0

    async def admit(self) -> int | None:
        """Take a token and return None; if there is none, return after how many milliseconds there will be one.

        Never waits: `acquire` is called only when it returns at once.
        """
        if self._limiter.has_capacity():
            await self._limiter.acquire()
            self._refused = 0
            return None
        wait_ms = retry_after_ms(self._free(), self._refused, self._rate_hz)
        self._refused += 1
        return wait_ms

    async def charge(self) -> None:
        """Take a token if there is one: the price of a message that could not be read."""
        if self._limiter.has_capacity():
            await self._limiter.acquire()

    def _free(self) -> float:
        """The largest k/128 for which the limiter has capacity, by bisection."""
        low, high = 0, FREE_STEPS
        while high - low > 1:
            middle = (low + high) // 2
            if self._limiter.has_capacity(middle / FREE_STEPS):
                low = middle
            else:
                high = middle
        return low / FREE_STEPS


class Admission:
    """What one connection pays for its requests; pings are free up to their own rate."""

    def __init__(self, limits: GatewayLimits) -> None:
        self._bucket = RequestBucket(limits.rate_hz, limits.burst) if limits.rate_limited else None
        self._pings = AsyncLimiter(limits.free_pings_hz, 1.0)

    async def request(self) -> int | None:
        """Pay for a request; returns ``retry_after_ms`` if it cannot be afforded now."""
        return None if self._bucket is None else await self._bucket.admit()

    async def ping(self) -> int | None:
        """Pay for a ping: nothing, unless there are too many."""
        if self._bucket is None:
            return None
        if self._pings.has_capacity():
            await self._pings.acquire()
            return None
        return await self._bucket.admit()

    async def malformed(self) -> None:
        """Pay for a message that could not be read."""
        if self._bucket is not None:
            await self._bucket.charge()


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
