"""Worldline for agents: connect to a server, join a game, play.

    async with worldline.connect("ws://127.0.0.1:8765/ws", name="ada") as client:
        me = await client.join("tsunami")
        outcome = await me.input("move", to="home", observe=True, note="wave is near")

`worldline.protocol` holds every message of the wire protocol. Importing this package loads only websockets and
msgspec besides the standard library.
"""

from worldline.client import Client, connect
from worldline.errors import Disconnected, InvalidRequest, NotPossible, TryLater, WorldlineError
from worldline.player import Player
from worldline.protocol import EventItem, Observation, Outcome
from worldline.screen import Screen

__all__ = [
    "Client",
    "Disconnected",
    "EventItem",
    "InvalidRequest",
    "NotPossible",
    "Observation",
    "Outcome",
    "Player",
    "Screen",
    "TryLater",
    "WorldlineError",
    "connect",
]
