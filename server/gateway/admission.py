"""How often one may ask: a bucket for each connection, and one for each agent over all its connections here.

A request takes one of both, and both are looked at before either is taken. A request that is refused is told when it
may come again, such that each refused request that waits its own time, while nothing else is sent, succeeds.

What an agent has used up is remembered after its last connection has gone, until it would have come back: reconnecting
brings nothing. Invariant: what is remembered of agents that have gone is bounded, and is forgotten.

Not here: how often one may be refused (``limits``), and how many connections an address may have (``visitors``).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from aiolimiter import AsyncLimiter

from server.gateway.limits import GatewayLimits
from server.rates import retry_after_ms

FREE_STEPS: Final = 128
"""How finely a bucket's free capacity is read for ``retry_after_ms``: 1/128 of a request, 0.8 ms at 10 a second."""


class Wait(NamedTuple):
    """A request is refused: it may come again after ``wait_ms``, by the bucket of ``rate_hz`` and ``burst``."""

    wait_ms: int
    rate_hz: float
    burst: int
    of_agent: bool


class RequestBucket:
    """A token bucket that is never waited for: `AsyncLimiter(burst, burst / rate_hz)`."""

    __slots__ = ("_limiter", "burst", "rate_hz", "refused")

    def __init__(self, rate_hz: float, burst: int) -> None:
        self.rate_hz = rate_hz
        self.burst = burst
        self.refused = 0
        """Requests since the last one that was accepted."""
        self._limiter = AsyncLimiter(burst, burst / rate_hz)

    @property
    def has_room(self) -> bool:
        """Whether a request could be taken now."""
        return self._limiter.has_capacity()

    async def take(self, amount: float = 1.0) -> None:
        """Take a request that there is room for: returns at once."""
        assert self._limiter.has_capacity(amount)
        await self._limiter.acquire(amount)
        self.refused = 0

    async def charge(self) -> None:
        """Take a request if there is room: the price of a message that could not be read."""
        if self._limiter.has_capacity():
            await self._limiter.acquire()

    @property
    def retry_after_ms(self) -> int:
        """When a request that is refused now may come again."""
        return retry_after_ms(self.free, self.refused, self.rate_hz)

    @property
    def free(self) -> float:
        """The largest k/128 for which there is room, by bisection."""
        low, high = 0, self.burst * FREE_STEPS + 1
        while high - low > 1:
            middle = (low + high) // 2
            if self._limiter.has_capacity(middle / FREE_STEPS):
                low = middle
            else:
                high = middle
        return low / FREE_STEPS


async def admit(*buckets: RequestBucket) -> Wait | None:
    """Take one request of each bucket, or of none: then return how long it has to wait."""
    if all(bucket.has_room for bucket in buckets):
        for bucket in buckets:
            await bucket.take()
        return None
    waits = [
        Wait(bucket.retry_after_ms, bucket.rate_hz, bucket.burst, of_agent=number > 0)
        for number, bucket in enumerate(buckets)
    ]
    for bucket in buckets:
        bucket.refused += 1
    return max(waits, key=lambda wait: wait.wait_ms)


class Admission:
    """What one connection pays for its requests; pings are free up to their own rate.

    ``agent`` is its agent's bucket, from the hello on.
    """

    def __init__(self, limits: GatewayLimits) -> None:
        self.agent: RequestBucket | None = None
        self._own = RequestBucket(limits.rate_hz, limits.burst) if limits.rate_limited else None
        self._pings = AsyncLimiter(limits.free_pings_hz, 1.0)

    async def request(self) -> Wait | None:
        """Pay for a request; returns how long it has to wait if it cannot be afforded now."""
        if self._own is None:
            return None
        return await (admit(self._own) if self.agent is None else admit(self._own, self.agent))

    async def spare(self) -> bool:
        """Pay as for a request, if it can be afforded; if not, nobody is told, and nothing has happened."""
        buckets = [bucket for bucket in (self._own, self.agent) if bucket is not None]
        if not all(bucket.has_room for bucket in buckets):
            return False
        for bucket in buckets:
            await bucket.take()
        return True

    async def ping(self) -> Wait | None:
        """Pay for a ping: nothing, unless there are too many."""
        if self._own is None:
            return None
        if self._pings.has_capacity():
            await self._pings.acquire()
            return None
        return await self.request()

    async def malformed(self) -> None:
        """Pay for a message that could not be read."""
        if self._own is not None:
            await self._own.charge()
            if self.agent is not None:
                await self.agent.charge()


class _Here:
    """An agent with connections."""

    __slots__ = ("bucket", "connections")

    def __init__(self, bucket: RequestBucket | None) -> None:
        self.bucket = bucket
        self.connections = 0


class Agents:
    """The agents with connections here, and what those have used up that have just gone. Times are the event loop's."""

    def __init__(self, limits: GatewayLimits) -> None:
        self._limits = limits
        self._here: dict[str, _Here] = {}
        self._full_at_s: OrderedDict[str, float] = OrderedDict()  # of agents that have gone, in the order of going

    def may_connect(self, agent: str) -> bool:
        """Whether the agent may have one connection more."""
        here = self._here.get(agent)
        return here is None or here.connections < self._limits.max_connections_per_agent

    async def arrive(self, agent: str, now_s: float) -> RequestBucket | None:
        """The agent has a connection more; return its bucket (None where there are no rates)."""
        here = self._here.get(agent)
        if here is None:
            here = self._here[agent] = _Here(await self._bucket(agent, now_s))
        here.connections += 1
        return here.bucket

    def depart(self, agent: str, now_s: float) -> None:
        """One of the agent's connections has ended."""
        here = self._here[agent]
        here.connections -= 1
        if here.connections:
            return
        del self._here[agent]
        self.forget(now_s)
        if here.bucket is None:
            return
        missing = here.bucket.burst - here.bucket.free
        if missing > 0:
            self._full_at_s[agent] = now_s + missing / here.bucket.rate_hz
            if len(self._full_at_s) > self._limits.max_remembered:
                self._full_at_s.popitem(last=False)

    def forget(self, now_s: float) -> None:
        """Forget those whose buckets would be full by now. None is remembered for longer than a bucket takes to fill,
        behind those that went before."""
        while self._full_at_s and next(iter(self._full_at_s.values())) <= now_s:
            self._full_at_s.popitem(last=False)

    @property
    def remembered(self) -> int:
        """How many agents that have gone are remembered."""
        return len(self._full_at_s)

    async def _bucket(self, agent: str, now_s: float) -> RequestBucket | None:
        limits = self._limits
        if not limits.rate_limited:
            return None
        bucket = RequestBucket(limits.agent_rate_hz, limits.agent_burst)
        missing = (self._full_at_s.pop(agent, now_s) - now_s) * limits.agent_rate_hz
        if missing > 0:
            await bucket.take(min(missing, limits.agent_burst))
        return bucket
