"""Drives a Tsunami world directly, without sockets: what the tests of its rules stand on.

`Table` loads the shipped game (or a variant with some of its Lua text replaced), seats players, applies inputs and
steps. The entries it applies are those a server would log, so what holds here holds there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from games.code import GameCode
from games.driving import Driver, Outcome
from games.driving import Facts as Facts
from games.tsunami.bot import Decision, decide

FOLDER = Path(__file__).resolve().parents[2] / "games" / "tsunami"
TICK_HZ = 60


def shipped() -> GameCode:
    """The game as it is shipped."""
    return GameCode.load(FOLDER)


def variant(*replacements: tuple[str, str], file: str = "rules.lua") -> GameCode:
    """The shipped game with text of one file replaced. Each text must occur exactly once, so that no test rots."""
    files = dict(shipped().files)
    text = files[file].decode()
    for old, new in replacements:
        assert text.count(old) == 1, f"{file} has {text.count(old)} × {old!r}"
        text = text.replace(old, new)
    files[file] = text.encode()
    return GameCode.from_files("tsunami", files)


def rich() -> GameCode:
    """A variant in which any common relic pays a million coins a second: every speed is soon affordable."""
    return variant(("weight = 40, value = 10,", "weight = 40, value = 10000000,"))


def laid_out(*relics: tuple[str, str, int, float, float]) -> GameCode:
    """A variant that begins with these relics: id, zone, value, x, z. With ``relic_limit`` 1 no others appear."""
    at_first = (
        "  for _ = 1, math.min(rules.RELICS_AT_START, world.settings.relic_limit) do\n    relics.appear(world)\n  end"
    )
    lay = "\n".join(f'  lay(world, "{id}", "{zone}", {value}, {x}, {z})' for id, zone, value, x, z in relics)
    return variant((at_first, lay), file="relics.lua")


class Table(Driver):
    """A world with players p_1 … p_n on seats 1 … n, and what tests do with it."""

    def __init__(
        self,
        players: int = 1,
        *,
        seed: int = 1,
        code: GameCode | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        super().__init__(code or shipped(), players=players, seed=seed, settings=settings)

    @property
    def now(self) -> int:
        return self.world.tick

    def act(self, player: str, name: str, **args: Any) -> Outcome:
        """Apply one input without a step of the clock."""
        outcome = self.input(player, name, **args)
        self.outcomes.append(outcome)
        return outcome

    def do(self, player: str, name: str, **args: Any) -> Facts:
        """Apply one input that must be accepted; returns its result."""
        outcome = self.act(player, name, **args)
        assert outcome.status == "applied", outcome
        return dict(outcome.result)

    def step(self, ticks: int = 1) -> None:
        if ticks > 0:
            self.tick(ticks)

    def until(self, done: Callable[[], bool], limit_s: float = 120) -> None:
        """Step tick by tick until ``done()``."""
        self.run_until(done, limit=int(limit_s * TICK_HZ))

    def step_to(self, tick: int) -> None:
        self.step(tick - self.now)

    def nodes(self, kind: str) -> list[Facts]:
        return [node for node in self.view()["nodes"] if node["kind"] == kind]

    def walk(self, player: str, **target: Any) -> None:
        """Walk there and wait until the walk is over (at its end, or by a wave)."""
        self.do(player, "move", **target)
        self.until(lambda: self.observe(player).get("walking") is None)

    def own(self, player: str, zone: str = "common", *, before: float = 0) -> Facts:
        """Have this player fetch a relic of ``zone`` and put it into a slot, between two waves."""
        self.fetch(player, zone)
        self.walk(player, to="home")
        return self.do(player, "deposit")

    def fetch(self, player: str, zone: str = "common") -> Facts:
        """Have this player walk to a relic of ``zone`` that they reach safely, and collect it."""
        found: list[Facts] = []

        def there_is_one() -> bool:
            found[:] = [relic for relic in self.observe(player)["relics"] if relic["zone"] == zone and relic["safe"]]
            return bool(found)

        self.until(there_is_one)
        self.walk(player, to=found[0]["id"])
        return self.do(player, "collect", relic=found[0]["id"])


def decode(raw: Any) -> Any:
    """What a value is that crossed from the runtime as MessagePack (or as it is)."""
    return msgspec.msgpack.decode(raw) if isinstance(raw, bytes | msgspec.Raw) else raw


Chooser = Callable[[Facts], Decision]


def play(table: Table, choosers: Mapping[str, Chooser], seconds: float, seed: int = 0) -> None:
    """Let each player decide every 2-5 s of game time, as `games.tsunami.bot.play` would, for so many seconds."""
    chance = random.Random(seed)
    due = {player: table.now + chance.randint(120, 300) for player in choosers}
    end = table.now + int(seconds * TICK_HZ)
    while table.now < end:
        now = min(min(due.values()), end)
        table.step_to(now)
        for player in [player for player, tick in due.items() if tick <= now]:
            decision = choosers[player](table.observe(player))
            if decision.name is not None:
                table.act(player, decision.name, **decision.args)
            due[player] = now + chance.randint(120, 300)


def at_random(seed: int) -> Chooser:
    """A player who does anything that the observation offers, without thought."""
    chance = random.Random(seed)

    def choose(seen: Facts) -> Decision:
        relics = [relic["id"] for relic in seen["relics"]]
        options = [
            Decision("move", "", {"to": "home"}),
            Decision("move", "", {"x": chance.randint(-500, 500), "z": chance.randint(-114, 114)}),
            Decision("collect", ""),
            Decision("deposit", ""),
            Decision("buy_speed", ""),
            Decision("discard", "", {"slot": chance.randint(1, 10)}),
        ]
        if relics:
            options.append(Decision("move", "", {"to": chance.choice(relics)}))
        return chance.choice(options)

    return choose


def sensibly(seen: Facts) -> Decision:
    """The shipped bot."""
    return decide(seen)
