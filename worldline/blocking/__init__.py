"""The client without `await`, for notebooks, scripts and loops around a language model.

    from worldline import blocking

    with blocking.connect("ws://127.0.0.1:8765/ws", name="ada") as client:
        me = client.join("tsunami")
        seen = me.observe(until="event", wait_s=20)
        outcome = me.input("move", to="home", note="wave is near")

Names, arguments, results and exceptions are those of `worldline.connect`, `worldline.Client` and `worldline.Player`,
where they are described. Behind each client runs a thread of its own: it answers the server and takes up a lost
connection also while your code thinks. A client may be used from several threads.

Methods are made from those of the awaited classes (``front.py``), so that arguments and results are the same
by construction; what is repeated here is one line on each.

Ctrl-C during a call ends the call, not the client. An input that was under way is applied all the same: the next one
waits for its outcome.
"""

from worldline.blocking.client import Client, connect
from worldline.blocking.player import Player
from worldline.blocking.screen import Screen

__all__ = ["Client", "Player", "Screen", "connect"]
